from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest

from covidct.series.study import read_study
from covidct.series.types import Series, Study
from covidct.types import Reason
from makers import dicom_bytes
from stacks import enhanced, stack, volume

SLICES = volume(6)


def read(*passes: dict[str, Any], shift: float = 0.0, numbers: str = "same", seed: int = 0) -> Study:
    """Passes of one series, each with tags of its own, `shift` mm apart, in any order of files."""
    datasets = []
    for which, tags in enumerate(passes):
        origin = (-100, -100, -300 + which * shift)
        for at, dataset in enumerate(stack(SLICES, origin=origin, **tags)):
            dataset.SOPInstanceUID = f"1.2.{which}.{at}"
            dataset.InstanceNumber = {"same": at, "after": 6 * which + at, "between": 2 * at + which}[numbers]
            datasets.append(dataset)
    random.Random(seed).shuffle(datasets)
    return read_study([(f"{at}.dcm", dicom_bytes(dataset)) for at, dataset in enumerate(datasets)])


def check(study: Study, which: int) -> Series:
    """That one whole pass is read, and the other stands for itself."""
    (series,) = study.series
    assert [item.sop_instance_uid for item in series.instances] == [f"1.2.{which}.{at}" for at in range(6)]
    assert len(study.loose) == 6
    return series


@pytest.mark.parametrize("shift", [0.0, 1.7])
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    ("keyword", "values", "which"),
    [
        ("AcquisitionNumber", (1, 2), 0),
        ("AcquisitionNumber", (2, 1), 1),
        ("ConvolutionKernel", ("BONE", "STANDARD"), 1),
        ("ConvolutionKernel", ("B30f", "B70f"), 1),
        ("FrameOfReferenceUID", ("1.2.1", "1.2.2"), 0),
        ("ImageType", (["ORIGINAL", "PRIMARY", "AXIAL"], ["DERIVED", "SECONDARY", "AXIAL"]), 1),
        ("EchoNumbers", (1, 2), 0),
        ("TemporalPositionIdentifier", (1, 2), 0),
    ],
)
def test_one_whole_pass_is_read(
    keyword: str, values: tuple[Any, Any], which: int, shift: float, seed: int
) -> None:
    series = check(read(*({keyword: value} for value in values), shift=shift, seed=seed), which)
    note = series.notes[0]
    assert (note.code, note.values["n"]) == ("other_pass", 6)
    assert str(note.values["what"]).startswith(keyword)
    assert series.acquisition.spacing_mm == pytest.approx(5)
    assert "gaps" not in {one.code for one in series.notes}


@pytest.mark.parametrize("keyword", ["TriggerTime", "ContrastBolusAgent", "AcquisitionTime", "KVP"])
def test_what_also_varies_in_one_pass_counts_where_places_repeat(keyword: str) -> None:
    values = [{keyword: value} for value in ("101010", "202020")]
    assert check(read(*values), 0).notes[0].code == "other_pass"
    (series,) = read(*values, shift=2.5).series
    assert len(series.instances) == 12


@pytest.mark.parametrize("numbers", ["after", "between"])
def test_instance_numbers_tell_passes_apart_where_nothing_else_does(numbers: str) -> None:
    assert check(read({}, {}, numbers=numbers), 0).notes[0].values["what"] == "InstanceNumber 2"


def test_nothing_is_picked_by_place() -> None:
    study = read({}, {})
    (refused,) = study.refused
    assert (refused.reason, len(study.loose)) == (Reason.MIXED_GEOMETRY, 12)
    assert "same position, and no element says which belong together" in refused.message


def test_stretches_of_one_scan_stay_together() -> None:
    datasets = [
        *stack(SLICES[:3], AcquisitionNumber=1),
        *stack(SLICES[3:], AcquisitionNumber=2, origin=(-100, -100, -285)),
    ]
    for at, dataset in enumerate(datasets):
        dataset.SOPInstanceUID = f"1.2.{at}"
    (series,) = read_study([(f"{at}", dicom_bytes(one)) for at, one in enumerate(datasets)]).series
    assert (len(series.instances), series.notes) == (6, ())


def test_an_acquisition_each_is_one_scan() -> None:
    datasets = stack(SLICES)
    for at, dataset in enumerate(datasets):
        dataset.AcquisitionNumber = at
    (series,) = read_study([(f"{at}", dicom_bytes(one)) for at, one in enumerate(datasets)]).series
    assert (len(series.instances), series.notes) == (6, ())


def test_two_kernels_of_two_passes_leave_one() -> None:
    tags = [
        {"ConvolutionKernel": kernel, "AcquisitionNumber": number}
        for kernel in ("BONE", "LUNG")
        for number in (1, 2)
    ]
    (series,) = read(*tags).series
    assert [item.sop_instance_uid for item in series.instances] == [f"1.2.2.{at}" for at in range(6)]
    assert series.notes[0].values["n"] == 18


def test_phases_of_a_multi_frame_object() -> None:
    dataset = enhanced([*SLICES, *SLICES])
    for at, frame in enumerate(dataset.PerFrameFunctionalGroupsSequence):
        (place,) = frame.PlanePositionSequence
        place.ImagePositionPatient = [0.0, 0.0, 5.0 * (at % 6)]
        content = type(frame)()
        content.TemporalPositionIndex = 1 + at // 6
        frame.FrameContentSequence = [content]
    study = read_study([("v.dcm", dicom_bytes(dataset))])
    assert [item.frame for item in study.series[0].instances] == [1, 2, 3, 4, 5, 6]
    assert np.all([(item.frame or 0) > 6 for item in study.loose])
