from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import jsonschema
import numpy as np
import pytest

from covidct.audit.report.document import to_document
from covidct.audit.verdict import Audit, Check, Curve, Figure, Finding, Level
from covidct.types import Estimate
from exhibits import NASTY, make_audit
from places import ROOT

SCHEMA = json.loads((ROOT / "docs" / "reference" / "audit.schema.json").read_text(encoding="utf-8"))


def validate(document: Any) -> None:
    jsonschema.Draft202012Validator(SCHEMA).validate(document)


def check_document(**evidence: Any) -> dict[str, Any]:
    """The one check of a document, after JSON and back."""
    audit = Audit("m.csv", "0" * 64, 1, 0, (Check("one", "One", "It is so.", **evidence),))
    document = json.loads(json.dumps(to_document(audit), allow_nan=False))
    validate(document)
    return dict(document["checks"][0])


def test_the_schema_is_one() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


def test_everything_is_told_and_valid() -> None:
    audit = make_audit()
    document = json.loads(json.dumps(to_document(audit), allow_nan=False))
    validate(document)
    assert document["level"] == "fail"
    assert [check["level"] for check in document["checks"]] == [check.level.value for check in audit.checks]
    for check, told in zip(audit.checks, document["checks"], strict=True):
        for kind in ("findings", "figures", "tables", "curves", "pairs", "bars"):
            assert len(told[kind]) == len(getattr(check, kind)), kind


def test_all_files_are_listed_as_they_are() -> None:
    files = (*NASTY, *(f"{i}.png" for i in range(10_000)))
    told = check_document(findings=(Finding(Level.WARN, "Many.", files),))
    assert tuple(told["findings"][0]["files"]) == files


@pytest.mark.parametrize(
    ("estimate", "told"),
    [
        (Estimate(1 / 3, 0.25, 0.4, 9), (0.333333, 0.25, 0.4, None)),
        (Estimate(None, None, None, 9, "undefined: no slices"), (None, None, None, "undefined: no slices")),
        (Estimate(float("nan"), float("nan"), float("inf"), 9), (None, None, None, None)),
        (
            Estimate(float(np.float64(0.5)), None, None, 9, "no interval"),
            (0.5, None, None, "no interval"),
        ),
    ],
)
def test_estimates(estimate: Estimate, told: tuple[Any, ...]) -> None:
    figure = check_document(figures=(Figure("Border", "AUC", estimate),))["figures"][0]
    assert tuple(figure[name] for name in ("value", "low", "high", "reason")) == told
    assert figure["n"] == 9


def test_curves_hold_no_nan() -> None:
    curve = Curve("border", np.array([0, 1 / 3, np.nan, 1]), np.array([0, 2 / 3, 0.8, 1]))
    assert check_document(curves=(curve,))["curves"] == [
        {"name": "border", "x": [0, 0.333333, 1], "y": [0, 0.666667, 1]}
    ]


def test_an_audit_without_checks() -> None:
    validate(to_document(replace(make_audit(), checks=())))


@pytest.mark.parametrize(
    ("name", "value"),
    [("format", 2), ("level", "red"), ("slices", -1), ("checks", None), ("extra", 1)],
)
def test_the_schema_refuses(name: str, value: object) -> None:
    with pytest.raises(jsonschema.ValidationError):
        validate(to_document(make_audit()) | {name: value})
