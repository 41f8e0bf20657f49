#!/usr/bin/env python3
"""What `covidct archive` costs its driver: bytes and processor time a row of the index, from it to units.

python studies/archive_scale.py --rows 1000000
"""

from __future__ import annotations

import argparse
import resource
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pyarrow as pa

from covidct.apps.archive.answers import to_job
from covidct.apps.archive.grouping import find_groups, pack, read_index
from covidct.apps.archive.index import FILES, SCHEMA
from covidct.apps.archive.run import INSTANCES
from covidct.apps.archive.table import Table

SLICES = 300  # of a series, one series a study


def main() -> None:
    """Make an index, and group it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=1_000_000)
    rows = parser.parse_args().rows
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
        jobs = [to_job(unit, index.parts) for unit in pack(groups, instances=INSTANCES)]
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
