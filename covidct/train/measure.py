"""Measuring a finished bundle on labelled rows: answers -> report."""

from __future__ import annotations

from collections.abc import Sequence

import click

from covidct.errors import ManifestError
from covidct.manifest import Row
from covidct.pipeline import Classifier
from covidct.plan import DataPlan
from covidct.train.evaluate import Protocol, Report, to_report
from covidct.train.score import answer_rows


def evaluate_rows(
    classifier: Classifier, rows: Sequence[Row], plan: DataPlan, *, split: str, digest: str
) -> Report:
    """Measure what a classifier answers for rows; slices without an answer are told on stderr.

    Raises ManifestError where none has an answer.
    """
    answers = answer_rows(classifier, rows, plan)
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
    )
    return to_report(answers.scored, protocol)
