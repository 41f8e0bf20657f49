"""Time for a whole series: a phantom of 300 slices of 512 x 512, read from disk, answered for, and reported.

    python benchmarks/series.py [--slices 300] [--threads 2]

Prints seconds for each step, slices per second and the most memory that the process held. The phantom is
drawn and written before the clock starts.
"""

from __future__ import annotations

import argparse
import resource
import sys
import tempfile
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "support"))

from covidct.apps.cli.commands.predict_report import write_report
from covidct.images.phantoms.slice import Phantom, draw_phantom
from covidct.inference.classifier import Classifier
from covidct.series.study import read_study
from stacks import SERIES, save, stack

DRAWN = 6  # chests, drawn once and used again: drawing takes longer than answering


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--slices", type=int, default=300)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = write_phantom(Path(name) / "series", options.slices)
        measure(folder, Path(name) / "report.html", options.threads)


def write_phantom(folder: Path, count: int) -> Path:
    """A series of 1 mm, lesions in its middle third."""
    kinds = (Phantom.NORMAL, Phantom.LESIONS)
    drawn = {kind: [draw_phantom(kind, seed=seed) for seed in range(DRAWN)] for kind in kinds}
    third = range(count // 3, 2 * count // 3)
    # One by one, so that the most memory is that of answering.
    for at in range(count):
        hu = drawn[Phantom.LESIONS if at in third else Phantom.NORMAL][at % DRAWN]
        tags: dict[str, Any] = {"SOPInstanceUID": f"{SERIES}.{at + 1}", "InstanceNumber": at + 1}
        save(folder, stack([hu], spacing=1.0, origin=(-180.0, -180.0, float(at)), **tags), [f"{at:04}.dcm"])
    return folder


def measure(folder: Path, page: Path, threads: int) -> None:
    """Each step by the clock."""
    marks = [("", time.perf_counter())]
    classifier = Classifier.load(threads=threads)
    marks.append(("load the model", time.perf_counter()))
    (series,) = read_study([folder]).series
    marks.append(("read the headers, sort", time.perf_counter()))
    answer = classifier.predict_series(series)
    marks.append(("answer", time.perf_counter()))
    write_report(page, [answer], classifier.bundle, identify=False)
    marks.append(("write the report", time.perf_counter()))
    for (_, begun), (step, ended) in pairwise(marks):
        print(f"{step:<24}{ended - begun:8.2f} s")
    print(f"{'altogether':<24}{marks[-1][1] - marks[0][1]:8.2f} s")
    count = len(series.instances)
    print(f"{count} slices, {count / (marks[3][1] - marks[2][1]):.0f} a second while answering")
    print(f"at most {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MiB of memory")
    print(f"{answer.result.decision}, {answer.result.probability}; report {page.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
