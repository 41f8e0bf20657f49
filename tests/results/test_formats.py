from __future__ import annotations

import csv
import io
import json
from collections import Counter
from dataclasses import replace
from enum import StrEnum
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from covidct.results.formats import (
    COLUMNS,
    CSV_COLUMNS,
    csv_header,
    to_csv_line,
    to_json_line,
    to_record,
    to_summary,
    to_worth_sentence,
)
from covidct.types import (
    AtPrevalence,
    Decision,
    Finding,
    Kind,
    ModelUsed,
    Note,
    Opacity,
    OperatingPoint,
    Prediction,
    Reason,
    Refusal,
    Result,
    SeriesSummary,
    Source,
    Status,
)
from figures.predictions import with_prediction
from places import ROOT

SCHEMA = json.loads((ROOT / "docs" / "reference" / "result.schema.json").read_text(encoding="utf-8"))
POINT = OperatingPoint("balanced", 1 / 3, (0.25, 0.4), 0.9, 0.8, (0.1, 0.1), (0.95, 2 / 3))
MODEL_USED = ModelUsed("tiny-1.2.3", "float")
WORTH = AtPrevalence(prevalence=1e-7, probability=1 / 3, ppv=None, npv=2 / 3)


def answered(
    source: Source, decision: Decision, probability: float, plausible: tuple[str, ...], **more: Any
) -> Result:
    return Result(source, Status.OK, Prediction(decision, probability, plausible, POINT), MODEL_USED, **more)


def refused(path: str, reason: Reason, message: str, *, status: Status = Status.REFUSED) -> Result:
    return Result(Source(path), status, Refusal(reason, message), MODEL_USED)


def shifted(result: Result, **values: float) -> Result:
    """With what it is worth at a prevalence."""
    return with_prediction(result, at_prevalence=replace(WORTH, **values))


POSITIVE = answered(Source("a/b.png"), Decision.POSITIVE, 2 / 3, ("covid",), heatmap="maps/b.png")
INDETERMINATE = answered(
    Source("c.dcm", "1.2.3", "1.2.3.4"), Decision.INDETERMINATE, 0.3, ("covid", "non-covid"), slice_index=0
)
NEGATIVE = answered(Source("d.png"), Decision.NEGATIVE, 0.0, ("non-covid",))
REFUSED = refused("e.png", Reason.BLANK, "e.png: one grey level")
ERROR = replace(
    refused("f.png", Reason.UNREADABLE, "f.png: empty", status=Status.ERROR),
    model=ModelUsed("tiny-1.2.3", "int8"),
)
TYPICAL = replace(
    with_prediction(POSITIVE, opacity=Opacity(3.0, 2.0, 1 / 3, 0.2, 2 / 3, Finding.TYPICAL)),
    source=Source("h.png"),
)
WITHOUT_CUTOFFS = replace(with_prediction(POSITIVE, opacity=Opacity(3.0, 2.0, 0.0)), source=Source("i.png"))
SHIFTED = replace(shifted(POSITIVE), source=Source("g.png"))
SERIES = replace(
    NEGATIVE,
    source=Source("study", "1.2.3"),
    series=SeriesSummary(
        slices=300,
        answered=3,
        evidence_share=1 / 3,
        telling=(7, 0),
        notes=(Note("gaps", "a gap", {"n": 1, "usual": 2.5}), Note("twice", "b")),
    ),
)
CHOSEN_ANOTHER = replace(
    REFUSED,
    answer=Refusal(Reason.NOT_CHOSEN, "e.png: another"),
    series=SeriesSummary(slices=2, answered=0),
)
ALL = (
    POSITIVE,
    INDETERMINATE,
    NEGATIVE,
    REFUSED,
    ERROR,
    TYPICAL,
    WITHOUT_CUTOFFS,
    SHIFTED,
    SERIES,
    CHOSEN_ANOTHER,
)


def named(path: str) -> Result:
    return refused(path, Reason.UNREADABLE, f"{path}: bad", status=Status.ERROR)


def check(record: Any) -> None:
    jsonschema.Draft202012Validator(SCHEMA).validate(record)


def test_the_schema_is_one() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("result", ALL, ids=lambda result: result.path)
def test_every_kind_of_result_is_valid(result: Result) -> None:
    record = to_record(result)
    check(record)
    assert json.loads(to_json_line(result)) == record


