"""Units of groups -> parts of the table: the worker that keeps the model.

Each group is read and answered as `covidct predict` does it, so its answers are the same. A part is written
once all groups of its unit are answered; groups whose files cannot be had now are left for another run.
"""

from __future__ import annotations

import json
import os
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import pyarrow as pa

from covidct.apps.archive.fetching import Fetcher, Spot
from covidct.apps.archive.grouping import Group
from covidct.apps.archive.index import DEADLY
from covidct.apps.archive.keys import to_key, to_word
from covidct.apps.archive.rows import to_row, to_table
from covidct.apps.archive.table import Table
from covidct.apps.archive.trials import DEATHS, Trials
from covidct.errors import ReadError, SourceDropped
from covidct.inference.classifier import Classifier
from covidct.inference.slice_result import to_unread_result
from covidct.series.instances import look_into
from covidct.series.sources import Candidate
from covidct.series.study import read_study
from covidct.types import Kind, ModelChoice, Result, Status

_KEPT = 4  # parts of the index in a worker's memory


@dataclass(frozen=True)
class AnswerJob:
    """How a worker answers: each job is a unit, as `to_job` writes it."""

    out: str
    choice: ModelChoice
    all_series: bool

    def start(self) -> Answerer:
        """A worker, its model loaded, on one thread. Raises BundleError."""
        classifier = Classifier.choose(replace(self.choice, threads=1))
        return Answerer(Table(self.out), classifier, all_series=self.all_series)


class Answerer:
    """Answers units, and writes a part of the table for each."""

    def __init__(self, table: Table, classifier: Classifier, *, all_series: bool):
        self._table = table
        self._classifier = classifier
        self._all_series = all_series
        self._trials = Trials(table.place)
        self._read_index = lru_cache(_KEPT)(table.read_index)

    def __call__(self, job: str) -> str:
        """Answer a unit; what was done, as JSON. Raises OSError where the table cannot be written."""
        unit, began = json.loads(job), time.monotonic()
        rows: list[dict[str, Any]] = []
        groups: dict[str, int] = {}
        dropped: list[str] = []
        aside: list[str] = []
        for name, file, numbers, places in unit["groups"]:
            spots = [self._find_spot(unit["parts"][at], row) for at, row in zip(numbers, places, strict=True)]
            try:
                results = self._answer(name, spots, aside)
            except SourceDropped as error:
                dropped.append(str(error))
                self._trials.end(name)
            else:
                rows += [to_row(result, name) for result in results]
                groups[name] = file
        if groups:
            self._table.write_results(unit["name"], to_table(rows), groups)
        seconds = round(time.monotonic() - began, 3)
        return json.dumps(_count(rows) | {"dropped": dropped, "aside": aside, "seconds": seconds})

    def _find_spot(self, part: str, row: int) -> Spot:
        columns = self._read_index(part)
        path, given = (os.fsdecode(columns[name][row].as_py()) for name in ("path", "given"))
        return Spot(path, columns["member"][row].as_py(), given)

    def _answer(self, name: str, spots: Sequence[Spot], aside: list[str]) -> list[Result]:
        """Results for a group; names of files that ended their worker twice are added to `aside`."""
        died_before = self._trials.begin(name)
        with Fetcher() as fetcher:
            read: list[Candidate] = []
            deadly: list[str] = []
            for spot in spots:
                if spot.member == DEADLY:
                    deadly.append(spot.path)
                else:
                    found = fetcher.find(spot)
                    read += self._try_each(name, found, deadly) if died_before else found
            study = read_study(read, all_series=self._all_series)
            results = [answer.result for answer in self._classifier.predict_study(study)]
        aside += deadly
        # Answered, if not written yet: what ends this worker later is not in this group.
        self._trials.end(name)
        return results + [self._set_aside(path) for path in deadly]

    def _try_each(self, work: str, found: Sequence[Candidate], deadly: list[str]) -> Iterator[Candidate]:
        """The files that can be answered, each tried under a mark of its own."""
        for one in found:
            what = to_word(to_key(one.blob.name))
            if self._trials.count(work, what) >= DEATHS:
                deadly.append(one.blob.name)
                continue
            self._trials.begin(work, what)
            for item in look_into(one):
                self._classifier.predict(item.instance)
            self._trials.end(work, what)
            yield one

    def _set_aside(self, path: str) -> Result:
        message = (
            f"{path}: reading it killed the process {DEATHS} times (damaged, or too little memory); it is "
            "left out, and its series is answered without it. Export it again"
        )
        return to_unread_result(path, ReadError(message), self._classifier.model)


def to_job(unit: Sequence[Group], parts: Sequence[str]) -> str:
    """A unit as a job; `parts` are the names of all parts of the index."""
    used = sorted({part for group in unit for part in group.part.tolist()})
    number = {part: at for at, part in enumerate(used)}
    groups = [
        (group.name, group.file, [number[part] for part in group.part.tolist()], group.row.tolist())
        for group in unit
    ]
    name = to_word(to_key(*(group.name for group in unit)))
    return json.dumps({"name": name, "parts": [parts[part] for part in used], "groups": groups})


def drop_rows(rows: pa.Table, groups: set[str]) -> pa.Table:
    """The rows of a part without those of some groups."""
    kept = [value not in groups for value in rows["group"].to_pylist()]
    return rows.filter(pa.array(kept, pa.bool_()))


def _count(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    counts: Counter[str] = Counter()
    for row in rows:
        is_slice = row["kind"] == Kind.SLICE.value
        counts["slices" if is_slice else "series"] += 1
        counts["errors"] += is_slice and row["status"] == Status.ERROR.value
    return {name: counts[name] for name in ("slices", "series", "errors")}
