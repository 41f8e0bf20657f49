"""`report.html` of a run: what is to be shown is measured and drawn, and the page written."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import click

from covidct.audit.verdict import Audit
from covidct.data.lock import LOCKED, read_lock
from covidct.data.manifest import Manifest, Row
from covidct.data.recipe import Recipe
from covidct.data.slice_store import Read
from covidct.data.split import count_splits
from covidct.evaluation.measure import evaluate_rows
from covidct.evaluation.report import Report
from covidct.evaluation.report_files import write_report
from covidct.evaluation.report_json import parse_figures
from covidct.images.files import write_beside
from covidct.images.read import read_slice
from covidct.inference.classifier import Classifier
from covidct.inference.config import CONFIG
from covidct.training.report.page import Story, to_page
from covidct.training.report.sheet import draw_sheet
from covidct.training.report.trust import to_headline

PAGE = "report.html"


def write_page(
    out: Path,
    manifest: Manifest,
    recipe: Recipe,
    *,
    rows: Sequence[Row],
    audited: Audit,
    read: Read = read_slice,
) -> Path:
    """Measure the bundle under `out` on `test`, into `out/test`, and write the page; returns its path.

    Its headline goes to standard error, too.

    A `test` split that is locked is not looked at: `covidct evaluate` does that, and counts it.
    """
    classifier = Classifier.load(out / "bundle")
    config = json.loads((out / "bundle" / CONFIG).read_text(encoding="utf-8"))
    story = Story(
        recipe=recipe,
        subject=manifest.path.name,
        splits=_count(rows, recipe),
        audit=audited,
        tune=parse_figures(config["training"]["figures"]["float"]),
        test=_measure(classifier, manifest, recipe, rows=rows, out=out / LOCKED, read=read),
        sheet=draw_sheet(rows, recipe, read=read),
        folder=out,
        has_ids=any(row.patient_id for row in rows),
    )
    click.echo(to_headline(story.tune, story.test), err=True)
    text = to_page(story)
    write_beside(out / PAGE, lambda partial: partial.write_text(text, encoding="utf-8"))
    return out / PAGE


def _measure(
    classifier: Classifier,
    manifest: Manifest,
    recipe: Recipe,
    *,
    rows: Sequence[Row],
    out: Path,
    read: Read,
) -> Report | None:
    """The report on `test`, None where there is no such slice or the split is locked."""
    tested = [row for row in rows if row.split == LOCKED]
    if not tested or read_lock(manifest.path) is not None:
        return None
    report = evaluate_rows(classifier, tested, recipe.data, split=LOCKED, digest=manifest.digest, read=read)
    write_report(report, out)
    return report


def _count(rows: Sequence[Row], recipe: Recipe) -> dict[str, tuple[int, int]]:
    counts = {
        split: [sum(pair[at] for pair in by.values()) for at in (0, 1)]
        for split, by in count_splits(rows, recipe.data).items()
    }
    return {split: (counts[split][0], counts[split][1]) for split in counts}
