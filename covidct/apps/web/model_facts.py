"""A model as plain values for other programs: what it is, what it decides by, how it was measured.

Knows a verified bundle and what training records in it. Knows nothing of HTTP.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from covidct.inference.bundle import Bundle
from covidct.inference.config import Figures, Measured
from covidct.types import DISCLAIMER, Precision

METRICS = ("auc", "sensitivity", "specificity")
RANKING = ("auc",)  # what no calibration changes


def to_facts(bundle: Bundle, precision: Precision, *, min_probability: float | None = None) -> dict[str, Any]:
    """Name, labels, operating points and figures, as JSON values.

    `precision` names the graph that answers; `figures` are its own, overall and by source, each estimate with
    its 95 % interval, the number of slices it was measured on, and the reason where value or interval are
    None; of a bundle calibrated for a site the AUC alone, as all else was measured with the calibration that
    was. `external` are those of sources left out of training. Both are empty where the bundle records none.
    `prevalence` is the one that probabilities hold at, `min_probability` the lowest that the graph can give,
    None where nothing bounds it; `findings` and `series` are None where the configuration has none.
    """
    config = bundle.config
    return {
        "name": config.name,
        "version": config.version,
        "model": config.model,
        "precision": precision,
        "labels": asdict(config.labels),
        "prevalence": config.prevalence,
        "min_probability": min_probability,
        "operating_points": [asdict(point) for point in config.operating_points],
        "findings": asdict(config.findings) if config.findings else None,
        "series": asdict(config.series) if config.series else None,
        "headlines": bundle.headlines,
        "external": [
            {"source": one.source, "recipe": one.recipe, "auc": asdict(one.auc)}
            for one in config.training.external
        ],
        "figures": _to_figures(config.training.figures.get(precision), RANKING if config.site else METRICS),
        "disclaimer": DISCLAIMER,
    }


def _to_figures(figures: Figures | None, names: Sequence[str]) -> list[dict[str, Any]]:
    return [_to_section(section, figures.split, names) for section in figures.sections] if figures else []


def _to_section(section: Measured, split: str, names: Sequence[str]) -> dict[str, Any]:
    return {
        "name": section.name,
        "split": split,
        "slices": section.slices,
        "positives": section.positives,
        "patients": section.patients,
        "metrics": {name: asdict(section.metrics[name]) for name in names if name in section.metrics},
    }
