"""An audit as JSON values: everything found, all files listed. Schema: `docs/reference/audit.schema.json`.

Knows names and numbers. Knows nothing of where the document goes.
"""

from __future__ import annotations

from math import isfinite
from typing import Any

from covidct import __version__
from covidct.audit.verdict import Audit, Bars, Check, Curve, Figure, Finding, Pair, Table

FORMAT = 1
DIGITS = 6


def to_document(audit: Audit) -> dict[str, Any]:
    """The audit under the schema's names, as JSON values: numbers to six digits, what is undefined as None.

    Paths stay as they are. Those that are no valid UTF-8 hold surrogates, which only `ensure_ascii=True`
    (the default of `json.dumps`) can write.
    """
    return {
        "format": FORMAT,
        "covidct": __version__,
        "subject": audit.subject,
        "digest": audit.digest,
        "slices": int(audit.slices),
        "positives": int(audit.positives),
        "level": audit.level.value,
        "checks": [_to_check(check) for check in audit.checks],
    }


def _to_check(check: Check) -> dict[str, Any]:
    return {
        "name": check.name,
        "title": check.title,
        "level": check.level.value,
        "headline": check.headline,
        "advice": check.advice,
        "findings": [_to_finding(finding) for finding in check.findings],
        "figures": [_to_figure(figure) for figure in check.figures],
        "tables": [_to_table(table) for table in check.tables],
        "curves": [_to_curve(curve) for curve in check.curves],
        "pairs": [_to_pair(pair) for pair in check.pairs],
        "bars": [_to_bars(bars) for bars in check.bars],
    }


def _to_finding(finding: Finding) -> dict[str, Any]:
    return {"level": finding.level.value, "text": finding.text, "files": list(finding.files)}


def _to_figure(figure: Figure) -> dict[str, Any]:
    estimate = figure.estimate
    return {
        "name": figure.name,
        "unit": figure.unit,
        "value": _to_number(estimate.value),
        "low": _to_number(estimate.low),
        "high": _to_number(estimate.high),
        "n": int(estimate.n),
        "reason": estimate.reason,
    }


def _to_table(table: Table) -> dict[str, Any]:
    return {"title": table.title, "head": list(table.head), "rows": [list(row) for row in table.rows]}


def _to_curve(curve: Curve) -> dict[str, Any]:
    points = [
        (float(x), float(y)) for x, y in zip(curve.x, curve.y, strict=True) if isfinite(x) and isfinite(y)
    ]
    return {
        "name": curve.name,
        "x": [round(x, DIGITS) for x, _ in points],
        "y": [round(y, DIGITS) for _, y in points],
    }


def _to_pair(pair: Pair) -> dict[str, Any]:
    return {
        "first": pair.first,
        "second": pair.second,
        "captions": list(pair.captions),
        "text": pair.text,
    }


def _to_bars(bars: Bars) -> dict[str, Any]:
    counts = [[int(count) for count in pair] for pair in bars.counts]
    return {"title": bars.title, "names": list(bars.names), "counts": counts}


def _to_number(value: float | None) -> float | None:
    """JSON has no NaN."""
    return None if value is None or not isfinite(value) else round(float(value), DIGITS)
