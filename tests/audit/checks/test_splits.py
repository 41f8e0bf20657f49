from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from audits import make_cohort, make_dataset, make_sample, texts
from covidct.audit.checks.splits import check_partition
from covidct.audit.file_facts import Facts, identify
from covidct.audit.sample import Sample
from covidct.audit.verdict import Check, Level
from covidct.data.lock import Lock, Use, make_lock, read_lock, to_lock_path, write_lock
from covidct.data.manifest import Manifest, read_manifest
from makers import write_png

SPLIT_OF = ("train", "train", "test", "tune")


def by_patient(patients: int = 8) -> list[Sample]:
    """Whole patients in splits."""
    return [
        replace(sample, row=replace(sample.row, split=SPLIT_OF[int(sample.row.patient_id[2:]) % 4]))
        for sample in make_cohort(patients)
    ]


def check(samples: list[Sample]) -> Check:
    return check_partition(make_dataset(samples))


def test_whole_patients_pass() -> None:
    found = check(by_patient())
    assert (found.level, found.advice) == (Level.PASS, "")
    assert found.headline == "No patient is in more than one split."
    assert ("test", "8", "4", "4", "4") in found.tables[0].rows


def test_no_splits_pass_and_say_so() -> None:
    found = check(make_cohort(4))
    assert found.level is Level.PASS
    assert "covidct split" in texts(found, Level.PASS)


def test_rows_without_a_split_among_others_are_warned_of() -> None:
    samples = by_patient()
    samples[3] = replace(samples[3], row=replace(samples[3].row, split="", patient_id="alone"))
    found = check(samples)
    assert found.level is Level.WARN
    assert found.findings[0].files == (samples[3].name,)


@pytest.mark.parametrize(
    ("word", "fields"),
    [
        ("patient", {"patient_id": "p"}),
        ("study", {"study_uid": "1.2"}),
        ("series", {"series_uid": "1.2.3"}),
    ],
)
def test_what_is_one_must_not_be_divided(word: str, fields: dict[str, Any]) -> None:
    torn = [make_sample(f"x-{split}.png", split=split, **fields) for split in ("train", "test")]
    found = check([*by_patient(), *torn])
    assert found.level is Level.FAIL
    assert found.findings[0].text.startswith(f"1 {word} is in more than one split, as ")
    assert "train and test" in found.findings[0].text
    assert found.findings[0].files == ("x-train.png", "x-test.png")


def test_uids_are_taken_from_dicom_files_too() -> None:
    facts = Facts(".dcm", "DICOM", 64, 64, "", 9000, tags={"SeriesInstanceUID": "1.2.3"})
    samples = [make_sample(f"{split}.dcm", split=split) for split in ("train", "tune")]
    found = check([replace(one, row=identify(one.row, facts)) for one in samples])
    assert "1 series is in more than one split, as 1.2.3 in train and tune" in texts(found, Level.FAIL)


def test_one_id_in_two_sources_is_two_patients_but_told() -> None:
    rows = [
        make_sample(f"{at}.png", patient_id="1", source=at, split=split)
        for at, split in (("a", "train"), ("b", "test"))
    ]
    found = check(rows)
    assert found.level is Level.WARN
    assert "1 patient id is used in several sources and splits, as 1" in texts(found, Level.WARN)


@pytest.mark.parametrize(
    ("parent", "copies"), [("train", ("test",)), ("test", ("train",)), ("train", ("train", "tune"))]
)
def test_copies_must_stay_with_their_parent(parent: str, copies: tuple[str, ...]) -> None:
    samples = [make_sample("parent.png", split=parent)]
    samples += [
        make_sample(f"copy-of-{at}.png", split=split, parent=Path("parent.png"))
        for at, split in enumerate(copies)
    ]
    found = check(samples)
    assert found.level is Level.FAIL
    assert "Augmented copies of 1 picture" in texts(found, Level.FAIL)
    assert any("parent.png" in finding.files for finding in found.findings if finding.level is Level.FAIL)


def test_siblings_whose_parent_is_not_listed_are_seen_too() -> None:
    samples = [
        make_sample(f"c{split}.png", split=split, parent=Path("gone.png")) for split in ("train", "test")
    ]
    assert check(samples).level is Level.FAIL


def test_copies_beside_their_parent_pass() -> None:
    samples = [
        make_sample("parent.png", split="train"),
        make_sample("copy.png", split="train", parent=Path("parent.png")),
    ]
    assert check(samples).level is Level.PASS


def test_neighbours_in_number_in_two_splits_are_warned_of() -> None:
    samples = [make_sample(f"Covid ({at}).png", split="train" if at < 5 else "test") for at in range(10)]
    found = check(samples)
    assert found.level is Level.WARN
    assert "1 time, neighbours in number" in texts(found, Level.WARN)
    assert found.findings[0].files == ("Covid (4).png", "Covid (5).png")


def test_numbers_of_known_patients_or_other_names_say_nothing() -> None:
    known = [
        make_sample(f"p{at}.png", split=split, patient_id=f"{at}")
        for at, split in ((1, "train"), (2, "test"))
    ]
    names = [make_sample("a1.png", split="train"), make_sample("b2.png", split="test")]
    assert check([*known, *names]).level is Level.PASS


@pytest.fixture
def locked(tmp_path: Path) -> Manifest:
    """A manifest with two test slices, and its lock."""
    with (tmp_path / "data.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("path", "label", "split", "patient_id"))
        for at, split in enumerate(("train", "test", "test", "tune")):
            write_png(tmp_path / f"{at}.png", np.full((32, 32), at, np.uint8))
            writer.writerow((f"{at}.png", "covid", split, f"p{at}"))
    manifest = read_manifest(tmp_path / "data.csv")
    write_lock(make_lock(manifest))
    return manifest


def check_locked(manifest: Manifest) -> Check:
    samples = [
        make_sample(manifest.name(row), split=row.split, patient_id=row.patient_id) for row in manifest.rows
    ]
    return check_partition(replace(make_dataset(samples), manifest=manifest))


def test_a_locked_test_split_that_nobody_used_passes(locked: Manifest) -> None:
    found = check_locked(locked)
    assert found.level is Level.PASS
    assert "never yet" in texts(found, Level.PASS)


def test_a_test_split_measured_with_several_models_was_tuned_to(locked: Manifest) -> None:
    lock = read_lock(locked.path)
    assert lock is not None
    uses = tuple(Use("m", "1", digest * 64, "2026-01-01") for digest in "ab")
    write_lock(replace(lock, uses=uses))
    assert "with 2 models" in texts(check_locked(locked), Level.WARN)


def test_changed_test_slices_break_the_lock(locked: Manifest) -> None:
    write_png(locked.rows[1].path, np.full((32, 32), 99, np.uint8))
    assert "is not the one" in texts(check_locked(locked), Level.FAIL)


def test_a_lock_whose_slices_are_gone_fails(locked: Manifest) -> None:
    locked.rows[1].path.unlink()
    assert "cannot be read" in texts(check_locked(locked), Level.FAIL)


def test_a_damaged_lock_fails(locked: Manifest) -> None:
    to_lock_path(locked.path).write_text("{}")
    assert "cannot be read as a lock" in texts(check_locked(locked), Level.FAIL)


def test_lock_is_a_value(locked: Manifest) -> None:
    assert isinstance(read_lock(locked.path), Lock)
