"""A large series in one upload: what `covidct serve` says, how long it takes, and how much memory it holds.

    PYTHONPATH=.:fuzz:tests/support python studies/series_upload.py --out upload.json [--slices 300]

The slices are phantoms: a few pictures at as many positions. `/health` is asked all the while. For Linux.
"""

from __future__ import annotations

import argparse
import json
import threading
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from load_client import Answer, watching_health
from soak.node import PICTURES, to_bytes, to_dataset
from soak.run import measure, running, to_quantiles
from soak.server import MULTIPART, to_form

SERIES = 40_000_000
SAMPLE_S, REST_S = 0.2, 2.0  # between looks at the memory, and before the last of them
PATIENCE_S = 600


@contextmanager
def watching_memory(pid: int, mb: list[int]) -> Iterator[None]:
    """What a process and its children hold, five times a second."""
    done = threading.Event()

    def watch() -> None:
        while not done.wait(SAMPLE_S):
            mb.append(measure(pid)["mb"])

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield
    finally:
        done.set()
        watcher.join()


def upload(port: int, pid: int, form: bytes) -> dict[str, Any]:
    """One upload; the figures."""
    health: list[Answer] = []
    mb: list[int] = []
    request = urllib.request.Request(f"http://127.0.0.1:{port}/api/predict", form, MULTIPART)
    with watching_health(port, health), watching_memory(pid, mb):
        begun = time.monotonic()
        with urllib.request.urlopen(request, timeout=PATIENCE_S) as answer:
            results, seconds = json.load(answer), time.monotonic() - begun
    time.sleep(REST_S)
    return {
        "results": dict(Counter(one["status"] for one in results)),
        "seconds": round(seconds, 1),
        "mb": {"largest": max(mb), "afterwards": measure(pid)["mb"]},
        "health": {
            "statuses": dict(Counter(one.status for one in health)),
            "ms": to_quantiles([one.ms for one in health]),
        },
    }


def main() -> None:
    """Run it, and write what came of it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--slices", type=int, default=300)
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--times", type=int, default=2)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--model", help="a bundle; by default the one that ships")
    asked = parser.parse_args()
    slices = (
        to_dataset(SERIES, number, size=asked.size, seed=number % PICTURES)
        for number in range(1, asked.slices + 1)
    )
    form = to_form((f"{number}.dcm", to_bytes(one)) for number, one in enumerate(slices, 1))
    model = ["--model", asked.model] if asked.model else []
    with running("serve", "--port", "0", "--threads", "1", *model, says=" at http") as (process, port):
        uploads = [upload(port, process.pid, form) for _ in range(asked.times)]
        found = {
            "slices": asked.slices,
            "bytes": len(form),
            "uploads": uploads,
            "alive": process.poll() is None,
        }
    asked.out.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
