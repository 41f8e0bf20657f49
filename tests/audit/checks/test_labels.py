from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from audits import copies, make_cohort, make_dataset, make_sample, texts
from covidct.audit.checks.labels import check_labels
from covidct.audit.sample import Unreadable
from covidct.audit.similarity.matches import Likeness
from covidct.audit.verdict import Level


def test_a_sound_set_passes_and_counts_its_classes() -> None:
    check = check_labels(make_dataset(make_cohort(6)))
    assert (check.level, check.advice) == (Level.PASS, "")
    assert "24 slices" in check.headline
    assert "12 of them COVID-19" in check.headline
    assert ("covid", "positive", "12", "6", "0") in check.tables[0].rows
    share = check.figures[0].estimate
    assert share.value == 0.5
    assert share.low is not None
    assert share.low < 0.5


@pytest.mark.parametrize("label", [0, 1])
def test_one_class_only_fails(label: int) -> None:
    check = check_labels(make_dataset([make_sample(f"{i}.png", label) for i in range(5)]))
    assert check.level is Level.FAIL
    assert "one class only" in texts(check, Level.FAIL)
    assert check.advice


def test_a_patient_of_both_classes_is_warned_of_unless_a_slice_alone_is_meant() -> None:
    cohort = make_cohort(6)
    torn = [make_sample(f"t{label}.png", label, patient_id="7") for label in (0, 1)]
    check = check_labels(make_dataset([*cohort, *torn]))
    assert check.level is Level.WARN
    assert "1 patient has slices of both classes, as 7 of here" in texts(check, Level.WARN)
    clear = make_sample("clear.png", 0, patient_id="1-0")
    clear = replace(clear, row=replace(clear.row, label="no-lesion"))
    assert check_labels(make_dataset([*cohort, clear])).level is Level.PASS


def test_classes_far_apart_in_size_are_warned_of() -> None:
    samples = [make_sample("a.png", 1), *(make_sample(f"{i}.png", 0) for i in range(30))]
    check = check_labels(make_dataset(samples))
    assert check.level is Level.WARN
    assert "1 COVID-19, 30 others" in texts(check, Level.WARN)


def test_missing_and_damaged_files_are_told_apart(tmp_path: Path) -> None:
    (tmp_path / "bad.png").write_bytes(b"no picture")
    gone, bad = make_sample("gone.png"), make_sample(str(tmp_path / "bad.png"))
    unreadable = [
        Unreadable(gone.row, "gone.png", 1, "no file"),
        Unreadable(bad.row, "bad.png", 1, "damaged"),
    ]
    check = check_labels(make_dataset(make_cohort(3), unreadable=unreadable))
    missing, damaged = (finding for finding in check.findings if finding.level is Level.FAIL)
    assert (missing.files, damaged.files) == (("gone.png",), ("bad.png",))
    assert "1 file is missing" in missing.text
    assert "damaged" in damaged.text
    assert ("covid", "positive", "6", "3", "2") in check.tables[0].rows


def test_a_set_without_a_readable_slice_fails() -> None:
    gone = make_sample("gone.png")
    check = check_labels(make_dataset([], unreadable=[Unreadable(gone.row, "gone.png", 1, "no file")]))
    assert check.level is Level.FAIL
    assert check.figures[0].estimate.value is None


def test_labels_that_nobody_declared_are_listed() -> None:
    check = check_labels(make_dataset(make_cohort(6), undeclared={"1": 3, "": 4, "ood": 2}))
    found = texts(check, Level.WARN)
    assert "1 (3), ood (2)" in found
    assert "--positive" in found
    assert "4 rows have no label" in found


@pytest.mark.parametrize("likeness", [Likeness.EXACT, Likeness.COPY])
def test_one_picture_under_two_labels_fails(likeness: Likeness) -> None:
    samples = make_cohort(6)
    check = check_labels(make_dataset(samples, matches=[copies(0, 12, likeness=likeness)]))
    assert check.level is Level.FAIL
    assert check.findings[-1].files == (samples[0].name, samples[12].name)
    assert check.pairs[0].captions == ("non-covid", "covid")


def test_neighbours_and_copies_under_one_label_are_no_conflict() -> None:
    matches = [copies(0, 1), copies(0, 12, likeness=Likeness.NEIGHBOUR)]
    check = check_labels(make_dataset(make_cohort(6), matches=matches))
    assert check.level is Level.PASS
    assert not check.pairs
