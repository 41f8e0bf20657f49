from __future__ import annotations

from dataclasses import replace

import pytest

from answers import FOLDER, MODEL_USED, make_answer
from covidct.inference.study_answers import StudyAnswer
from covidct.results.table import Table
from covidct.types import (
    AtPrevalence,
    Decision,
    Finding,
    Opacity,
    Prediction,
    Reason,
    Refusal,
    Result,
    Source,
    Status,
)
from figures.points import POINT
from figures.predictions import with_prediction

CONTROL = "a\nb\rc\x1b[2Jd\x00e\x07f\x85g\u2028h\u202ei\tj"


def slice_of(path: str, decision: Decision = Decision.POSITIVE, message: str | None = None) -> Result:
    made = Prediction(decision, 2 / 3, (), POINT, message=message and f"{path}: {message}")
    return Result(Source(path), Status.OK, made, MODEL_USED)


def refused(path: str, message: str = "one grey level") -> Result:
    return Result(Source(path), Status.REFUSED, Refusal(Reason.BLANK, f"{path}: {message}"), MODEL_USED)


def lines(table: Table, *results: Result) -> list[str]:
    added = [line for result in results for line in table.add(StudyAnswer(result))]
    return [*added, *table.finish()]


@pytest.mark.parametrize("path", [CONTROL, "\udcff", "a.png"])
def test_a_line_is_one_printable_line(path: str) -> None:
    (line,) = lines(Table(), refused(path))
    assert line.isprintable()
    assert line.encode("utf-8")


def test_columns_line_up() -> None:
    table = Table(findings=True, prevalence=0.05)
    worth = AtPrevalence(prevalence=0.05, probability=1 / 3, ppv=None, npv=None)
    seen = Opacity(3.0, 2.0, 0.25, 0.2, 0.9, Finding.TYPICAL)
    shown = with_prediction(slice_of("b.png"), at_prevalence=worth, opacity=seen)
    at = table.header.index("study or slice")
    assert table.header.split()[:6] == ["decision", "probability", "at", "0.05", "finding", "extent"]
    answered, blank = lines(table, shown, refused("e.png"))
    assert answered.split() == ["positive", "0.667", "0.333", "typical", "25%", "b.png"]
    assert blank.split()[:5] == ["refused", "-", "-", "-", "-"]
    assert (answered[at:], blank[at:]) == ("b.png", "e.png: one grey level")


def test_a_model_of_one_question_has_no_column_for_findings() -> None:
    assert Table().header.split() == ["decision", "probability", "study", "or", "slice"]
    assert lines(Table(), slice_of("b.png"))[0].split() == ["positive", "0.667", "b.png"]


def test_no_line_says_what_a_line_above_says() -> None:
    undecided = [slice_of(f"s/{name}", Decision.INDETERMINATE, "both remain plausible") for name in "ab"]
    found = lines(Table(), *undecided, refused("s/c"), refused("s/d"), refused("t/e", "too small"))
    assert [line.split(maxsplit=2)[2] for line in found] == [
        "s/a: both remain plausible",
        ".../b",
        ".../c: one grey level",
        ".../d: blank",
        "t/e: too small",
    ]


def test_that_a_slice_looks_turned_is_said_of_each() -> None:
    turned = [
        replace(slice_of(name, message="looks turned by 90 degrees; turn it"), seems_turned=True)
        for name in "ab"
    ]
    assert [line.split(maxsplit=2)[2] for line in lines(Table(), *turned)] == [
        "a: looks turned by 90 degrees; turn it",
        "b: looks turned",
    ]


def test_the_study_comes_first_then_what_led_to_it() -> None:
    answer = make_answer(notes=("2 gaps between slices.",))
    table = Table(slices=True, has_series=True)
    first = [*table.add(StudyAnswer(slice_of("loose.png")))]
    held = [line for result in answer.slices for line in table.add(StudyAnswer(result))]
    assert first == held == []
    study, slices, note, *each = table.add(StudyAnswer(answer.result, series=answer))
    assert study.split(maxsplit=2)[:2] == ["indeterminate", "0.500"]
    assert study.endswith(FOLDER)
    assert slices.strip() == "4 of 4 slices with lung answered, 2 of them positive; the most telling: 3, 2"
    assert note.strip() == "2 gaps between slices."
    assert [line.split()[2:] for line in each] == [["slice", f"{at}"] for at in (1, 2, 3, 4)]
    assert [line.split()[-1] for line in table.finish()] == ["loose.png"]


def test_slices_of_series_are_listed_where_they_are_asked_for() -> None:
    answer = make_answer()
    table = Table(has_series=True)
    for result in answer.slices:
        assert [*table.add(StudyAnswer(result))] == []
    assert len([*table.add(StudyAnswer(answer.result, series=answer))]) == 3
    assert [*table.finish()] == []


def test_two_series_of_one_folder_are_told_apart() -> None:
    answer = make_answer(notes=())
    table = Table(has_series=True)
    shown = [line for _ in range(2) for line in table.add(StudyAnswer(answer.result, series=answer))]
    assert FOLDER in shown[0]
    assert FOLDER not in "".join(shown[1:])
    assert f"series {answer.series.uid}" in shown[2]


def test_why_a_series_is_refused_is_said() -> None:
    answer = make_answer(notes=())
    refusal = Refusal(Reason.NOT_CHOSEN, f"{FOLDER}: another is read")
    refused_one = replace(answer.result, status=Status.REFUSED, answer=refusal)
    (line, _) = Table().add(StudyAnswer(refused_one, series=answer))
    assert line.split(maxsplit=2) == ["refused", "-", f"{FOLDER}: another is read"]


def test_a_plain_call_is_given_for_each_slice_where_nothing_can_be_ruled_out() -> None:
    point = replace(POINT, band=(0.0, 1.0), threshold=0.5)
    results = [
        with_prediction(
            slice_of(f"/a/{at}.png"),
            decision=Decision.INDETERMINATE,
            probability=probability,
            prediction_set=("covid", "non-covid"),
            operating_point=point,
            message=f"/a/{at}.png: too few",
        )
        for at, probability in enumerate((0.1, 0.2, 0.9))
    ]
    shown = lines(Table(), *results)
    assert shown[0].endswith("/a/0.png: too few")
    assert shown[1].endswith(".../1.png: plain call non-covid")
    assert shown[2].endswith(".../2.png: plain call covid")
