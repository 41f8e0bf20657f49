"""`covidct gate`: what a bundle refuses of a manifest, as a table."""

from __future__ import annotations

from pathlib import Path

from covidct.data.manifest import read_manifest
from covidct.data.recipe import Gating, parse_recipe
from covidct.errors import BundleError
from covidct.evaluation.rows import place_rows, plan_of
from covidct.inference.classifier import Classifier
from covidct.training.gate.figures import measure_gate, to_gate_table, write_gate_figures
from covidct.types import Precision


def run_gate(bundle: Path, data: Path, *, document: Path | None, precision: Precision) -> str:
    """Measure, and write `document`; returns the table. Raises BundleError for a bundle without a gate."""
    classifier = Classifier.load(bundle, precision=precision)
    if classifier.bundle.config.gate is None:
        raise BundleError(f"{bundle}: has no gate to measure; train it with [gate] views above 0")
    recipe = classifier.bundle.config.training.recipe
    gating = parse_recipe(recipe, where=str(bundle)).gate if recipe else Gating()
    manifest = read_manifest(data)
    plan = plan_of(classifier)
    known = [row for row in manifest.rows if row.label in plan.labels]
    placed = {row.path: row for row in place_rows(known, plan)}
    rows = [placed.get(row.path, row) for row in manifest.rows]
    figures = measure_gate(classifier, rows, gating)
    if document is not None:
        write_gate_figures(figures, document)
    return to_gate_table(figures)
