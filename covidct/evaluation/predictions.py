"""Labelled slices through what ships: raw logits while a bundle is being made, answers once it is.

Knows rows and graphs. Knows nothing of torch.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import click
import numpy as np
from numpy.typing import NDArray

from covidct.data.manifest import DataPlan, Row, to_label
from covidct.data.pixels import read_pixels
from covidct.data.slice_store import Read
from covidct.data.split import to_groups
from covidct.errors import ReadError
from covidct.evaluation.sections import Scored
from covidct.images.read import read_slice
from covidct.inference.classifier import Classifier
from covidct.inference.session import Outputs, Session
from covidct.types import Pixels, Result, Slice, Status

# Neighbours in number that stand in for a patient in intervals, where a source has no ids.
INTERVAL_BLOCK = 10


@dataclass(frozen=True)
class Answers:
    """Scored slices, and the results of those that got no probability."""

    scored: tuple[Scored, ...]
    unanswered: tuple[Result, ...]


def group_rows(rows: Sequence[Row]) -> tuple[str, ...]:
    """The patient of each row, (n,), or the block of neighbouring numbers that counts as one.

    With fewer than a hundred slices of a class blocks are smaller, down to single slices: one or two blocks
    would give no interval.
    """
    fewest = min(Counter(row.label for row in rows).values(), default=0)
    return to_groups(rows, block=max(1, min(INTERVAL_BLOCK, fewest // INTERVAL_BLOCK)))


def run_rows(session: Session, rows: Sequence[Row], *, read: Read = read_slice) -> list[Outputs]:
    """What a graph says of each row's slice, of any size, one run each, refused or not."""
    return list(session.run_many(read_pixels(rows, label="for calibration", read=read)))


def score_logits(session: Session, slices: Sequence[Pixels]) -> NDArray[np.float64]:
    """Logits (N,) of slices of any size, one run each."""
    return np.array([outputs.logit[0] for outputs in session.run_many(slices)], np.float64)


def predict_rows(classifier: Classifier, rows: Sequence[Row], *, read: Read | None = None) -> list[Result]:
    """What people would get for each row; slices are got by `read`, where it is given."""
    results = classifier.predict_many(row.path if read is None else _get(row.path, read) for row in rows)
    with click.progressbar(results, length=len(rows), label="predicting".ljust(24), file=sys.stderr) as bar:
        return list(bar)


def _get(path: Path, read: Read) -> Slice | Path:
    """The slice, or the path of one that cannot be read: whoever reads it then says why."""
    try:
        return read(path)
    except ReadError:
        return path


def answer_rows(
    classifier: Classifier, rows: Sequence[Row], plan: DataPlan, *, read: Read | None = None
) -> Answers:
    """The answer that users would get for each row; slices without one are listed separately, not scored."""
    answers = predict_rows(classifier, rows, read=read)
    patients = group_rows(rows)
    scored = tuple(
        _to_scored(row, result, patient, plan)
        for row, result, patient in zip(rows, answers, patients, strict=True)
        if result.status is Status.OK
    )
    return Answers(scored, tuple(result for result in answers if result.status is not Status.OK))


def _to_scored(row: Row, result: Result, patient: str, plan: DataPlan) -> Scored:
    assert result.probability is not None
    assert result.decision is not None
    return Scored(
        path=str(row.path),
        label=to_label(row, plan),
        source=row.source,
        patient=patient,
        probability=result.probability,
        decision=result.decision.value,
    )
