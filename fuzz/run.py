"""Throw damaged files at all readers for some time; what ends a worker is kept in runs/fuzz, and told.

    run.py HOURS [SEED [READER ...]]

How many cases there were of each reader, the slowest and the largest, stands in runs/fuzz/counts.json, which
later runs add to. A seed that was run before gives the same cases again, so give another.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

BATCH = 5000
COUNTS = "counts.json"
HERE = Path(__file__).resolve().parent
READERS = (
    *("pictures", "dicom", "compressed", "enhanced", "archives", "nifti", "metaimage", "nrrd", "numpy"),
    *("dicomdir", "instance", "study", "mixed", "manifest", "recipe", "list", "bundle", "graph"),
    *("upload", "dicomweb"),
)


def main(
    hours: float, *, finds: Path = Path("runs/fuzz"), seed: int = 0, readers: Sequence[str] = READERS
) -> int:
    """Run for so many hours, reader by reader; returns how many finds there were."""
    finds.mkdir(parents=True, exist_ok=True)
    counts: dict[str, dict[str, Any]] = {}
    if (finds / COUNTS).is_file():
        counts = json.loads((finds / COUNTS).read_text(encoding="utf-8"))
    end, found = time.monotonic() + 3600 * hours, 0
    while time.monotonic() < end:
        for name in readers:
            if (batch := run_batch(name, seed, finds)) is None:
                found += 1
            else:
                counts[name] = add(counts.get(name), batch)
                (finds / COUNTS).write_text(json.dumps(counts, indent=1), encoding="utf-8")
        seed += 1
        print(f"{sum(one['cases'] for one in counts.values())} cases, {found} finds", flush=True)
    return found


def run_batch(name: str, seed: int, finds: Path) -> dict[str, Any] | None:
    """What a worker counted; None for a find, which is kept."""
    places = os.pathsep.join(map(str, (HERE.parent, HERE.parent / "tests" / "support")))
    with tempfile.TemporaryDirectory() as folder:
        command = [
            sys.executable,
            "-W",
            "ignore",
            str(HERE / "worker.py"),
            str(seed),
            str(BATCH),
            folder,
            name,
        ]
        environment = os.environ | {"PYTHONPATH": places}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        if done.returncode == 0:
            counted: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
            return counted
        keep(Path(folder) / "case", finds / f"{name}-{seed}", done)
        return None


def keep(case: Path, place: Path, done: subprocess.CompletedProcess[str]) -> None:
    """Keep a case that ended a worker, and what the worker said."""
    place.mkdir(exist_ok=True)
    for path in case.iterdir():
        (place / path.name).write_bytes(path.read_bytes())
    (place / "log").write_text(f"exit {done.returncode}\n{done.stdout}\n{done.stderr}", encoding="utf-8")
    print(f"{place}: exit {done.returncode}: {done.stderr.strip().splitlines()[-1:]}", flush=True)


def add(known: dict[str, Any] | None, batch: dict[str, Any]) -> dict[str, Any]:
    """Two counts together."""
    if known is None:
        return batch
    total = {key: known[key] + batch[key] for key in ("cases", "answered")}
    for key in ("slowest", "largest"):
        larger = max(known, batch, key=lambda one: float(one[key]))
        total |= {key: larger[key], f"{key}_name": larger[f"{key}_name"]}
    return total


if __name__ == "__main__":
    hours, seed = float(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 0
    sys.exit(1 if main(hours, seed=seed, readers=sys.argv[3:] or READERS) else 0)
