"""Measuring a finished bundle on labelled rows: answers -> report, and a second look at the worst of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import click

from covidct.data.manifest import DataPlan, Row
from covidct.data.slice_store import Read
from covidct.errors import ManifestError, ReadError
from covidct.evaluation.mistakes import Mistake, Picture, to_picture
from covidct.evaluation.predictions import answer_rows
from covidct.evaluation.report import PREVALENCES, Protocol, Report, to_report
from covidct.images.read import read_slice
from covidct.inference.classifier import Classifier


def evaluate_rows(
    classifier: Classifier,
    rows: Sequence[Row],
    plan: DataPlan,
    *,
    split: str,
    digest: str,
    prevalences: Sequence[float] = PREVALENCES,
    read: Read | None = None,
) -> Report:
    """Measure what a classifier answers for rows; slices without an answer are reported on stderr.

    Slices are got by `read`, where it is given. Raises ManifestError where none has an answer.
    """
    answers = answer_rows(classifier, rows, plan, read=read)
    for result in answers.unanswered:
        click.echo(f"not scored: {result.message}", err=True)
    if not answers.scored:
        raise ManifestError(f"none of {len(rows)} slices could be scored; see the messages above")
    config, point = classifier.bundle.config, classifier.operating_point
    protocol = Protocol(
        bundle=config.name,
        version=config.version,
        manifest_digest=digest,
        split=split,
        threshold=point.threshold,
        band=point.band,
        points=config.operating_points,
        prevalences=tuple(prevalences),
    )
    report = to_report(answers.scored, protocol)
    return replace(report, pictures=look_again(classifier, report.mistakes, read=read or read_slice))


def look_again(
    classifier: Classifier, mistakes: Iterable[Mistake], *, read: Read = read_slice
) -> tuple[Picture | None, ...]:
    """The picture of each mistake, None where its file cannot be read any more.

    Read and answered once more: to keep the pixels of all slices until the worst are known takes too much.
    """
    return tuple(_look(classifier, Path(mistake.row.path), read) for mistake in mistakes)


def _look(classifier: Classifier, path: Path, read: Read) -> Picture | None:
    try:
        item = read(path)
    except ReadError:
        return None
    made = classifier.predict(item).prediction
    if made is None or made.evidence is None:
        return None
    return to_picture(item.pixels, made.evidence, box=made.box)
