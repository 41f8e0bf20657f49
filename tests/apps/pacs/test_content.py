from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydicom import uid
from pydicom.dataset import Dataset

from covidct.apps.pacs.content import digest_instance
from covidct.apps.pacs.record import Content
from makers import dicom_bytes
from patients import patient_dataset


def digest(folder: Path, dataset: Dataset) -> tuple[str, str]:
    path = folder / "one.dcm"
    path.write_bytes(dicom_bytes(dataset))
    content = digest_instance(path)
    return content.patient_study, content.image


def test_the_same_instance_in_another_file_says_the_same(tmp_path: Path) -> None:
    path = tmp_path / "one.dcm"
    contents = []
    for _ in range(2):
        path.unlink(missing_ok=True)
        path.write_bytes(dicom_bytes(patient_dataset(1)))
        contents.append(digest_instance(path))
    first, second = contents
    assert first.stamp != second.stamp
    assert second == Content(second.stamp, first.patient_study, first.image)


@pytest.mark.parametrize("syntax", [uid.RLELossless, uid.ImplicitVRLittleEndian])
def test_another_transfer_syntax_says_the_same(tmp_path: Path, syntax: uid.UID) -> None:
    dataset, before = patient_dataset(1), digest(tmp_path, patient_dataset(1))
    if syntax.is_encapsulated:
        dataset.compress(syntax, generate_instance_uid=False)
    else:
        dataset.file_meta.TransferSyntaxUID = syntax
    assert digest(tmp_path, dataset) == before


def test_another_character_set_says_the_same(tmp_path: Path) -> None:
    digests = {
        digest(tmp_path, patient_dataset(1, SpecificCharacterSet=name, PatientName="Müller^Jörg"))
        for name in ("ISO_IR 100", "ISO_IR 192")
    }
    assert len(digests) == 1


@pytest.mark.parametrize("tags", [{"OtherPatientIDsSequence": []}, {"StudyDescription": ""}, {"KVP": 100}])
def test_what_tells_nothing_of_the_patient_changes_nothing(tmp_path: Path, tags: dict[str, Any]) -> None:
    assert digest(tmp_path, patient_dataset(1, **tags)) == digest(tmp_path, patient_dataset(1))


@pytest.mark.parametrize(
    "tags",
    [
        {"PatientID": "ANOTHER"},
        {"PatientName": "Doe^Janet"},
        {"PatientBirthDate": "19500103"},
        {"PatientSex": "M"},
        {"AccessionNumber": "A2"},
        {"StudyInstanceUID": "1.2.3"},
        {"StudyDate": None},
        {"IssuerOfPatientID": "B"},
        {"OtherPatientIDsSequence": [patient_dataset(1)]},
    ],
)
def test_another_patient_or_study_is_other_content(tmp_path: Path, tags: dict[str, Any]) -> None:
    before, after = digest(tmp_path, patient_dataset(1)), digest(tmp_path, patient_dataset(1, **tags))
    assert after[0] != before[0]
    assert after[1] == before[1]


@pytest.mark.parametrize(
    "tags", [{"ImagePositionPatient": [-100, -100, 6]}, {"ImageOrientationPatient": [-1, 0, 0, 0, 1, 0]}]
)
def test_another_place_is_another_image(tmp_path: Path, tags: dict[str, Any]) -> None:
    before, after = digest(tmp_path, patient_dataset(1)), digest(tmp_path, patient_dataset(1, **tags))
    assert after[1] != before[1]
    assert after[0] == before[0]


def test_other_pixels_are_another_image(tmp_path: Path) -> None:
    dataset = patient_dataset(1)
    dataset.PixelData = patient_dataset(2).PixelData
    assert digest(tmp_path, dataset)[1] != digest(tmp_path, patient_dataset(1))[1]


def test_what_cannot_be_decoded_is_compared_by_its_bytes(tmp_path: Path) -> None:
    digests = {
        digest(tmp_path, patient_dataset(1, Modality="MR", PixelData=bytes([value]) * 100))[1]
        for value in (1, 1, 2)
    }
    assert len(digests) == 2
