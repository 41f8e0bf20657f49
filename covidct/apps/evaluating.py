"""`covidct evaluate`: a bundle against a manifest, as a table and a folder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from covidct.errors import BundleError, ManifestError
from covidct.pipeline import Classifier, Precision
from covidct.train.evaluate import write_report
from covidct.train.manifest import read_manifest, select_rows
from covidct.train.measure import evaluate_rows
from covidct.train.recipe import DataPlan, parse_recipe
from covidct.train.split import assign_splits
from covidct.train.tables import to_table


def run_evaluate(
    bundle: Path, data: Path, *, split: str, sources: Sequence[str], out: Path, precision: Precision
) -> str:
    """Evaluate and write the report into `out`; returns the table for the terminal.

    Rows without a split get the one that the bundle's own training plan gives them.
    """
    classifier = Classifier.load(bundle, precision=precision)
    manifest = read_manifest(data)
    plan = _plan_of(classifier)
    wanted = tuple(sources) or tuple(sorted({row.source for row in manifest.rows}))
    everything = DataPlan(**{**vars(plan), "sources": wanted})
    rows = [
        row for row in assign_splits(select_rows(manifest, everything), plan) if split in ("all", row.split)
    ]
    if not rows:
        raise ManifestError(
            f"{data}: no labelled slice of {', '.join(wanted)} is in split {split}; choose another"
        )
    report = evaluate_rows(classifier, rows, plan, split=split, digest=manifest.digest)
    write_report(report, out)
    return to_table(report)


def _plan_of(classifier: Classifier) -> DataPlan:
    """The data plan the bundle was trained by."""
    recipe = classifier.bundle.config.training.get("recipe")
    if recipe is None:
        raise BundleError(f"{classifier.bundle.path}: does not record its recipe; train it again")
    return parse_recipe(recipe, where=f"{classifier.bundle.path} (config.json)").data
