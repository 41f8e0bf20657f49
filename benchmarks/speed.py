"""Speed of either graph beside plain PyTorch, in one run: cold start, and slices per second on one core.

    python benchmarks/speed.py [--runs 7] [--slices 500]

Whole processes, in turn (ours, theirs, ours ...), so that a machine that changes its speed changes
both. The figure to quote is the ratio of medians. Needs the `train` extra, for the rival.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "support"))

from covidct.images.hounsfield import to_display
from covidct.images.phantoms.slice import Phantom, draw_phantom
from makers import write_dicom

EAGER = Path(__file__).with_name("eager.py")
OURS = Path(sys.executable).with_name("covidct")


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--slices", type=int, default=500)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        paths = write_files(Path(folder), options.slices)
        print(f"medians of {options.runs} runs on one core; {len(paths)} PNG, JPEG, DICOM, 256 to 512 px\n")
        print(f"{'':26}{'covidct':>12}{'PyTorch':>12}{'ratio':>8}")
        for graph in ("float", "int8"):
            report(f"cold start, {graph}, s", *race([str(paths[0])], [], options.runs, graph=graph))
            rows = race(["-"], paths, max(2, options.runs // 2), graph=graph)
            report(f"slices per second, {graph}", *(len(paths) / seconds for seconds in rows))


def write_files(folder: Path, count: int) -> list[Path]:
    """A folder like a user's: pictures and DICOM, several sizes."""
    drawn = [
        draw_phantom(kind, seed=seed, size=size)
        for seed in range(2)
        for kind in (Phantom.NORMAL, Phantom.LESIONS)
        for size in (256, 384, 512)
    ]
    paths = []
    for number in range(count):
        hu, ending = drawn[number % len(drawn)], ("png", "jpg", "dcm")[number // len(drawn) % 3]
        path = folder / f"slice-{number:04}.{ending}"
        if ending == "dcm":
            write_dicom(path, hu)
        else:
            Image.fromarray(to_display(hu)).save(path)
        paths.append(path)
    return paths


def race(arguments: Sequence[str], listed: Sequence[Path], runs: int, *, graph: str) -> tuple[float, float]:
    """Median seconds of a whole process, ours and theirs, after one run of each that does not count."""
    ours = [str(OURS), "predict", f"--{graph}", *arguments]
    theirs = [sys.executable, str(EAGER), *(argument for argument in arguments if argument != "-")]
    text = "".join(f"{path}\n" for path in listed).encode()
    times: tuple[list[float], list[float]] = ([], [])
    for run in range(runs + 1):
        for command, kept in zip((ours, theirs), times, strict=True):
            seconds = clock(command, text)
            if run:
                kept.append(seconds)
    return statistics.median(times[0]), statistics.median(times[1])


def clock(command: Sequence[str], text: bytes) -> float:
    """Seconds of one process on one core."""
    started = time.perf_counter()
    subprocess.run(
        command, input=text, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True, preexec_fn=pin
    )
    return time.perf_counter() - started


def pin() -> None:
    """Keep the process to one core."""
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})


def report(name: str, ours: float, theirs: float) -> None:
    """One line; the ratio says how many times better ours is."""
    better = theirs / ours if name.endswith("s") and "per" not in name else ours / theirs
    print(f"{name:26}{ours:12.2f}{theirs:12.2f}{better:8.1f}")


if __name__ == "__main__":
    main()
