"""Results as text: JSON lines and CSV. One schema, `results/result.schema.json`, for all.

Knows words and columns. Knows nothing of where results come from or go to.
"""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from collections.abc import Iterable
from typing import Any

from covidct.inference.prevalence import predictive_values
from covidct.types import (
    AtPrevalence,
    Decision,
    Kind,
    ModelUsed,
    Opacity,
    OperatingPoint,
    Prediction,
    Result,
    SeriesSummary,
    Status,
)

# Raised whenever a field or a word is added, taken away or means something else: the schema is closed.
SCHEMA_VERSION = 5
DIGITS = 6
COLUMNS = (
    "kind",
    "path",
    "status",
    "decision",
    "probability",
    "finding",
    "opacity_probability",
    "extent",
    "prediction_set",
    "operating_point",
    "prevalence",
    "probability_at_prevalence",
    "ppv",
    "npv",
    "reason",
    "message",
    "model",
    "precision",
    "series_uid",
    "instance_uid",
    "slice_index",
    "heatmap",
    "series",
)
# What `series` becomes in CSV.
SERIES_COLUMNS = ("slices", "answered", "evidence_share", "telling", "notes")
CSV_COLUMNS = (*COLUMNS[:-1], *SERIES_COLUMNS)
FORMULAS = ("=", "+", "-", "@", "\t", "\r")  # how what a spreadsheet would work out begins


def to_record(result: Result) -> dict[str, Any]:
    """A result under the schema's names, as JSON values; probabilities to six digits."""
    values = {
        "kind": result.kind.value,
        "path": result.path,
        "status": result.status.value,
        **_to_prediction(result.prediction),
        "reason": result.reason.value if result.reason else None,
        "message": result.message,
        "model": result.model.name,
        "precision": result.model.precision,
        "series_uid": result.source.series_uid,
        "instance_uid": result.source.instance_uid,
        "slice_index": result.slice_index,
        "heatmap": result.heatmap,
        "series": _to_series(result.series) if result.series else None,
    }
    return {"schema_version": SCHEMA_VERSION} | values


def name_model(model: ModelUsed) -> str:
    """What answers, for people: the model with its version, and which of its graphs."""
    return f"{model.name}, {model.precision} graph"


def to_json_line(result: Result) -> str:
    """One line of JSON, without the line's end."""
    # ASCII only: a path that is no valid UTF-8 (surrogates) survives, and no terminal chokes.
    return json.dumps(to_record(result), ensure_ascii=True, allow_nan=False)


def csv_header() -> str:
    """The first line of the CSV form, without the line's end."""
    return _csv_line(["schema_version", *CSV_COLUMNS])


def to_csv_line(result: Result) -> str:
    """One line of CSV, without the line's end; the operating point by name, lists joined by `|`.

    Text that a spreadsheet would take for a formula begins with `'`.
    """
    record = to_record(result)
    point = record["operating_point"]
    record["operating_point"] = point["name"] if point else None
    summary = record.pop("series") or {}
    record |= {name: summary.get(name) for name in SERIES_COLUMNS}
    return _csv_line(
        "|".join(map(str, value)) if isinstance(value, list) else value for value in record.values()
    )


def to_worth_sentence(point: OperatingPoint, prevalence: float) -> str:
    """What the calls of an operating point's threshold would be worth at a prevalence."""
    values = predictive_values(point.sensitivity, point.specificity, prevalence=prevalence)
    ppv, npv = ("–" if value is None else f"{value:.1%}" for value in values)
    return (
        f"At a prevalence of {prevalence:g}, with sensitivity and specificity as measured: PPV {ppv} and "
        f"NPV {npv} at the threshold of {point.name} ({point.threshold:.3f}), indeterminate slices included."
    )


def to_summary(results: Counter[tuple[Kind, str]]) -> str:
    """A sentence that counts what was decided of slices, and one for series where there are any.

    `results` are counted by kind, and by decision or, without one, by status.
    """
    series = any(kind is Kind.SERIES for kind, _ in results)
    return " ".join(
        _to_count(results, kind) for kind in ((Kind.SLICE, Kind.SERIES) if series else (Kind.SLICE,))
    )


def _to_count(results: Counter[tuple[Kind, str]], kind: Kind) -> str:
    order = [*(item.value for item in Decision), Status.REFUSED.value, Status.ERROR.value]
    parts = [f"{results[kind, name]} {name}" for name in order if results[kind, name]]
    total = sum(count for (of, _), count in results.items() if of is kind)
    plural = "s" if kind is Kind.SLICE and total != 1 else ""
    return f"{total} {kind.value}{plural}: {', '.join(parts) or 'nothing to do'}."


def _to_prediction(prediction: Prediction | None) -> dict[str, Any]:
    if prediction is None:
        return dict.fromkeys(COLUMNS[COLUMNS.index("decision") : COLUMNS.index("reason")])
    return {
        "decision": prediction.decision.value,
        "probability": round(prediction.probability, DIGITS),
        **_to_opacity(prediction.opacity),
        "prediction_set": list(prediction.prediction_set),
        "operating_point": _to_point(prediction.operating_point),
        **_to_worth(prediction.at_prevalence),
    }


def _to_opacity(opacity: Opacity | None) -> dict[str, str | float | None]:
    """The three fields of the question whether there is an opacity, None where it was not asked."""
    if opacity is None:
        return dict.fromkeys(("finding", "opacity_probability", "extent"))
    return {
        "finding": opacity.finding.value if opacity.finding else None,
        "opacity_probability": _round(opacity.probability),
        "extent": round(opacity.extent, DIGITS),
    }


def _to_point(point: OperatingPoint) -> dict[str, Any]:
    return {
        "name": point.name,
        "threshold": round(point.threshold, DIGITS),
        "band": [round(end, DIGITS) for end in point.band],
        "sensitivity": round(point.sensitivity, DIGITS),
        "specificity": round(point.specificity, DIGITS),
        "alpha": [round(share, DIGITS) for share in point.alpha],
        "coverage": [round(share, DIGITS) for share in point.coverage],
    }


def _to_worth(worth: AtPrevalence | None) -> dict[str, float | None]:
    """The four fields of what an answer is worth at a prevalence, all None where none was asked for."""
    if worth is None:
        return dict.fromkeys(("prevalence", "probability_at_prevalence", "ppv", "npv"))
    return {
        "prevalence": worth.prevalence,
        "probability_at_prevalence": round(worth.probability, DIGITS),
        "ppv": _round(worth.ppv),
        "npv": _round(worth.npv),
    }


def _to_series(summary: SeriesSummary) -> dict[str, Any]:
    return {
        "slices": summary.slices,
        "answered": summary.answered,
        "evidence_share": _round(summary.evidence_share),
        "telling": list(summary.telling),
        "notes": [note.text for note in summary.notes],
        "note_codes": [{"code": note.code, "values": dict(note.values)} for note in summary.notes],
    }


def _round(value: float | None) -> float | None:
    return None if value is None else round(value, DIGITS)


def _csv_line(values: Iterable[Any]) -> str:
    buffer = io.StringIO()
    # Until Python 3.13 line ends inside a value are quoted only where they are the writer's own.
    writer = csv.writer(buffer, lineterminator="\r\n")
    writer.writerow([_to_plain(value) for value in values])
    return buffer.getvalue().removesuffix("\r\n")


def _to_plain(value: Any) -> Any:
    """A value as a cell: names of files are no formulas, whatever they begin with (`=1+2.png`)."""
    if isinstance(value, str) and value.startswith(FORMULAS):
        return f"'{value}"
    return "" if value is None else value