@pytest.mark.parametrize("reason", [Reason.TOO_SMALL, Reason.BLANK])
def test_every_refusal_is_valid(reason: Reason) -> None:
    check(to_record(refused("x", reason, "x: no")))


@pytest.mark.parametrize(
    "record",
    [
        to_record(POSITIVE) | {"decision": None},
        to_record(ERROR) | {"reason": None, "message": None},
        to_record(ERROR) | {"probability": 0.5},
        to_record(REFUSED) | {"prevalence": 0.5},
        to_record(shifted(POSITIVE, prevalence=0.0)),
        to_record(shifted(POSITIVE, probability=1.5)),
        to_record(TYPICAL) | {"finding": None},
        to_record(TYPICAL) | {"opacity_probability": None},
        to_record(TYPICAL) | {"finding": "positive"},
        to_record(TYPICAL) | {"extent": 1.5},
        to_record(REFUSED) | {"extent": 0.0},
        to_record(REFUSED) | {"finding": "negative", "opacity_probability": 0.1, "extent": 0.0},
        to_record(SERIES) | {"series": None},
        to_record(SERIES) | {"slice_index": 0},
        to_record(SERIES) | {"kind": "slice"},
        to_record(replace(SERIES, series=SeriesSummary(slices=1, answered=1, evidence_share=2.0))),
    ],
)
def test_the_schema_is_strict(record: Any) -> None:
    with pytest.raises(jsonschema.ValidationError):
        check(record)


@pytest.mark.parametrize(
    ("key", "words", "nullable"),
    [
        ("kind", Kind, False),
        ("status", Status, False),
        ("decision", Decision, True),
        ("finding", Finding, True),
        ("reason", Reason, True),
    ],
)
def test_the_words_are_those_of_the_types(key: str, words: type[StrEnum], nullable: bool) -> None:
    assert set(SCHEMA["properties"][key]["enum"]) == {word.value for word in words} | (
        {None} if nullable else set()
    )


def test_the_columns_are_those_of_the_schema() -> None:
    assert ["schema_version", *COLUMNS] == list(to_record(POSITIVE))
    assert set(SCHEMA["required"]) == set(SCHEMA["properties"]) == {"schema_version", *COLUMNS}


def test_a_record_in_full() -> None:
    assert to_record(POSITIVE) == {
        "schema_version": 5,
        "kind": "slice",
        "path": "a/b.png",
        "status": "ok",
        "decision": "positive",
        "probability": 0.666667,
        "finding": None,
        "opacity_probability": None,
        "extent": None,
        "prediction_set": ["covid"],
        "operating_point": {
            "name": "balanced",
            "threshold": 0.333333,
            "band": [0.25, 0.4],
            "sensitivity": 0.9,
            "specificity": 0.8,
            "alpha": [0.1, 0.1],
            "coverage": [0.95, 0.666667],
        },
        "prevalence": None,
        "probability_at_prevalence": None,
        "ppv": None,
        "npv": None,
        "reason": None,
        "message": None,
        "model": "tiny-1.2.3",
        "precision": "float",
        "series_uid": None,
        "instance_uid": None,
        "slice_index": None,
        "heatmap": "maps/b.png",
        "series": None,
    }


def test_a_record_of_two_questions() -> None:
    keys = ("finding", "opacity_probability", "extent")
    assert [to_record(TYPICAL)[key] for key in keys] == ["typical", 0.666667, 0.333333]
    assert [to_record(WITHOUT_CUTOFFS)[key] for key in keys] == [None, None, 0.0]
    assert to_csv_line(TYPICAL).split(",")[4:9] == ["positive", "0.666667", "typical", "0.666667", "0.333333"]


@given(st.text(st.characters(exclude_categories=()), max_size=30))
def test_any_path_survives_json(path: str) -> None:
    line = to_json_line(named(path))
    assert line.isascii()
    assert line.isprintable()
    assert json.loads(line)["path"] == path


def test_json_has_no_nan() -> None:
    with pytest.raises(ValueError, match="JSON"):
        to_json_line(answered(Source("x"), Decision.POSITIVE, float("nan"), ()))


def as_cell(text: str) -> str:
    """As it stands in a CSV: no formula."""
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text


@pytest.mark.parametrize("name", ['=HYPERLINK("http://x")', "+1", "-1+2.png", "@x", "\tx", "\r=1", "a=1.png"])
def test_no_name_is_a_formula(name: str) -> None:
    text = f"{csv_header()}\r\n{to_csv_line(named(name))}\r\n"
    (row,) = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    assert row["path"] == (f"'{name}" if name != "a=1.png" else name)


