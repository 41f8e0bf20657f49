from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from pydicom.dataset import Dataset

from covidct.series.study import read_study
from covidct.series.types import Study
from makers import dicom_bytes
from stacks import SERIES, save, stack, volume

SLICES = volume(6)
PLACES = list(range(6))


def read(datasets: Sequence[Dataset]) -> Study:
    return read_study([(f"{at}.dcm", dicom_bytes(dataset)) for at, dataset in enumerate(datasets)])


def places(study: Study) -> list[list[int]]:
    """Which of the slices each series holds, from feet to head."""
    return [
        [int(str(item.sop_instance_uid).rpartition(".")[2]) - 1 for item in series.instances]
        for series in study.series
    ]


def changed(datasets: list[Dataset], **tags: Any) -> list[Dataset]:
    """Each dataset with values of its own: functions of its place in the list."""
    for at, dataset in enumerate(datasets):
        for keyword, value in tags.items():
            setattr(dataset, keyword, value(at))
    return datasets


@pytest.mark.parametrize("keyword", ["PatientID", "StudyInstanceUID"])
def test_two_patients_or_studies_never_make_one_series(keyword: str) -> None:
    one = stack(SLICES, PatientID="A")
    tags: dict[str, Any] = {"PatientID": "A"} | {keyword: "1.2.3"}
    other = stack(SLICES, origin=(0, 0, -297.5), **tags)
    study = read([slice_ for pair in zip(one, other, strict=True) for slice_ in pair])
    assert places(study) == [PLACES, PLACES]
    assert (study.refused, study.loose) == ((), ())
    for series in study.series:
        assert series.notes[0].code == "apart"
    values = {(item.acquisition.patient_id, item.acquisition.study_uid) for item in study.series}
    assert len(values) == 2


@pytest.mark.parametrize("patient", ["", None])
def test_a_slice_without_its_patient_goes_with_the_others(patient: str | None) -> None:
    datasets = stack(SLICES, PatientID="A")
    datasets[2].PatientID = patient
    assert places(read(datasets)) == [PLACES]


def test_a_study_of_its_own_for_every_slice_is_no_study() -> None:
    (series,) = read(changed(stack(SLICES), StudyInstanceUID=lambda at: f"1.2.{at + 3}")).series
    assert len(series.instances) == 6
    assert [note.code for note in series.notes] == ["varies"]


def mendings() -> dict[str, list[Dataset]]:
    number = {"PatientID": lambda _: "A"}
    own = {"SeriesInstanceUID": lambda at: f"1.2.{at + 3}"}
    no_study = {"StudyInstanceUID": lambda at: f"1.3.{at + 3}"}
    return {
        "a UID each": changed(stack(SLICES), **own),
        "no UID": stack(SLICES, SeriesInstanceUID=None),
        "a study each": changed(stack(SLICES), **own, **no_study, **number),
        "one frame of reference": changed(stack(SLICES, FrameOfReferenceUID="1.9"), **own, **no_study),
    }


@pytest.mark.parametrize("how", list(mendings()))
def test_lone_slices_of_one_scan_are_mended_into_a_series(how: str) -> None:
    study = read(mendings()[how])
    assert (places(study), study.loose, study.refused) == ([PLACES], (), ())
    assert study.series[0].notes[0].code == "mended"


@pytest.mark.parametrize("how", list(mendings()))
def test_copies_do_not_hinder_mending(how: str) -> None:
    datasets = mendings()[how]
    study = read([*datasets, *datasets])
    assert (places(study), len(study.loose), study.refused) == ([PLACES], 6, ())
    assert [note.code for note in study.series[0].notes[:2]] == ["mended", "twice"]


def test_copies_of_one_slice_are_no_scan() -> None:
    study = read(stack(SLICES[:2], SeriesInstanceUID=None) * 3)
    assert (study.series, study.refused, len(study.loose)) == ((), (), 6)


def test_one_sop_instance_uid_in_many_places_is_no_copy(tmp_path: Path) -> None:
    study = read_study([save(tmp_path, stack(SLICES, SOPInstanceUID="1.2.3"))])
    (series,) = study.series
    assert (len(series.instances), study.loose, series.notes) == (6, (), ())


@pytest.mark.parametrize(
    "tags",
    [
        {"PatientID": lambda at: f"P{at}"},
        {"SeriesNumber": lambda at: at},
        {"ImagePositionPatient": lambda _: [0, 0, 0]},
        {"FrameOfReferenceUID": lambda at: f"1.2.{at % 2}"},
        {"Modality": lambda _: "MR"},
        {"ImageOrientationPatient": lambda _: [1, 0, 0, 0, 0, -1]},
    ],
)
def test_lone_slices_of_several_scans_stay_alone(tags: dict[str, Any]) -> None:
    study = read(changed(stack(SLICES), SeriesInstanceUID=lambda at: f"1.2.{at + 3}", **tags))
    assert (study.series, study.refused, len(study.loose)) == ((), (), 6)


def test_far_slices_of_one_patient_stay_alone() -> None:
    own = {name: lambda at: f"1.2.{at + 3}" for name in ("SeriesInstanceUID", "StudyInstanceUID")}
    study = read(changed(stack(SLICES, spacing=40.0, PatientID="A"), **own))
    assert (study.series, len(study.loose)) == ((), 6)
    assert SERIES not in {item.path for item in study.loose}
