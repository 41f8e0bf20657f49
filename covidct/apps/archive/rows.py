"""Results -> rows of the Parquet table: the columns of the CSV form, and the group that a row is of.

Lists stay lists. Knows types. Knows nothing of files.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pyarrow as pa

from covidct.results.formats import CSV_COLUMNS, SERIES_COLUMNS, to_record
from covidct.types import Result

_FLOATS = frozenset(
    (
        *("probability", "opacity_probability", "extent", "prevalence", "probability_at_prevalence"),
        *("ppv", "npv", "evidence_share"),
    )
)
_WHOLES = frozenset(("schema_version", "slice_index", "slices", "answered"))
_LISTS = {
    "prediction_set": pa.list_(pa.string()),
    "telling": pa.list_(pa.int32()),
    "notes": pa.list_(pa.string()),
}


def _to_type(name: str) -> pa.DataType:
    if name in _FLOATS:
        return pa.float64()
    return pa.int32() if name in _WHOLES else _LISTS.get(name, pa.string())


SCHEMA = pa.schema([(name, _to_type(name)) for name in ("schema_version", *CSV_COLUMNS, "group")])


def to_row(result: Result, group: str) -> dict[str, Any]:
    """One result as a row."""
    record = to_record(result)
    point, series = record["operating_point"], record.pop("series") or {}
    record["operating_point"] = point["name"] if point else None
    record |= {name: series.get(name) for name in SERIES_COLUMNS} | {"group": group}
    return {name: _to_text(value) for name, value in record.items()}


def to_table(rows: Iterable[dict[str, Any]]) -> pa.Table:
    """Rows as a table."""
    return pa.Table.from_pylist(list(rows), SCHEMA)


def _to_text(value: Any) -> Any:
    """A value; text as Parquet takes it, which names of files need not be."""
    return value.encode("utf-8", "backslashreplace").decode() if isinstance(value, str) else value
