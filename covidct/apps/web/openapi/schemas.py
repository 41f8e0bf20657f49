"""The API's JSON as JSON Schema (2020-12), by name: for the OpenAPI document.

Knows the shapes. The result's own is `result.schema.json`, the one of files and of the command line.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import covidct

Json = dict[str, Any]
SCHEMA = Path(covidct.__file__).parent / "results" / "result.schema.json"
JOB_ID = {"type": "string", "pattern": r"^[A-Za-z0-9_-]{24}$"}
TEXT: Json = {"type": "string"}
COUNT: Json = {"type": "integer", "minimum": 0}
NUMBER: Json = {"type": "number"}
OPTIONAL: Json = {"type": ["string", "null"]}
SHARE: Json = {"type": ["number", "null"], "minimum": 0, "maximum": 1}
ABOUT_SERIES = ("study_uid", "series_uid", "study_date", "series_description")
STATES = ("queued", "running", "done", "failed", "cancelled")


def to_schemas() -> dict[str, Json]:
    """All of them."""
    result = json.loads(SCHEMA.read_text(encoding="utf-8"))
    return {
        # Inside a document it has another place, and no name of its own.
        "Result": {name: value for name, value in result.items() if not name.startswith("$")},
        "Job": _to_job(),
        "Evidence": _to_evidence(),
        "About": _to_about(),
        "Geometry": _to_geometry(),
        "Model": _to_model(result["properties"]["operating_point"], result["properties"]["precision"]),
        "Status": object_of(status=TEXT),
        "Problem": object_of(type=TEXT, title=TEXT, status=COUNT, detail=TEXT),
    }


def _to_job() -> Json:
    return object_of(
        id=JOB_ID,
        state={"type": "string", "enum": list(STATES)},
        done=COUNT | {"description": "Results so far."},
        total=COUNT | {"description": "Results to expect; may rise while archives are unpacked."},
        skipped=COUNT | {"description": "Files in archives that were skipped: not named like slices."},
        results_url=TEXT,
        message={"type": ["string", "null"], "description": "Why it failed."},
    )


def _to_evidence() -> Json:
    return object_of(
        width=COUNT,
        height=COUNT,
        map=array_of(array_of(NUMBER))
        | {"description": "Rows of cells; mean + bias = logit (of opacity, where it is asked for)."},
        box=array_of(NUMBER)
        | {"minItems": 4, "maxItems": 4, "description": "Left, top, right, bottom; in [0, 1] of the slice."},
        bias=NUMBER,
    )


def _to_about() -> Json:
    series = object_of(**dict.fromkeys(ABOUT_SERIES, OPTIONAL))
    return object_of(
        picture={"type": "boolean", "description": "Whether there is a slice to show."},
        turned={
            "type": "boolean",
            "description": "Whether the slice looks turned by 90 degrees or upside down.",
        },
        position_mm={"type": ["number", "null"], "description": "Along the series, towards the head."},
        series=series | {"type": ["object", "null"], "description": "DICOM's words; null for slices."},
    )


def _to_geometry() -> Json:
    turn = object_of(**{key: {"type": "boolean"} for key in ("transpose", "flip_rows", "flip_columns")})
    spacing = array_of(NUMBER) | {"minItems": 2, "maxItems": 2, "description": "Of rows and columns."}
    return object_of(
        spacing_mm=spacing | {"type": ["array", "null"]},
        turn=turn
        | {
            "type": ["object", "null"],
            "description": "To show the slice as usual, transpose it, then mirror it.",
        },
    )


def _to_model(point: Json, precision: Json) -> Json:
    estimate = object_of(value=SHARE, low=SHARE, high=SHARE, n=COUNT, reason={"type": ["string", "null"]})
    section = object_of(
        name=TEXT,
        split=TEXT,
        slices=COUNT,
        positives=COUNT,
        patients=COUNT,
        metrics={"type": "object", "additionalProperties": estimate},
    )
    cutoffs = object_of(
        temperature=NUMBER,
        shift=NUMBER,
        opacity=NUMBER | {"description": "From this probability on, there is an opacity."},
        typical=array_of(NUMBER)
        | {"minItems": 2, "maxItems": 2, "description": "Logits: atypical below, typical from there on."},
    )
    series = object_of(
        temperature=NUMBER, shift=NUMBER, operating_points=array_of(point), findings=nullable(cutoffs)
    )
    return object_of(
        name=TEXT,
        version=TEXT,
        model=TEXT,
        precision=precision,
        labels=object_of(positive=TEXT, negative=TEXT),
        prevalence=NUMBER | {"description": "The prevalence that probabilities assume."},
        min_probability=SHARE | {"description": "No probability is lower; null if there is no such bound."},
        operating_points=array_of(point),
        findings=nullable(cutoffs) | {"description": "Cut-offs for findings of slices; null if none."},
        series=nullable(series) | {"description": "Operating points of series; null: those of slices."},
        headlines=array_of(TEXT),
        external=array_of(object_of(source=TEXT, recipe=TEXT, auc=estimate)),
        figures=array_of(section),
        disclaimer=TEXT,
        limits=object_of(body_bytes=COUNT, files=COUNT, keep_seconds=NUMBER),
    )


def object_of(**properties: Json) -> Json:
    """An object that has all of these and nothing else."""
    return {
        "type": "object",
        "required": list(properties),
        "properties": properties,
        "additionalProperties": False,
    }


def array_of(items: Json) -> Json:
    """Any number of these."""
    return {"type": "array", "items": items}


def nullable(schema: Json) -> Json:
    """An object of this schema, or null."""
    return schema | {"type": ["object", "null"]}


def named(name: str) -> Json:
    """One of these schemas, by name."""
    return {"$ref": f"#/components/schemas/{name}"}
