"""Phantom series for tests: in folders, with any geometry, whole or cut."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom import config, uid
from pydicom.dataset import Dataset, FileMetaDataset

from covidct.images.phantoms.slice import Phantom
from makers import ct_dataset, dicom_bytes, phantom_hu

STUDY, SERIES = "1.2.826.0.1.3680043.8.498.10", "1.2.826.0.1.3680043.8.498.10.1"
UPRIGHT = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)


def volume(count: int = 6, *, lesions: Sequence[int] = (), size: int = 64) -> list[NDArray[np.int16]]:
    """Slices from feet to head, each another chest; with lesions at some places."""
    return [
        phantom_hu(Phantom.LESIONS if at in lesions else Phantom.NORMAL, seed=at, size=size)
        for at in range(count)
    ]


def stack(
    slices: Sequence[NDArray[Any]],
    *,
    spacing: float = 5.0,
    orientation: Sequence[float] = UPRIGHT,
    series: str = SERIES,
    origin: Sequence[float] = (-100.0, -100.0, -300.0),
    **tags: Any,
) -> list[Dataset]:
    """A series along its normal, the first slice at the feet."""
    normal = np.cross(orientation[:3], orientation[3:])
    normal = normal if normal[2] >= 0 else -normal
    return [
        ct_dataset(
            hu,
            **{
                "StudyInstanceUID": STUDY,
                "SeriesInstanceUID": series,
                "SOPInstanceUID": f"{series}.{at + 1}",
                "InstanceNumber": len(slices) - at,
                "SeriesNumber": 2,
                "SliceThickness": spacing,
                "ImageOrientationPatient": [round(float(value), 6) for value in orientation],
                "ImagePositionPatient": [
                    round(float(value), 4) for value in np.asarray(origin) + normal * spacing * at
                ],
            }
            | tags,
        )
        for at, hu in enumerate(slices)
    ]


def save(folder: Path, datasets: Sequence[Dataset], names: Sequence[str] | None = None) -> Path:
    """Write datasets into a folder, under names that say nothing of their order unless given."""
    folder.mkdir(parents=True, exist_ok=True)
    for at, dataset in enumerate(datasets):
        name = names[at] if names else f"IM{(at * 7 + 3) % 101:04d}"
        (folder / name).write_bytes(dicom_bytes(dataset))
    return folder


def enhanced(slices: Sequence[NDArray[Any]], *, spacing: float = 5.0, **tags: Any) -> Dataset:
    """An enhanced CT object: one frame a slice, the last at the feet, the slope per frame."""
    stored = [np.clip(hu.astype(np.int64) + 1024, 0, 4095).astype("<u2") for hu in slices]
    dataset = ct_dataset(
        slices[0],
        SOPClassUID=uid.EnhancedCTImageStorage,
        StudyInstanceUID=STUDY,
        SeriesInstanceUID=SERIES + ".9",
        ImageOrientationPatient=None,
        PixelSpacing=None,
        RescaleSlope=None,
        RescaleIntercept=None,
        NumberOfFrames=len(slices),
        PixelData=b"".join(frame.tobytes() for frame in reversed(stored)),
        **tags,
    )
    shared = Dataset()
    shared.PlaneOrientationSequence = [_item(ImageOrientationPatient=list(UPRIGHT))]
    shared.PixelMeasuresSequence = [_item(PixelSpacing=[0.7, 0.7], SliceThickness=spacing)]
    dataset.SharedFunctionalGroupsSequence = [shared]
    dataset.PerFrameFunctionalGroupsSequence = [_frame(at, spacing) for at in reversed(range(len(slices)))]
    return dataset


def contents(listed: Iterable[list[str]], **patient: Any) -> bytes:
    """A DICOMDIR: a record of a patient with these tags, and one of each image, by the parts of its path."""
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = uid.ExplicitVRLittleEndian
    dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID = uid.MediaStorageDirectoryStorage
    dataset.SOPInstanceUID = "1.2.3"
    with config.disable_value_validation():
        images = [_item(DirectoryRecordType="IMAGE", ReferencedFileID=parts) for parts in listed]
    dataset.DirectoryRecordSequence = [_item(DirectoryRecordType="PATIENT", **patient), *images]
    return dicom_bytes(dataset)


def _frame(at: int, spacing: float) -> Dataset:
    frame = Dataset()
    frame.PlanePositionSequence = [_item(ImagePositionPatient=[0.0, 0.0, spacing * at])]
    frame.PixelValueTransformationSequence = [_item(RescaleSlope=1, RescaleIntercept=-1024, RescaleType="HU")]
    return frame


def _item(**values: Any) -> Dataset:
    item = Dataset()
    for keyword, value in values.items():
        setattr(item, keyword, value)
    return item
