from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from pydicom import uid

from covidct.series.study import read_study
from covidct.series.types import Study
from makers import ct_dataset, dicom_bytes
from stacks import SERIES, STUDY, stack, volume

SLICES = volume(6)


def read(foreign: dict[str, Any], *, first: bool, count: int = 1, **tags: Any) -> Study:
    """A series with objects that are no slices of it, named before or after them."""
    known = {
        "StudyInstanceUID": STUDY,
        "SeriesInstanceUID": SERIES,
        "ImagePositionPatient": [-100, -100, -291],
    }
    objects = [
        ct_dataset(SLICES[0], **known | {"SOPInstanceUID": f"1.2.{at}", "InstanceNumber": 0} | foreign)
        for at in range(count)
    ]
    slices = stack(SLICES, **tags)
    order = [*objects, *slices] if first else [*slices, *objects]
    return read_study([(f"{at}.dcm", dicom_bytes(one)) for at, one in enumerate(order)])


@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize(
    ("foreign", "what"),
    [
        ({"Modality": "RTSTRUCT", "SOPClassUID": uid.RTStructureSetStorage, "PixelData": None}, "Modality"),
        ({"Modality": "SR", "SOPClassUID": uid.BasicTextSRStorage, "PixelData": None}, "Modality"),
        ({"Modality": "PR", "SOPClassUID": uid.SegmentationStorage}, "Modality"),
        ({"SOPClassUID": uid.SecondaryCaptureImageStorage}, "SOPClassUID"),
        ({"ImageType": ["DERIVED", "SECONDARY", "DOSE_INFO"]}, "ImageType"),
        ({"ImageType": ["DERIVED", "PRIMARY", "AXIAL", "CT_SOM5 MIP"]}, "ImageType"),
        ({"ImagePositionPatient": None, "ImageOrientationPatient": None}, "ImagePositionPatient"),
        ({"ImageOrientationPatient": [1, 0, 0, 0, 0, -1]}, "ImageOrientationPatient"),
        ({"ImageOrientationPatient": [1, 0, 0, 0, 0.9, 0.436]}, "ImageOrientationPatient"),
        ({"PixelSpacing": [0.5, 0.5]}, "Rows"),
        ({"Rows": 32}, "Rows"),
        ({"ImagePositionPatient": [-100, -100, 800]}, "ImagePositionPatient"),
    ],
)
def test_one_foreign_object_condemns_no_series(foreign: dict[str, Any], what: str, first: bool) -> None:
    study = read(foreign, first=first)
    (series,) = study.series
    assert [item.sop_instance_uid for item in series.instances] == [f"{SERIES}.{at}" for at in range(1, 7)]
    assert [(note.code, dict(note.values)) for note in series.notes] == [("aside", {"n": 1, "what": what})]
    assert f"1 instance is not a slice of the stack ({what})" in series.notes[0].text
    assert [item.sop_instance_uid for item in study.loose] == ["1.2.0"]


def test_axial_slices_are_read_beside_their_reformats() -> None:
    study = read({"ImageOrientationPatient": [1, 0, 0, 0, 0, -1]}, first=True, count=20)
    (series,) = study.series
    assert len(series.instances) == 6
    assert dict(series.notes[0].values) == {"n": 20, "what": "ImageOrientationPatient"}


@pytest.mark.parametrize("spacing", [0.625, 0.7, 0.9765625, 1.25e-2])
@pytest.mark.parametrize("difference", [0.0, 1e-7, -1e-7, 4e-4])
def test_spacing_is_compared_with_a_tolerance(spacing: float, difference: float) -> None:
    datasets = stack(SLICES, PixelSpacing=[spacing, spacing])
    for dataset in datasets[::2]:
        dataset.PixelSpacing = [f"{spacing * (1 + difference):.10g}"] * 2
    (series,) = read_study([(str(at), dicom_bytes(one)) for at, one in enumerate(datasets)]).series
    assert (len(series.instances), series.notes) == (6, ())


def test_a_slice_that_does_not_say_its_spacing_is_one() -> None:
    datasets = stack(SLICES)
    del datasets[3].PixelSpacing
    (series,) = read_study([(str(at), dicom_bytes(one)) for at, one in enumerate(datasets)]).series
    assert len(series.instances) == 6


def test_a_gap_in_a_scan_sets_nothing_aside() -> None:
    datasets = [*stack(SLICES[:3]), *stack(SLICES[3:], origin=(-100, -100, -200))]
    for at, dataset in enumerate(datasets):
        dataset.SOPInstanceUID = f"1.2.{at}"
    (series,) = read_study([(str(at), dicom_bytes(one)) for at, one in enumerate(datasets)]).series
    assert len(series.instances) == 6
    assert [note.code for note in series.notes] == ["gaps"]
    assert np.all([item.position_mm is not None for item in series.instances])
