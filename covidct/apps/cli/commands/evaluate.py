"""`covidct evaluate`: a bundle against a manifest, as a table and a folder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from covidct.data.manifest import UNNAMED
from covidct.evaluation.measure import evaluate_rows
from covidct.evaluation.report_files import write_report
from covidct.evaluation.report_text import to_table
from covidct.evaluation.rows import UNKNOWN_SOURCE, choose_rows, plan_of
from covidct.inference.classifier import Classifier
from covidct.types import Precision


def run_evaluate(
    bundle: Path,
    data: Path,
    *,
    split: str,
    sources: Sequence[str],
    labels: tuple[Sequence[str], Sequence[str]],
    out: Path,
    prevalences: Sequence[float],
    precision: Precision,
) -> str:
    """Evaluate and write the report into `out`; returns the table for the terminal.

    `labels` are those that mean COVID-19 and something else, the bundle's where none are given. Raises
    ManifestError for a source or split that has no slice.
    """
    classifier = Classifier.load(bundle, precision=precision)
    plan = plan_of(classifier).with_labels(*labels)
    manifest, rows = choose_rows(classifier, data, plan, split=split, sources=sources)
    report = evaluate_rows(
        classifier, rows, plan, split=split, digest=manifest.digest, prevalences=prevalences
    )
    write_report(report, out)
    if any(row.source == UNNAMED for row in rows):
        click.echo(f"{UNKNOWN_SOURCE}: if it was, the figures are too good.", err=True)
    return to_table(report)
