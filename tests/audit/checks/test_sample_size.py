from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audits import make_cohort, make_dataset, make_sample, texts
from covidct.audit.checks.sample_size import check_sample_size, planned_auc
from covidct.audit.sample import Sample
from covidct.audit.verdict import Level


def in_split(patients: int, split: str, *, prefix: str = "") -> list[Sample]:
    return [
        replace(one, row=replace(one.row, split=split, patient_id=f"{prefix}{one.row.patient_id}"))
        for one in make_cohort(patients)
    ]


def test_forty_of_forty_mean_at_least_91_percent() -> None:
    check = check_sample_size(make_dataset(in_split(40, "test")))
    assert "40 of 40 patients detected would only show a sensitivity of 91% or more" in check.headline
    assert check.level is Level.WARN
    assert "100" in texts(check, Level.WARN)


def test_no_number_of_patients_proves_a_sensitivity_of_100_percent() -> None:
    check = check_sample_size(make_dataset(in_split(1000, "test")))
    assert "1000 of 1000 patients detected would only show a sensitivity of 99.6% or more" in check.headline


def test_a_hundred_patients_of_each_class_are_enough() -> None:
    check = check_sample_size(make_dataset(in_split(100, "external")))
    assert (check.level, check.advice) == (Level.PASS, "")


@pytest.mark.parametrize("split", ["test", "", "tune"])
def test_a_handful_of_patients_measure_nothing_but_can_be_trained_on(split: str) -> None:
    check = check_sample_size(make_dataset(in_split(5, split)))
    assert check.level is Level.WARN
    assert check.advice
    # Of `tune` nothing is claimed: it says only how many are advised.
    assert ("too few to measure on" in texts(check, Level.WARN)) is (split != "tune")


def test_slices_of_one_patient_are_one_piece_of_evidence() -> None:
    samples = [
        make_sample(f"{label}{at}.png", label, patient_id=f"{label}", split="test")
        for label in (0, 1)
        for at in range(500)
    ]
    check = check_sample_size(make_dataset(samples))
    assert check.level is Level.WARN
    assert ("test", "1000", "1", "1", "≥ 0.03", "≥ 0.03") in check.tables[0].rows


def test_claims_are_made_on_test_and_external_not_on_train() -> None:
    samples = [
        *in_split(100, "test"),
        *in_split(100, "external", prefix="x"),
        *in_split(3, "train", prefix="y"),
    ]
    check = check_sample_size(make_dataset(samples))
    assert check.level is Level.PASS
    assert [row[0] for row in check.tables[0].rows] == ["train", "test", "external"]
    assert not any("train" in figure.name for figure in check.figures)


def test_a_test_split_of_one_class_has_no_auc_to_plan() -> None:
    check = check_sample_size(make_dataset([one for one in in_split(20, "test") if one.label]))
    assert check.level is Level.WARN
    assert [figure.estimate.value for figure in check.figures] == [0.9, None, None]


def test_an_empty_set_claims_nothing() -> None:
    check = check_sample_size(make_dataset([]))
    assert check.headline == "There is nothing to measure on."


def test_the_interval_of_an_auc_is_hanley_and_mcneils() -> None:
    """Hanley & McNeil 1982: for an area of 0.893 with 51 abnormal and 58 normal cases, the SE is 0.032."""
    estimate = planned_auc(0.893, 51, 58)
    assert estimate.high is not None
    assert (estimate.high - 0.893) / 1.96 == pytest.approx(0.032, abs=0.001)


@given(st.floats(0.5, 0.99), st.integers(1, 500), st.integers(1, 500))
def test_more_patients_never_widen_the_interval(auc: float, positives: int, others: int) -> None:
    few, many = planned_auc(auc, positives, others), planned_auc(auc, positives * 2, others * 2)
    assert few.low is not None
    assert many.low is not None
    assert 0 <= few.low <= many.low <= auc
