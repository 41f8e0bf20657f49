"""Series of a made-up patient, in which every element that names one is filled."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydicom.dataset import Dataset

from covidct.images.phantoms.slice import Phantom
from makers import ct_dataset, dicom_bytes, phantom_hu

STUDY_UID = "1.2.826.0.1.3680043.8.498.77"
NAME, PATIENT_ID = "Doe^Jane", "SECRET-4711"


def patient_dataset(
    number: int, *, series: str = "1", kind: Phantom = Phantom.LESIONS, **tags: Any
) -> Dataset:
    """Slice `number` of a series of a made-up patient, 5 mm from its neighbours."""
    series_uid = f"{STUDY_UID}.{series}"
    dataset = ct_dataset(
        phantom_hu(kind, seed=number),
        **{
            "SOPInstanceUID": f"{series_uid}.{number}",
            "SeriesInstanceUID": series_uid,
            "StudyInstanceUID": STUDY_UID,
            "SeriesNumber": int(series.partition(".")[0]),
            "InstanceNumber": number,
            "ImagePositionPatient": [-100, -100, 5 * number],
            "SliceThickness": 5,
            "PatientName": NAME,
            "PatientID": PATIENT_ID,
            "PatientBirthDate": "19500102",
            "PatientSex": "F",
            "StudyDate": "20200304",
            "StudyTime": "101112",
            "StudyID": "S1",
            "AccessionNumber": "A1",
            "ReferringPhysicianName": "Roe^Richard",
            "FrameOfReferenceUID": f"{series_uid}.0",
            "KVP": 120,
        }
        | tags,
    )
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    return dataset


def write_series(folder: Path, *, count: int = 4, **options: Any) -> list[Path]:
    """A series as files."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{number}.dcm" for number in range(1, count + 1)]
    for number, path in enumerate(paths, start=1):
        path.write_bytes(dicom_bytes(patient_dataset(number, **options)))
    return paths


def words(dataset: Dataset) -> str:
    """All that an object says, its codes and sentences too."""
    return "\n".join(str(element.value) for element in dataset.iterall() if element.VR != "SQ")
