"""The straight line: inputs -> listing -> headers -> groups -> units -> answers -> table.

Knows the order of the steps, and what is left to do where an earlier run stopped.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np

from covidct.apps.archive import answers, index
from covidct.apps.archive.engine import Engine
from covidct.apps.archive.grouping import Group, Index, Keys, find_groups, pack, read_index
from covidct.apps.archive.ledger import read_ledger, supersede
from covidct.apps.archive.listing import Listed, list_inputs
from covidct.apps.archive.request import ArchiveRequest
from covidct.apps.archive.table import Table
from covidct.apps.archive.trials import FOLDER
from covidct.inference.classifier import Classifier
from covidct.results.formats import SCHEMA_VERSION
from covidct.types import ModelChoice

ROUND = 1_000_000  # files that are listed before they are looked into
INSTANCES = 1000  # of a unit: half a minute of one core, and all that a killed worker loses


@dataclass(frozen=True)
class Step:
    """What one job did, and how far the run is: `done` of `total` files or instances."""

    stage: str
    done: int
    total: int | None
    told: tuple[str, ...] = ()


@dataclass(frozen=True)
class Summary:
    """What a run did: `left` groups could not be had, and wait for another run."""

    files: int = 0
    skipped: int = 0
    slices: int = 0
    series: int = 0
    errors: int = 0
    known: int = 0
    superseded: int = 0
    left: int = 0


Tell = Callable[[Step], None]


def run_archive(request: ArchiveRequest, choice: ModelChoice, *, engine: Engine, tell: Tell) -> Summary:
    """Answer what is new in an archive; `tell` is told of each step.

    Raises ArchiveError, BundleError, DicomwebError and OSError; what was answered before then stays.
    """
    table = Table(request.out)
    table.prepare(_to_settings(request, choice))
    with table.locked():
        looked = _look(request, table, engine, tell)
        found = read_index(table)
        groups = list(find_groups(found))
        ledger = read_ledger(table)
        for name in ledger.damaged:
            tell(Step("answers", 0, None, (f"{request.out}: part {name} was damaged: answered again",)))
        done = ledger.done
        todo = [group for group in groups if group.name not in done]
        job = answers.AnswerJob(table.address, choice, request.all_series)
        counts = _answer(todo, found, engine, job, tell)
        superseded = supersede(table, groups)
        if not looked["left"] + counts["left"]:
            table.place.delete_folder(FOLDER)
    known = len(groups) - len(todo)
    left = looked.pop("left") + counts.pop("left")
    return Summary(**looked, **counts, known=known, superseded=superseded, left=left)


def _to_settings(request: ArchiveRequest, choice: ModelChoice) -> dict[str, Any]:
    """What all rows of a table have in common. Raises BundleError."""
    classifier = Classifier.choose(choice)
    return {
        "schema_version": SCHEMA_VERSION,
        "model": classifier.model.name,
        "precision": classifier.model.precision,
        "operating_point": classifier.operating_point.name,
        "prevalence": classifier.prevalence,
        "all_series": request.all_series,
    }


def _look(request: ArchiveRequest, table: Table, engine: Engine, tell: Tell) -> dict[str, int]:
    """Look into the files that are new or have changed."""
    parts = table.list_index()
    generation = int(parts[-1].partition("-")[0]) + 1 if parts else 0
    job = index.IndexJob(table.address, generation)
    counts = {"files": 0, "skipped": 0, "left": 0}
    fresh = _find_fresh(list_inputs(request.inputs), read_index(table).versions)
    # (One file may be found by two inputs.)
    while files := list({one.version: one for one in islice(fresh, ROUND)}.values()):
        jobs = [index.to_job(files[at : at + index.FILES]) for at in range(0, len(files), index.FILES)]
        for said in engine.run(job, jobs):
            done = json.loads(said)
            counts["files"] += done["files"]
            counts["skipped"] += done["skipped"]
            counts["left"] += len(done["dropped"])
            tell(Step("headers", counts["files"], None, tuple(done["dropped"])))
    return counts


def _find_fresh(files: Iterable[Listed], versions: Keys) -> Iterator[Listed]:
    """The files that were not looked into."""
    for one in files:
        at = int(np.searchsorted(versions, np.uint64(one.version)))
        if at == len(versions) or int(versions[at]) != one.version:
            yield one


def _answer(
    todo: Sequence[Group], found: Index, engine: Engine, job: answers.AnswerJob, tell: Tell
) -> dict[str, int]:
    """Answer the groups that are not in the table."""
    total = sum(group.instances for group in todo)
    jobs = [answers.to_job(unit, found.parts) for unit in pack(todo, instances=INSTANCES)]
    counts = dict.fromkeys(("slices", "series", "errors", "left"), 0)
    for said in engine.run(job, jobs):
        done = json.loads(said)
        for name in ("slices", "series", "errors"):
            counts[name] += done[name]
        counts["left"] += len(done["dropped"])
        aside = (f"{path}: ended its worker twice: set aside" for path in done["aside"])
        tell(Step("slices", counts["slices"], total, (*done["dropped"], *aside)))
    return counts
