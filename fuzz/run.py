"""Throw mutated files at all readers for some time; what ends a worker is kept in runs/fuzz, and told."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

BATCH = 500
HERE = Path(__file__).resolve().parent


def main(hours: float, finds: Path = Path("runs/fuzz"), seed: int = 0) -> int:
    """Run for so many hours; returns how many finds there were."""
    places = os.pathsep.join(map(str, (HERE.parent, HERE.parent / "tests" / "support")))
    end, cases, found = time.monotonic() + 3600 * hours, 0, 0
    while time.monotonic() < end:
        with tempfile.TemporaryDirectory() as case:
            command = [sys.executable, "-W", "ignore", str(HERE / "worker.py"), str(seed), str(BATCH), case]
            environment = os.environ | {"PYTHONPATH": places}
            done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
            if done.returncode:
                found += 1
                _keep(Path(case), finds, seed, done)
        cases, seed = cases + BATCH, seed + 1
        print(f"{cases} cases, {found} finds", flush=True)
    return found


def _keep(case: Path, finds: Path, seed: int, done: subprocess.CompletedProcess[str]) -> None:
    finds.mkdir(parents=True, exist_ok=True)
    for path in case.iterdir():
        (finds / f"{seed}-{path.name}").write_bytes(path.read_bytes())
    (finds / f"{seed}.log").write_text(f"exit {done.returncode}\n{done.stderr}")
    print(f"seed {seed}: exit {done.returncode}: {done.stderr.strip().splitlines()[-1:]}", flush=True)


if __name__ == "__main__":
    sys.exit(1 if main(float(sys.argv[1]), seed=int(sys.argv[2]) if len(sys.argv) > 2 else 0) else 0)
