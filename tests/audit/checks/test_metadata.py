"""The no-pixel probe on planted giveaways, and on files alike in all that is no label."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from audits import FACTS, make_sample, texts
from covidct.audit.checks.metadata import check_metadata
from covidct.audit.file_facts import Facts
from covidct.audit.sample import Sample
from covidct.audit.verdict import Check, Level


def cohort(patients: int = 25, *, source: str = "here", spoil: Any = None) -> list[Sample]:
    """As many patients of each class; `spoil(facts, label, number)` gives a file's facts."""
    return [
        make_sample(
            f"{source}-{label}-{number}.png",
            label,
            facts=spoil(vary(number), label, number) if spoil else vary(number),
            source=source,
            patient_id=f"{source}-{label}-{number}",
        )
        for label in (0, 1)
        for number in range(patients)
    ]


def vary(number: int) -> Facts:
    """Facts that vary, and alike in both classes."""
    return replace(FACTS, width=64 + number % 5, height=60 + number % 7, n_bytes=2000 + 13 * (number % 11))


def check(samples: list[Sample]) -> Check:
    return check_metadata(samples, [sample.row.patient_id for sample in samples])


def test_balanced_files_pass() -> None:
    found = check(cohort())
    assert found.level is Level.PASS
    assert found.advice == ""
    assert "say little" in found.headline
    assert [figure.unit for figure in found.figures] == ["AUC"]


PLANTED = {
    "format": lambda facts, label, _: replace(facts, format="JPEG", ending=".jpg") if label else facts,
    "colour mode": lambda facts, label, _: replace(facts, mode="RGBA") if label else facts,
    "size": lambda facts, label, at: replace(facts, width=80 + at % 5) if label else facts,
    "JPEG quality": lambda facts, label, at: replace(facts, jpeg_quality=(75.0, 90.0)[label] + at % 3),
    "EXIF": lambda facts, label, _: replace(facts, exif_tags=4 * label),
    "Manufacturer": lambda facts, label, _: replace(facts, tags={"Manufacturer": ("North", "South")[label]}),
}


@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_giveaway_fails(name: str) -> None:
    found = check(cohort(spoil=PLANTED[name]))
    assert found.level is Level.FAIL
    assert found.advice
    family = {"format": "format and ending", "Manufacturer": "DICOM tags"}.get(name, name)
    assert found.tables[0].rows[0] == (family, "1.00")
    assert found.curves[0].name == "no pixel"


def test_the_headline_names_the_value_of_one_class() -> None:
    found = check(cohort(spoil=PLANTED["colour mode"]))
    assert "colour mode L only among others (25 files)" in found.headline
    assert ("colour mode", "RGBA", "among COVID-19", "25", "100 %") in found.tables[1].rows


def test_a_rare_value_is_not_called_one_sided() -> None:
    def spoil(facts: Facts, label: int, at: int) -> Facts:
        return replace(facts, mode="RGBA") if label and at < 4 else facts

    assert not [row for row in check(cohort(spoil=spoil)).tables[1].rows if row[0] == "colour mode"]


def test_who_the_patient_is_does_not_count() -> None:
    def spoil(facts: Facts, label: int, at: int) -> Facts:
        tags = {
            "PatientAge": f"0{30 + 40 * label}Y",
            "PatientSex": "MF"[label],
            "StudyInstanceUID": f"{label}.{at}",
        }
        return replace(facts, tags=tags)

    assert check(cohort(spoil=spoil)).level is Level.PASS


def test_bytes_grow_with_detail_and_set_no_level_of_their_own() -> None:
    def a_little(facts: Facts, label: int, at: int) -> Facts:
        return replace(facts, n_bytes=2000 + 100 * (at % 10) + 150 * label)

    def a_lot(facts: Facts, label: int, at: int) -> Facts:
        return replace(facts, n_bytes=2000 + 100 * (at % 10) + 3000 * label)

    assert check(cohort(spoil=a_little)).level is Level.PASS
    found = check(cohort(spoil=a_lot))
    assert found.level is Level.WARN
    assert "Bytes per pixel" in texts(found, Level.WARN)


def test_one_bad_source_of_two_is_named() -> None:
    def spoil(facts: Facts, label: int, at: int) -> Facts:
        """Right in the one source what is wrong in the other, so that together they tell nothing."""
        return replace(facts, mode=("L", "RGB")[label])

    samples = cohort(source="bad", spoil=spoil) + cohort(patients=60, source="good")
    found = check(samples)
    assert "source bad: AUC 1.00" in texts(found, Level.FAIL)
    assert "source bad" in found.headline
    assert [figure.name for figure in found.figures] == ["all sources together", "source bad", "source good"]


def test_misnamed_files_are_counted_and_listed() -> None:
    def spoil(facts: Facts, label: int, at: int) -> Facts:
        return replace(facts, format="JPEG") if at < 3 else facts

    found = check(cohort(spoil=spoil))
    assert texts(found, Level.WARN) == "6 files are JPEG but end in .png."
    (files,) = [finding.files for finding in found.findings if finding.level is Level.WARN]
    assert len(files) == 6


def test_a_single_misnamed_file() -> None:
    def spoil(facts: Facts, label: int, at: int) -> Facts:
        return replace(facts, format="BMP") if (label, at) == (1, 2) else facts

    assert texts(check(cohort(spoil=spoil)), Level.WARN) == "1 file is BMP but ends in .png."


@pytest.mark.parametrize("samples", [[], cohort(1), [one for one in cohort() if one.label]])
def test_too_few_patients_are_said_so(samples: list[Sample]) -> None:
    found = check(samples)
    assert found.level is Level.WARN
    assert found.headline.startswith("Not measured")
    assert found.curves == ()