@given(st.lists(st.text(st.characters(codec="utf-8"), max_size=20), max_size=4))
def test_csv_reads_back(paths: list[str]) -> None:
    results = [*ALL, *map(named, paths)]
    text = "\n".join([csv_header(), *map(to_csv_line, results)]) + "\n"
    rows = list(csv.DictReader(io.StringIO(text, newline=""), strict=True))
    assert [row["path"] for row in rows] == [as_cell(result.path) for result in results]
    assert [row["message"] for row in rows] == [as_cell(result.message or "") for result in results]
    assert [row["status"] for row in rows] == [result.status for result in results]
    assert {len(row) for row in rows} == {1 + len(CSV_COLUMNS)}


def test_a_csv_row_in_full() -> None:
    assert csv_header() == ",".join(["schema_version", *CSV_COLUMNS])
    wanted = (
        "5,slice,c.dcm,ok,indeterminate,0.3,,,,covid|non-covid,balanced,,,,,near_threshold,,tiny-1.2.3,float,"
        "1.2.3,1.2.3.4,0,,,,,,"
    )
    assert to_csv_line(INDETERMINATE) == wanted


def test_a_series_in_full() -> None:
    assert to_record(SERIES)["series"] == {
        "slices": 300,
        "answered": 3,
        "evidence_share": 0.333333,
        "telling": [7, 0],
        "notes": ["a gap", "b"],
        "note_codes": [
            {"code": "gaps", "values": {"n": 1, "usual": 2.5}},
            {"code": "twice", "values": {}},
        ],
    }
    assert to_csv_line(SERIES).endswith(",300,3,0.333333,7|0,a gap|b")


def test_zero_is_not_nothing() -> None:
    assert to_record(NEGATIVE)["probability"] == 0
    assert to_csv_line(NEGATIVE).split(",")[5] == "0.0"


def test_what_an_answer_is_worth_at_a_prevalence() -> None:
    record = to_record(SHIFTED)
    names = ("prevalence", "probability_at_prevalence", "ppv", "npv")
    # However small it is, the prevalence is the one that was asked about.
    assert [record[name] for name in names] == [1e-7, 0.333333, None, 0.666667]
    assert record["decision"] == to_record(POSITIVE)["decision"]
    row = next(csv.DictReader(io.StringIO(f"{csv_header()}\n{to_csv_line(SHIFTED)}\n", newline="")))
    assert [row[name] for name in names] == ["1e-07", "0.333333", "", "0.666667"]


def test_what_the_threshold_is_worth_is_said_once() -> None:
    point = OperatingPoint("balanced", 0.4, (0.2, 0.7), 0.9, 0.8, (0.1, 0.1), (0.9, 0.9))
    said = to_worth_sentence(point, 0.5)
    assert "PPV 81.8% and NPV 88.9% at the threshold of balanced (0.400)" in said
    assert "PPV – and NPV" in to_worth_sentence(replace(point, sensitivity=0.0, specificity=1.0), 0.5)


def test_values_at_no_prevalence_are_invalid() -> None:
    for name in ("probability_at_prevalence", "ppv", "npv"):
        with pytest.raises(jsonschema.ValidationError):
            check(to_record(POSITIVE) | {name: 0.5})


@pytest.mark.parametrize(
    ("counts", "sentence"),
    [
        ({}, "0 slices: nothing to do."),
        ({(Kind.SLICE, "positive"): 1}, "1 slice: 1 positive."),
        (
            {
                (Kind.SLICE, word): at + 1
                for at, word in enumerate(("error", "refused", "negative", "positive", "indeterminate"))
            },
            "15 slices: 4 positive, 3 negative, 5 indeterminate, 2 refused, 1 error.",
        ),
        ({(Kind.SERIES, "refused"): 1}, "0 slices: nothing to do. 1 series: 1 refused."),
        (
            {(Kind.SLICE, "negative"): 9, (Kind.SERIES, "negative"): 1, (Kind.SERIES, "positive"): 1},
            "9 slices: 9 negative. 2 series: 1 positive, 1 negative.",
        ),
    ],
)
def test_summary(counts: dict[tuple[Kind, str], int], sentence: str) -> None:
    assert to_summary(Counter(counts)) == sentence
