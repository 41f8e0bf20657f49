"""A calibration before and after, for readers: table and sentences, for the terminal and the model card.

Knows comparisons. Knows nothing of how they were measured, nor of bundles.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from covidct.evaluation.calibration.site import ABOUT, Comparison, Difference, Figures
from covidct.types import Estimate

HEAD = ("", "before", "after")
TITLES = {
    "sensitivity": "sensitivity",
    "specificity": "specificity",
    "coverage_positive": "covered, COVID-19",
    "coverage_negative": "covered, other",
    "indeterminate": "indeterminate",
}
# With fewer patients with COVID-19 than this no set that may miss 5 % can leave COVID-19 out.
SENSITIVE_PATIENTS = 19


def to_rows(comparison: Comparison) -> list[tuple[str, str, str]]:
    """Name, before and after of every figure; a point that was not there before has none."""
    before, after = comparison.before, comparison.after
    rows = [
        ("ECE", before.ece.to_text(), after.ece.to_text()),
        ("Brier score", before.brier.to_text(3), after.brier.to_text(3)),
    ]
    for point, figures in after.points.items():
        old = before.points.get(point, {})
        rows += [
            (f"{point}: {TITLES[name]}", old[name].to_text() if old else "–", figures[name].to_text())
            for name in ABOUT
        ]
    return rows


def to_text(comparison: Comparison) -> str:
    """The table for a terminal, less than 100 columns wide."""
    rows = [HEAD, *to_rows(comparison)]
    return "\n".join(f"{name:36}{before:20}{after}".rstrip() for name, before, after in rows)


def to_verdict(comparison: Comparison) -> list[str]:
    """What the table means, in sentences."""
    brier, accuracy, first = comparison.brier, comparison.accuracy, next(iter(comparison.before.points))
    sentences = [
        f"Probabilities are {_judge(-brier.value, -brier.high, -brier.low)}: Brier score "
        f"{brier.value:+.3f} ({brier.low:+.3f} to {brier.high:+.3f}).",
        f"Calls at the threshold of {first} are {_judge(accuracy.value, accuracy.low, accuracy.high)}: "
        f"balanced accuracy {accuracy.value:+.3f} ({accuracy.low:+.3f} to {accuracy.high:+.3f}), "
        f"{_tell_change(comparison, first, 'sensitivity')}, "
        f"{_tell_change(comparison, first, 'specificity')}.",
        f"The ranking stays as it is: AUC {comparison.auc.to_text()}.",
    ]
    if comparison.auc.low is not None and comparison.auc.low <= 0.5:
        sentences.append("That may be chance, which no calibration repairs: do not use this model here.")
    if comparison.chance_ece is not None:
        sentences.append(
            f"Perfect probabilities would show an ECE of {comparison.chance_ece:.2f} on as many independent "
            "slices."
        )
    if comparison.patients[0] < SENSITIVE_PATIENTS:
        sentences.append(
            f"With fewer than {SENSITIVE_PATIENTS} patients with COVID-19, high_sensitivity never rules "
            "COVID-19 out."
        )
    return sentences


def parse_comparison(table: Mapping[str, Any]) -> Comparison:
    """A comparison from the plain values of `dataclasses.asdict`. Raises KeyError and TypeError."""
    return Comparison(
        slices=tuple(table["slices"]),
        patients=tuple(table["patients"]),
        auc=Estimate(**table["auc"]),
        chance_ece=table["chance_ece"],
        before=_parse_figures(table["before"]),
        after=_parse_figures(table["after"]),
        brier=Difference(**table["brier"]),
        accuracy=Difference(**table["accuracy"]),
    )


def _parse_figures(table: Mapping[str, Any]) -> Figures:
    points = {
        point: {name: Estimate(**values) for name, values in figures.items()}
        for point, figures in table["points"].items()
    }
    return Figures(Estimate(**table["ece"]), Estimate(**table["brier"]), points)


def _tell_change(comparison: Comparison, point: str, name: str) -> str:
    """A figure before and after."""
    sets = (comparison.before.points, comparison.after.points)
    before, after = (points[point][name].to_text() if point in points else "–" for points in sets)
    return f"{name} from {before} to {after}"


def _judge(gain: float, low: float, high: float) -> str:
    """What a gain with its interval says."""
    if low > 0:
        return "better"
    if high < 0:
        return "worse"
    # One that may be chance is no gain.
    return "not shown to be better" if gain > 0 else "not better"
