"""A model as plain values for other programs: what it is, what it decides by, how it was measured.

Knows a verified bundle and what training records in it. Knows nothing of HTTP.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from covidct.inference.bundle import Bundle
from covidct.inference.headlines import to_abroad, to_headlines
from covidct.types import DISCLAIMER, Precision

METRICS = ("auc", "sensitivity", "specificity")
RANKING = ("auc",)  # what no calibration changes
ESTIMATE = ("value", "low", "high", "n", "reason")


def to_facts(bundle: Bundle, precision: Precision, *, least: float | None = None) -> dict[str, Any]:
    """Name, labels, operating points and figures, as JSON values.

    `precision` names the graph that answers; `figures` are its own, overall and by source, each estimate with
    its 95 % interval, the number of slices it was measured on, and the reason where value or interval are
    None; empty where the bundle records none, and of a bundle calibrated for a site the AUC alone, as all
    else was measured with the calibration that was. `prevalence` is the one that probabilities hold at,
    `least` the least of them that the graph can give, None where nothing bounds it.
    """
    config = bundle.config
    return {
        "name": config.name,
        "version": config.version,
        "model": config.model,
        "precision": precision,
        "labels": asdict(config.labels),
        "prevalence": config.prevalence,
        "least_probability": least,
        "operating_points": [asdict(point) for point in config.operating_points],
        "headlines": to_headlines(bundle),
        "abroad": to_abroad(bundle),
        "figures": _to_figures(config.training, precision, RANKING if config.site else METRICS),
        "disclaimer": DISCLAIMER,
    }


def _to_figures(
    training: Mapping[str, Any], precision: Precision, names: Sequence[str]
) -> list[dict[str, Any]]:
    report = training.get("figures", {}).get(precision, {})
    sections = report.get("sections", ())
    return [_to_section(section, report["protocol"]["split"], names) for section in sections]


def _to_section(section: Mapping[str, Any], split: str, names: Sequence[str]) -> dict[str, Any]:
    evaluation = section["evaluation"]
    measured = {
        name: {part: evaluation["metrics"][name][part] for part in ESTIMATE}
        for name in names
        if name in evaluation["metrics"]
    }
    return {
        "name": section["name"],
        "split": split,
        "slices": evaluation["n"],
        "positives": evaluation["positives"],
        "patients": section["patients"],
        "metrics": measured,
    }
