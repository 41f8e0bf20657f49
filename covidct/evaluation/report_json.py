"""A report as plain values, and back: for `evaluation.json`, and for `config.json`.

A bundle keeps the figures without paths and slices, so that a model card can be made again at any time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from covidct.errors import BundleError
from covidct.evaluation.operating_points import AtPoint, Worth
from covidct.evaluation.report import Protocol, Report
from covidct.evaluation.sections import Decisions, Section, Tally
from covidct.inference.config import parse_point
from covidct.stats.metrics import Confusion, Evaluation
from covidct.types import Estimate

SCHEMA = 2
INTERVALS = (
    "95 %: percentiles over resampled patients (slices where no patient is known), drawn within patients "
    "with and without COVID-19 slices; exact (Clopper-Pearson) over patients where every resample gives 0 or "
    "1; for the ECE as far as its bins move in 95 % of the resamples"
)


def to_json(report: Report) -> dict[str, Any]:
    """All of `evaluation.json`: the figures, how intervals are made, and the worst mistakes."""
    mistakes = [
        {
            "path": mistake.row.path,
            "source": mistake.row.source,
            "label": mistake.row.label,
            "probability": mistake.row.probability,
            "loss": mistake.loss,
            "wrong": mistake.wrong,
        }
        for mistake in report.mistakes
    ]
    return {"schema": SCHEMA, "intervals": INTERVALS, **to_figures(report), "mistakes": mistakes}


def to_figures(report: Report) -> dict[str, Any]:
    """The protocol and the figures of a report, overall and by source."""
    sections = (report.overall, *report.sources)
    return {"protocol": asdict(report.protocol), "sections": from_sections(sections)}


def from_sections(sections: Sequence[Section]) -> list[dict[str, Any]]:
    """Sections as plain values, without their slices."""
    return [
        {
            "name": section.name,
            "evaluation": asdict(section.evaluation),
            "decisions": asdict(section.decisions) if section.decisions else None,
            "patients": section.patients,
            "unidentified": section.unidentified,
            "points": [asdict(point) for point in section.points],
            "chance_ece": section.chance_ece,
            "notes": list(section.notes),
        }
        for section in sections
    ]


def parse_figures(table: Mapping[str, Any]) -> Report:
    """A report without slices. Raises BundleError for invalid values."""
    try:
        protocol = dict(table["protocol"])
        protocol["band"] = tuple(protocol["band"]) if protocol["band"] else None
        protocol["points"] = tuple(parse_point(point) for point in protocol["points"])
        protocol["prevalences"] = tuple(protocol["prevalences"])
        overall, *sources = parse_sections(table["sections"])
        return Report(Protocol(**protocol), overall, tuple(sources))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise BundleError(f"the bundle's figures cannot be read: {error!r}; train it again") from error


def parse_sections(table: Sequence[Mapping[str, Any]]) -> list[Section]:
    """Sections without slices. Raises KeyError and TypeError for invalid values."""
    return [
        Section(
            name=entry["name"],
            rows=(),
            evaluation=_parse_evaluation(entry["evaluation"]),
            decisions=_parse_decisions(entry["decisions"]) if entry["decisions"] else None,
            patients=entry["patients"],
            unidentified=entry["unidentified"],
            points=tuple(_parse_point(point) for point in entry["points"]),
            chance_ece=entry["chance_ece"],
            notes=tuple(entry["notes"]),
        )
        for entry in table
    ]


def _parse_point(table: Mapping[str, Any]) -> AtPoint:
    worths = (
        Worth(worth["prevalence"], Estimate(**worth["ppv"]), Estimate(**worth["npv"]))
        for worth in table["worths"]
    )
    figures = {name: Estimate(**values) for name, values in table["figures"].items()}
    return AtPoint(table["name"], figures, tuple(worths))


def _parse_evaluation(table: Mapping[str, Any]) -> Evaluation:
    return Evaluation(
        n=table["n"],
        positives=table["positives"],
        patients=table["patients"],
        confusion=Confusion(**table["confusion"]),
        metrics={name: Estimate(**values) for name, values in table["metrics"].items()},
    )


def _parse_decisions(table: Mapping[str, Any]) -> Decisions:
    tallies = {name: Tally(**table[name]) for name in ("positive", "negative", "indeterminate")}
    return Decisions(**tallies, decided=_parse_evaluation(table["decided"]))
