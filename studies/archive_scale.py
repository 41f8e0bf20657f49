#!/usr/bin/env python3
"""What `covidct archive` costs its driver, and how much faster several workers are.

    python studies/archive_scale.py --rows 1000000
    PYTHONPATH=.:tests/support python studies/archive_scale.py --workers 1 2 4

The first makes an index and groups it: bytes and processor time a row. The second answers an archive of
phantoms (512 x 512, 16 studies of 100 slices, not compressed) on Ray once with each number of workers:
seconds by the clock once Ray is up, which needs an idle machine (the load is printed), and processor time.
"""

from __future__ import annotations

import argparse
import os
import resource
import time
from collections.abc import Sequence
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pyarrow as pa

from covidct.apps.archive import run
from covidct.apps.archive.answers import to_job
from covidct.apps.archive.engine import RayEngine
from covidct.apps.archive.grouping import find_groups, pack, read_index
from covidct.apps.archive.index import FILES, SCHEMA
from covidct.apps.archive.request import ArchiveRequest
from covidct.apps.archive.table import Table
from covidct.types import ModelChoice

SLICES = 300  # of a series, one series a study
STUDIES, SIZE = 16, 100  # of the phantoms: studies, and slices of each


def main() -> None:
    """Measure what was asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--workers", type=int, nargs="+", default=[], help="numbers of workers to compare")
    given = parser.parse_args()
    if given.workers:
        compare_workers(given.workers)
    else:
        measure_driver(given.rows)


def compare_workers(numbers: Sequence[int]) -> None:
    """Print how fast an archive of phantoms is answered by each number of workers."""
    from archives import save_study
    from covidct.images.phantoms.slice import Phantom, draw_phantom

    run.INSTANCES = SIZE  # a unit a study, or there would be too few units for several workers
    with TemporaryDirectory() as folder:
        for number in range(STUDIES):
            drawn = [draw_phantom(Phantom.NORMAL, seed=number)] * SIZE
            save_study(Path(folder) / "in" / str(number), number, slices=drawn)
        for workers in numbers:
            time_workers(Path(folder) / "in", Path(folder) / f"out{workers}", workers)


def time_workers(folder: Path, out: Path, workers: int) -> None:
    """Print how fast so many workers are, with what the machine did beside them."""
    request, choice = ArchiveRequest((str(folder),), str(out)), ModelChoice(threads=1)
    with RayEngine(workers=workers) as engine:
        began, spent = time.monotonic(), count_spent()
        done = run.run_archive(request, choice, engine=engine, tell=lambda step: None)
        took, spent = time.monotonic() - began, count_spent() - spent
    print(
        f"{workers} workers: {done.slices} slices in {took:.1f} s, {done.slices / took:.1f} a second; "
        f"{spent / done.slices * 1000:.0f} ms of processor time a slice; load {os.getloadavg()[0]:.1f}",
        flush=True,
    )


def count_spent() -> float:
    """Seconds of processor time of this process and all below it that live."""
    psutil: Any = import_module("psutil")  # has no types
    me = psutil.Process()
    spent = 0.0
    for process in (me, *me.children(recursive=True)):
        with suppress(psutil.NoSuchProcess):  # some end meanwhile
            times = process.cpu_times()
            spent += times.user + times.system
    return spent


def measure_driver(rows: int) -> None:
    """Make an index, and group it."""
    with TemporaryDirectory() as folder:
        table = Table(folder)
        for at in range(0, rows, FILES):
            write_part(table, at, min(FILES, rows - at))
        size = sum(path.stat().st_size for path in (Path(folder) / "index").iterdir())
        before = find_peak()
        began = time.process_time()
        index = read_index(table)
        read = time.process_time()
        groups = list(find_groups(index))
        jobs = [to_job(unit, index.parts) for unit in pack(groups, instances=run.INSTANCES)]
        grouped = time.process_time()
    memory = find_peak() - before
    print(f"{rows:,} rows, {len(groups):,} groups, {len(jobs):,} units")
    print(f"driver {find_peak() / 1e6:.0f} MB at its peak, {before / 1e6:.0f} MB of it before")
    print(f"index on disk {size / rows:.0f} bytes a row; driver {memory / rows:.0f} bytes a row at its peak")
    print(f"read {(read - began) / rows * 1e6:.1f} µs a row")
    print(f"grouped {(grouped - read) / rows * 1e6:.1f} µs a row")


def find_peak() -> int:
    """The most memory that this process has had, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def write_part(table: Table, start: int, count: int) -> None:
    """A part of the index of an archive whose slices lie in order."""
    at = np.arange(start, start + count, dtype=np.uint64)
    keys = at * np.uint64(0x9E3779B97F4A7C15) + np.uint64(1)
    joined = ("series", "study", "frame", "scan")
    series = (at // np.uint64(SLICES)) * np.uint64(0xC2B2AE3D27D4EB4F) + np.uint64(1)
    columns = {
        "path": pa.array(
            [f"/archive/series{one // SLICES:07d}/{one:09d}.dcm".encode() for one in at.tolist()]
        ),
        "given": pa.array([b"/archive"] * count),
        "member": pa.array([-1] * count, pa.int32()),
        "instances": pa.array([1] * count, pa.int32()),
        **{name: keys + np.uint64(number) for number, name in enumerate(("file", "version", "instance"))},
        **{name: series + np.uint64(number) for number, name in enumerate(joined)},
    }
    table.write_index(f"000000-{start:016d}", pa.table([columns[name] for name in SCHEMA.names], SCHEMA))


if __name__ == "__main__":
    main()
