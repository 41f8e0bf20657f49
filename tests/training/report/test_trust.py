from __future__ import annotations

from collections.abc import Sequence

import pytest

from covidct.audit.verdict import Audit, Check, Finding, Level
from covidct.evaluation.report import Protocol, Report, to_report
from covidct.evaluation.sections import Scored
from covidct.training.report.trust import to_doubts, to_headline

CLEAN = Audit("m.csv", "", 20, 10, ())


def make_report(
    right: int,
    n: int,
    *,
    patients: int | None = None,
    sources: Sequence[str] = ("here",),
    name: str = "p{}",
) -> Report:
    """Half of n slices with COVID-19, the first `right` of them called as they are."""
    rows = [
        Scored(
            path=f"{at}.png",
            label=at % 2,
            source=sources[at % len(sources)],
            patient=name.format(at * (patients or n) // n),
            probability=0.9 if (at % 2 == 1) == (at < right) else 0.1,
        )
        for at in range(n)
    ]
    return to_report(rows, Protocol("b", "1", "", "test", threshold=0.5, band=(0.4, 0.6), resamples=200))


def doubts(tune: Report, test: Report | None, *, audit: Audit = CLEAN, has_ids: bool = True) -> str:
    return "\n".join(to_doubts(tune, test, audit, has_ids=has_ids))


def test_a_hundred_percent_of_ten_is_shown_with_its_interval() -> None:
    ten = make_report(10, 10)
    assert "10 of 10 are called right: 100 % (95 % interval 69 to 100 %)" in to_headline(ten, ten)
    assert "even a flawless result would only prove an accuracy of 69 % or more" in doubts(ten, ten)


def test_without_new_slices_that_comes_first() -> None:
    assert to_headline(make_report(8, 10), None).startswith("Not measured on new slices")
    assert "not the one to report" not in doubts(make_report(8, 10), None)
    assert "8 of 10 are called right: 80 %" in doubts(make_report(8, 10), make_report(5, 10))


@pytest.mark.parametrize(("right", "could"), [(7, True), (8, True), (9, False), (10, False)])
def test_what_guessing_could_do_is_said(right: int, could: bool) -> None:
    report = make_report(right, 10)
    assert ("Guessing might do as well" in doubts(report, report)) == could


def test_slices_of_one_patient_count_as_one() -> None:
    each, pairs = make_report(80, 100), make_report(80, 100, patients=10)
    assert to_headline(each, each) != to_headline(pairs, pairs)
    assert "With 10 independent cases" in doubts(pairs, pairs)


def test_an_interval_that_is_none_is_said() -> None:
    report = make_report(5, 10, patients=1)
    assert "no interval" in to_headline(report, report)


def test_what_is_not_known_is_said() -> None:
    home, wide = make_report(9, 10), make_report(300, 300, sources=("here", "there", "x"))
    assert "too narrow" in doubts(home, home, has_ids=False)
    assert "too narrow" not in doubts(home, home)
    blocks = make_report(40, 60, patients=6, name="here/covid/neighbours-{:04d}")
    assert "6 groups of slices with neighbouring numbers" in doubts(blocks, blocks, has_ids=False)
    assert "one place" in doubts(home, home)
    for words in ("one place", "Guessing", "flawless", "audit", "calibrate"):
        assert words not in doubts(wide, wide)


def test_the_audits_doubts_and_no_calibration_are_said() -> None:
    check = Check("splits", "Split integrity", "torn", findings=(Finding(Level.WARN, "torn"),))
    report = make_report(9, 10)
    assert "doubts about the data (Split integrity)" in doubts(
        report, report, audit=Audit("m", "", 1, 1, (check,))
    )
    few = to_report(report.overall.rows, Protocol("b", "1", "", "tune", threshold=0.5, band=(0.0, 1.0)))
    assert "calls every slice indeterminate" in doubts(few, report)
