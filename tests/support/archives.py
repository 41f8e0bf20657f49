"""What tests of `covidct archive` share: an engine in this process, runs, and tables as they are read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from covidct.apps.archive.engine import Job
from covidct.apps.archive.request import ArchiveRequest
from covidct.apps.archive.run import Step, Summary, run_archive
from covidct.types import ModelChoice
from stacks import save, stack, volume


class Here:
    """Does one job after the other, in this process; counts them in `items`."""

    def __init__(self) -> None:
        self.items: list[str] = []

    def run(self, job: Job, items: Sequence[str]) -> Iterator[str]:
        work = job.start() if items else None
        for item in items:
            assert work is not None
            self.items.append(item)
            yield work(item)


def run_here(
    *inputs: Path | str,
    out: Path | str,
    bundle: Path,
    told: list[Step] | None = None,
    engine: Any = None,
    all_series: bool = False,
) -> Summary:
    return run_archive(
        ArchiveRequest(tuple(map(str, inputs)), str(out), all_series=all_series),
        ModelChoice(bundle, threads=1),
        engine=engine or Here(),
        tell=(told if told is not None else []).append,
    )


def read_rows(out: Path) -> list[dict[str, Any]]:
    """The rows of a table, sorted."""
    rows = [
        row for part in sorted((out / "results").glob("*.parquet")) for row in pq.read_table(part).to_pylist()
    ]
    return sorted(rows, key=lambda row: (row["kind"], row["path"], row["instance_uid"] or ""))


def save_study(
    folder: Path, number: int, *, slices: int | Sequence[NDArray[np.int16]] = 4, **tags: Any
) -> Path:
    """A study of phantoms, so many or these, with UIDs and a patient of its own."""
    uid = f"1.2.826.0.1.3680043.8.498.{100 + number}"
    own: dict[str, Any] = {"StudyInstanceUID": uid, "PatientID": f"P{number}"}
    drawn = volume(slices) if isinstance(slices, int) else slices
    return save(folder, stack(drawn, series=f"{uid}.1", **(own | tags)))


def strip(rows: list[dict[str, Any]], place: str) -> list[dict[str, Any]]:
    """Rows without what differs with the place they were read from."""
    return [
        {
            name: value.replace(place, "") if isinstance(value, str) else value
            for name, value in row.items()
            if name != "group"
        }
        for row in rows
    ]
