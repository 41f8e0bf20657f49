from __future__ import annotations

from typing import Any

import pytest

from audits import FACTS, make_cohort, make_dataset, make_sample, texts
from covidct.audit.checks.sources import check_sources
from covidct.audit.file_facts import Facts
from covidct.audit.sample import Sample
from covidct.audit.verdict import Level


def cohort(counts: dict[str, tuple[int, int]], **row: Any) -> list[Sample]:
    """Patients with one slice: source -> (COVID-19, others)."""
    return [
        make_sample(f"{source}-{label}-{at}.png", label, source=source, patient_id=f"{label}{at}", **row)
        for source, pair in counts.items()
        for label, count in zip((1, 0), pair, strict=True)
        for at in range(count)
    ]


def test_balanced_sources_pass() -> None:
    check = check_sources(make_dataset(cohort({"north": (20, 20), "south": (30, 30)})))
    assert (check.level, check.advice) == (Level.PASS, "")
    assert check.figures[0].estimate.value == 0
    assert check.bars[0].names == ("north", "south")
    assert check.bars[0].counts == ((20, 20), (30, 30))
    assert ("south", "30", "30", "50 %", "60") in check.tables[0].rows


def test_a_source_for_each_class_fails() -> None:
    check = check_sources(make_dataset(cohort({"sick": (30, 0), "well": (0, 30)})))
    assert check.level is Level.FAIL
    value = check.figures[0].estimate.value
    assert value is not None
    assert value > 0.95
    assert "sick, well" in texts(check, Level.WARN)
    assert check.advice


def test_a_lean_of_the_sources_warns_with_its_interval() -> None:
    check = check_sources(make_dataset(cohort({"north": (35, 15), "south": (15, 35)})))
    assert check.level is Level.WARN
    estimate = check.figures[0].estimate
    assert estimate.value == pytest.approx(0.388, abs=0.01)  # by hand: sqrt(16/100) = 0.4, corrected for bias
    assert estimate.low is not None
    assert estimate.high is not None
    assert 0.1 < estimate.low < 0.388 < estimate.high < 0.7


def test_one_source_is_warned_of() -> None:
    check = check_sources(make_dataset(make_cohort(20)))
    assert check.level is Level.WARN
    assert "one source, here" in check.headline
    assert check.figures[0].estimate.value is None


def test_patients_count_not_slices() -> None:
    """A patient with a hundred slices is one patient."""
    samples = cohort({"north": (20, 20), "south": (20, 20)})
    samples += [make_sample(f"x{at}.png", 1, source="north", patient_id="11") for at in range(200)]
    assert check_sources(make_dataset(samples)).level is Level.PASS


def ages(old: int, young: int) -> list[Sample]:
    samples = cohort({"north": (20, 20), "south": (20, 20)})
    return [
        make_sample(
            one.name,
            one.label,
            source=one.row.source,
            patient_id=one.row.patient_id,
            age=f"{(old if one.label else young) + at % 10}",
        )
        for at, one in enumerate(samples)
    ]


def test_children_against_adults_fail() -> None:
    check = check_sources(make_dataset(ages(60, 5)))
    assert "Age alone" in texts(check, Level.FAIL)
    assert [figure.estimate.value for figure in check.figures if figure.name == "Age"] == [1.0]


def test_the_same_ages_pass() -> None:
    assert check_sources(make_dataset(ages(50, 50))).level is Level.PASS


def test_ages_and_sexes_are_read_from_dicom_tags() -> None:
    samples = []
    for one in cohort({"north": (20, 20), "south": (20, 20)}):
        tags = {"PatientAge": "060Y" if one.label else "018M", "PatientSex": "M" if one.label else "F"}
        facts = Facts(".dcm", "DICOM", 64, 64, "", 9000, tags=tags)
        row = one.row
        samples.append(
            make_sample(one.name, one.label, facts=facts, source=row.source, patient_id=row.patient_id)
        )
    check = check_sources(make_dataset(samples))
    assert "Age alone" in texts(check, Level.FAIL)
    assert "Sex and label" in texts(check, Level.FAIL)


@pytest.mark.parametrize("age", ["", "old", "-3", "060X", "NaN"])
def test_ages_that_are_none_are_left_out(age: str) -> None:
    samples = cohort({"north": (20, 20), "south": (20, 20)}, age=age)
    assert [figure.name for figure in check_sources(make_dataset(samples)).figures] == [
        "Source and label, over patients"
    ]


def test_an_empty_set_is_no_error() -> None:
    assert check_sources(make_dataset([])).figures[0].estimate.value is None
    assert FACTS.format == "PNG"
