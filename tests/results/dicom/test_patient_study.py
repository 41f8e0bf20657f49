from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset

from answers import make_series
from covidct.errors import ReportError
from covidct.images.blob import MemoryBlob
from covidct.results.dicom.patient_study import EMPTY, put_patient_study, read_patient_study
from covidct.series.enhanced import FrameBlob
from makers import dicom_bytes
from patients import NAME, PATIENT_ID, STUDY_UID, patient_dataset


def subject_of(**tags: Any) -> Dataset:
    """What a new object gets of a series with those values."""
    target = Dataset()
    put_patient_study(
        target, read_patient_study(make_series([patient_dataset(1, **tags), patient_dataset(2, **tags)]))
    )
    return target


def _changed(number: int, keyword: str, value: str | None) -> Dataset:
    tags: dict[str, Any] = {keyword: value}
    return patient_dataset(number, **tags)


def test_patient_and_study_are_those_of_the_series() -> None:
    target = subject_of(StudyDescription="Chest", PatientAge="070Y")
    assert (target.PatientName, target.PatientID, target.PatientBirthDate) == (NAME, PATIENT_ID, "19500102")
    assert (target.StudyInstanceUID, target.AccessionNumber, target.StudyDate) == (
        STUDY_UID,
        "A1",
        "20200304",
    )
    assert (target.StudyDescription, target.PatientAge) == ("Chest", "070Y")
    assert "SeriesInstanceUID" not in target


def test_what_lacks_stays_empty_and_nothing_is_invented() -> None:
    target = subject_of(**dict.fromkeys(EMPTY))
    assert {keyword: target[keyword].value or "" for keyword in EMPTY} == dict.fromkeys(EMPTY, "")
    assert "StudyDescription" not in target


@pytest.mark.parametrize(
    ("charset", "name"),
    [
        ("ISO_IR 100", "Müller^Jörg"),
        ("ISO_IR 192", "Яценко^Олена"),
        (["", "ISO 2022 IR 87"], "Yamada^Tarou=山田^太郎=やまだ^たろう"),
    ],
)
def test_names_survive_the_change_of_character_set(charset: Any, name: str, tmp_path: Any) -> None:
    target = subject_of(SpecificCharacterSet=charset, PatientName=name)
    assert target.SpecificCharacterSet == "ISO_IR 192"
    target.save_as(tmp_path / "object.dcm", implicit_vr=False, little_endian=True)
    assert str(dcmread(tmp_path / "object.dcm", force=True).PatientName) == name


@pytest.mark.parametrize("keyword", ["PatientID", "StudyInstanceUID", "SeriesInstanceUID"])
def test_a_mixed_series_gets_no_report(keyword: str) -> None:
    series = make_series([patient_dataset(1), _changed(2, keyword, "1.2.3.4")])
    with pytest.raises(ReportError, match=f"another {keyword}") as caught:
        read_patient_study(series)
    assert PATIENT_ID not in str(caught.value)


@pytest.mark.parametrize("keyword", ["StudyInstanceUID", "SeriesInstanceUID"])
def test_without_its_uids_there_is_no_study_to_report_to(keyword: str) -> None:
    with pytest.raises(ReportError, match="lacks StudyInstanceUID or SeriesInstanceUID"):
        read_patient_study(make_series([_changed(1, keyword, None)]))


def test_what_is_not_of_dicom_gets_no_report() -> None:
    series = make_series([patient_dataset(1)])
    bare = replace(series, instances=(replace(series.instances[0], blob=None),))
    with pytest.raises(ReportError, match="not read from DICOM"):
        read_patient_study(bare)
    with pytest.raises(ReportError, match="without instances"):
        read_patient_study(replace(series, instances=()))


@pytest.mark.parametrize("cosines", [[1, 0, 0, 0, 1, 0], None])
def test_whether_left_and_right_are_known(cosines: list[float] | None) -> None:
    series = make_series([patient_dataset(1, ImageOrientationPatient=cosines)])
    assert read_patient_study(series).is_oriented is (cosines is not None)


@pytest.mark.parametrize("number", [None, 0, 7])
def test_series_number(number: int | None) -> None:
    assert read_patient_study(make_series([patient_dataset(1, SeriesNumber=number)])).series_number == (
        number or 0
    )


def test_frames_have_the_patient_of_their_object() -> None:
    """A frame that was made an object of its own carries no name; the report's must not be empty for that."""
    volume = MemoryBlob("volume.dcm", dicom_bytes(patient_dataset(1, ImageOrientationPatient=None)))
    head = Dataset()
    head.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    series = make_series([patient_dataset(1)])
    blob = FrameBlob("volume.dcm", volume, head, 0, 0, 1)
    patient_study = read_patient_study(
        replace(series, instances=(replace(series.instances[0], frame=1, blob=blob),))
    )
    assert (patient_study.modules.PatientName, patient_study.modules.PatientID) == (NAME, PATIENT_ID)
    assert patient_study.is_oriented
