"""Results as text: JSON lines, CSV, a table. One schema, `docs/result.schema.json`, for all.

Knows words and columns. Knows nothing of where results come from or go to.
"""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from collections.abc import Iterable
from typing import Any

from covidct.types import Decision, OperatingPoint, Result, Status

SCHEMA_VERSION = 1
DIGITS = 6
DISCLAIMER = "Research use only; not a medical device."
COLUMNS = (
    "kind",
    "path",
    "status",
    "decision",
    "probability",
    "prediction_set",
    "operating_point",
    "reason",
    "message",
    "model",
    "series_uid",
    "slice_index",
    "heatmap",
)


def to_record(result: Result) -> dict[str, Any]:
    """A result under the schema's names, as JSON values; probabilities to six digits."""
    point = result.operating_point
    values = {
        "kind": result.kind.value,
        "path": result.path,
        "status": result.status.value,
        "decision": result.decision.value if result.decision else None,
        "probability": None if result.probability is None else round(result.probability, DIGITS),
        "prediction_set": list(result.prediction_set) if result.prediction_set is not None else None,
        "operating_point": _to_point(point) if point else None,
        "reason": result.reason.value if result.reason else None,
        "message": result.message,
        "model": result.model,
        "series_uid": result.series_uid,
        "slice_index": result.slice_index,
        "heatmap": result.heatmap,
    }
    return {"schema_version": SCHEMA_VERSION} | values


def to_json_line(result: Result) -> str:
    """One line of JSON, without the line's end."""
    # ASCII only: a path that is no valid UTF-8 (surrogates) survives, and no terminal chokes.
    return json.dumps(to_record(result), ensure_ascii=True, allow_nan=False)


def csv_header() -> str:
    """The first line of the CSV form, without the line's end."""
    return _csv_line(["schema_version", *COLUMNS])


def to_csv_line(result: Result) -> str:
    """One line of CSV, without the line's end; the operating point by name, sets joined by `|`."""
    record = to_record(result)
    point, labels = record["operating_point"], record["prediction_set"]
    record["operating_point"] = point["name"] if point else None
    record["prediction_set"] = "|".join(labels) if labels else None
    return _csv_line(record.values())


def table_header() -> str:
    """The first line of the table."""
    return f"{'decision':<14}{'probability':>12}   slice"


def to_table_line(result: Result) -> str:
    """One line for people: decision (or why there is none), probability, path or message."""
    what = result.decision.value if result.decision else result.status.value
    probability = f"{result.probability:.3f}" if result.probability is not None else "-"
    return f"{what:<14}{probability:>12}   {_one_line(result.message or result.path)}"


def to_summary(results: Counter[str]) -> str:
    """One sentence that counts what was decided; `results` by decision or, without one, by status."""
    order = [*(item.value for item in Decision), Status.REFUSED.value, Status.ERROR.value]
    parts = [f"{results[name]} {name}" for name in order if results[name]]
    total = sum(results.values())
    return f"{total} slice{'' if total == 1 else 's'}: {', '.join(parts) or 'nothing to do'}."


def _to_point(point: OperatingPoint) -> dict[str, Any]:
    return {
        "name": point.name,
        "threshold": round(point.threshold, DIGITS),
        "band": [round(end, DIGITS) for end in point.band],
        "sensitivity": round(point.sensitivity, DIGITS),
        "specificity": round(point.specificity, DIGITS),
    }


def _csv_line(values: Iterable[Any]) -> str:
    buffer = io.StringIO()
    # Until Python 3.13 line ends inside a value are quoted only where they are the writer's own.
    writer = csv.writer(buffer, lineterminator="\r\n")
    writer.writerow(["" if value is None else value for value in values])
    return buffer.getvalue().removesuffix("\r\n")


def _one_line(text: str) -> str:
    """Control characters in file names must not move a terminal's cursor."""
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text)
