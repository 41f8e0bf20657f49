"""Does a change cost speed? Ratios of processor time, compared with those kept in guard.json.

    python -m benchmarks.guard [--write]

Numerator and denominator are measured in turns in the same run, on one core, and the least of several rounds
counts, so what else runs on the machine moves a ratio by little. Fails where one is more than 15 % above what
is kept, twice in a row; on a processor with other vector instructions, where the graph takes another share of
the time, more than 50 %. `--write` keeps what was measured: after another model, or a change that is meant.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.phantom_files import write_picture, write_series
from benchmarks.programs import OURS, Program, start
from covidct.images.read import read_slice
from covidct.inference.classifier import Classifier
from covidct.series.study import read_study

KEPT = Path(__file__).with_name("guard.json")
ALLOWED, ALLOWED_ELSEWHERE = 1.15, 1.5
VECTORS = ("avx2", "avx512f", "avx512_vnni", "avx512_bf16", "amx_tile")
SLICES, ROUNDS, STARTS = 12, 9, 7
FLOOR = (sys.executable, "-c", "import numpy, onnxruntime")


def main() -> int:
    """Measure, compare, print; the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--write", action="store_true", help="keep what is measured")
    write = parser.parse_args().write
    found = measure()
    if write:
        ratios = {name: round(ratio, 3) for name, ratio in found.items()}
        KEPT.write_text(json.dumps({"vectors": list_vectors(), "ratios": ratios}, indent=1) + "\n")
    record = json.loads(KEPT.read_text(encoding="utf-8"))
    kept: Mapping[str, float] = record["ratios"]
    allowed = ALLOWED if record["vectors"] == list_vectors() else ALLOWED_ELSEWHERE
    if find_losses(found, kept, allowed):
        # Once more: another program can take the caches for a while.
        again = measure()
        found = {name: min(ratio, again[name]) for name, ratio in found.items()}
    lost = find_losses(found, kept, allowed)
    for name, ratio in found.items():
        verdict = f"more than {allowed - 1:.0%} slower" if name in lost else "ok"
        print(f"{name:58}{ratio:8.3f}{kept[name]:8.3f}  {verdict}")
    if lost:
        print(
            f"slower than {KEPT.name} says: {', '.join(lost)}. Make it as fast as it was, or, where that is "
            "meant, keep the new ratios with `python -m benchmarks.guard --write`, and say why.",
            file=sys.stderr,
        )
    return 1 if lost else 0


def find_losses(found: Mapping[str, float], kept: Mapping[str, float], allowed: float) -> list[str]:
    """The ratios more than `allowed` times what is kept. Raises KeyError where one was never kept."""
    return [name for name, ratio in found.items() if ratio > allowed * kept[name]]


def list_vectors() -> list[str]:
    """Which of the vector instructions that matter here this processor has; none where nobody says."""
    path = Path("/proc/cpuinfo")
    words = set(path.read_text(encoding="utf-8").split()) if path.is_file() else set()
    return [name for name in VECTORS if name in words]


def measure() -> dict[str, float]:
    """All ratios, by what they say."""
    if hasattr(os, "sched_setaffinity"):
        # One core: on two that share their units, each is slower while the other works.
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    with TemporaryDirectory() as name:
        folder = write_series(Path(name) / "series", SLICES)
        picture = write_picture(Path(name) / "slice.png")
        return {**measure_slices(folder), **measure_starts(picture)}


def measure_slices(folder: Path) -> dict[str, float]:
    """A series as a whole beside its graph alone, and in two threads beside one."""
    one, two = (Classifier.load(threads=threads) for threads in (1, 2))
    (series,) = read_study([folder]).series
    read = [read_slice(path) for path in sorted(folder.iterdir())]

    def run_graph() -> None:
        for item in read:
            one.run(item)

    graph, whole, both = take_turns(
        [run_graph, lambda: one.predict_series(series), lambda: two.predict_series(series)]
    )
    return {
        "slices read, answered / the graph alone": whole / graph,
        "slices in two threads / in one": both / whole,
    }


def take_turns(works: Sequence[Callable[[], object]]) -> list[float]:
    """The least seconds of processor time that each work took in any round."""
    rounds = [[clock(work) for work in works] for _ in range(ROUNDS)]
    return [min(taken) for taken in zip(*rounds, strict=True)]


def clock(work: Callable[[], object]) -> float:
    """Seconds of processor time, of all threads."""
    begun = time.process_time()
    work()
    return time.process_time() - begun


def measure_starts(picture: Path) -> dict[str, float]:
    """One picture from the shell, beside a program that only imports NumPy and ONNX Runtime."""
    programs = [Program("floor", FLOOR, 1), Program("ours", [*OURS, str(picture)], 1)]
    rounds = [[start(program).processor for program in programs] for _ in range(STARTS)]
    floor, ours = (min(taken) for taken in zip(*rounds, strict=True))
    return {"one picture from the shell / importing NumPy, ONNX Runtime": ours / floor}


if __name__ == "__main__":
    sys.exit(main())
