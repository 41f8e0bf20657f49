from __future__ import annotations

import subprocess
from collections.abc import Callable
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from highdicom.seg import segread
from numpy.typing import NDArray
from pydicom import dcmread, uid
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.tag import Tag

from answers import MODEL_USED, make_answer, make_series, write_bytes
from covidct.errors import SegmentationError
from covidct.images.orientation import turn
from covidct.inference.classifier import Classifier
from covidct.inference.overlay import FULL, lay_strength
from covidct.inference.series_result import to_refused_answer
from covidct.results.dicom.patient_study import read_patient_study
from covidct.results.dicom.seg import LEVEL, to_seg
from covidct.results.dicom.sr import to_bytes
from covidct.series.study import read_study
from covidct.series.types import RefusedSeries, SeriesAnswer
from covidct.types import DISCLAIMER, Box, Evidence, Reason
from figures.predictions import evidence_of, predicted, with_prediction
from makers import dicom_bytes
from patients import NAME, PATIENT_ID, STUDY_UID, patient_dataset, words
from services.pacs import needs
from stacks import enhanced, save, stack, volume
from studies import SLICES, rotated, stored_turned

SIDE = 64


def make(answer: SeriesAnswer) -> Dataset:
    """The segmentation, written and read again."""
    made = to_seg(answer, read_patient_study(answer.series))
    assert made is not None
    return dcmread(BytesIO(to_bytes(made)))


def masks(segmentation: Dataset, *uids: str) -> NDArray[np.bool_]:
    """The segment on slices by SOPInstanceUID, (N, H, W), as a reader of segmentations has it."""
    pixels = segread(BytesIO(to_bytes(segmentation))).get_pixels_by_source_instance(
        list(uids), ignore_spatial_locations=False, assert_missing_frames_are_empty=True
    )
    assert pixels.shape[3] == 1
    return np.asarray(pixels[..., 0], bool)


def with_evidence(evidence: Evidence, box: Box = (0, 0, 1, 1), *, at: int = 2) -> SeriesAnswer:
    """An answer of four slices, one of which has that evidence, the others none."""
    answer = make_answer()
    none = np.zeros((4, 4), np.float32)
    slices = [with_prediction(result, evidence=none) for result in answer.slices]
    slices[at] = with_prediction(slices[at], evidence=evidence, box=box)
    return replace(answer, slices=tuple(slices))


def stronger(answer: SeriesAnswer) -> SeriesAnswer:
    """The same with ten times the evidence: the tiny model is faint."""
    slices = (with_prediction(result, evidence=10 * evidence_of(result)) for result in answer.slices)
    return replace(answer, slices=tuple(slices))


def references(segmentation: Dataset) -> list[str]:
    """The slices that frames are of, by SOPInstanceUID."""
    return [
        source.ReferencedSOPInstanceUID
        for frame in segmentation.PerFrameFunctionalGroupsSequence
        for source in frame.DerivationImageSequence[0].SourceImageSequence
    ]


def test_it_is_of_the_same_patient_study_and_place() -> None:
    answer = make_answer()
    made = make(answer)
    assert (made.SOPClassUID, made.Modality) == (uid.SegmentationStorage, "SEG")
    assert (made.PatientName, made.PatientID, made.StudyInstanceUID) == (NAME, PATIENT_ID, STUDY_UID)
    assert made.FrameOfReferenceUID == f"{STUDY_UID}.1.0"
    assert made.SeriesInstanceUID != answer.series.uid
    assert made.SeriesDescription == "covidct of series 1, research use only"
    assert (made.Rows, made.Columns, made.SegmentationType) == (SIDE, SIDE, "BINARY")
    measures = made.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0]
    assert (list(measures.PixelSpacing), measures.SliceThickness) == ([0.7, 0.8], 5)


def test_it_says_what_it_is_and_what_made_it() -> None:
    (segment,) = make(make_answer()).SegmentSequence
    assert segment.SegmentLabel == "Evidence for COVID-19"
    assert segment.SegmentAlgorithmType == "AUTOMATIC"
    (algorithm,) = segment.SegmentationAlgorithmIdentificationSequence
    assert (algorithm.AlgorithmName, algorithm.AlgorithmVersion) == ("tiny", "1.2.3")
    assert segment.SegmentedPropertyTypeCodeSequence[0].CodingSchemeDesignator == "99COVIDCT"
    assert DISCLAIMER in segment.SegmentDescription
    assert "/home" not in words(make(make_answer()))


def test_slices_with_evidence_have_a_frame() -> None:
    answer = make_answer()
    made = make(answer)
    uids = [f"{STUDY_UID}.1.{number}" for number in (1, 2, 3, 4)]
    assert sorted(references(made)) == uids[1:3]
    assert [mask.all() for mask in masks(made, *uids)] == [False, True, True, False]
    positions = [
        float(frame.PlanePositionSequence[0].ImagePositionPatient[2])
        for frame in made.PerFrameFunctionalGroupsSequence
    ]
    assert dict(zip(references(made), positions, strict=True)) == {uids[1]: 10, uids[2]: 15}


@pytest.mark.parametrize("box", [(0.0, 0.0, 1.0, 1.0), (0.25, 0.5, 0.75, 1.0), (0.5, 0.0, 0.875, 0.25)])
@pytest.mark.parametrize(("row", "column"), [(0, 0), (0, 3), (2, 1), (3, 3)])
def test_the_strongest_evidence_lies_where_the_map_says(box: Box, row: int, column: int) -> None:
    evidence = np.zeros((4, 4), np.float32)
    evidence[row, column] = 3 * FULL
    made = make(with_evidence(evidence, box))
    (mask,) = masks(made, f"{STUDY_UID}.1.3")
    left, top, right, bottom = box
    at = (
        int(SIDE * (top + (bottom - top) * (row + 0.5) / 4)),
        int(SIDE * (left + (right - left) * (column + 0.5) / 4)),
    )
    assert mask[at]
    # (A cell and a half about it, as cells are drawn smoothly.)
    rows, columns = np.nonzero(mask)
    assert np.abs(rows - at[0]).max() <= 1.5 * SIDE * (bottom - top) / 4
    assert np.abs(columns - at[1]).max() <= 1.5 * SIDE * (right - left) / 4


def test_the_level_is_half_of_full_colour() -> None:
    below, above = np.full((4, 4), LEVEL - 0.1, np.float32), np.full((4, 4), LEVEL + 0.1, np.float32)
    assert not masks(make(with_evidence(below)), f"{STUDY_UID}.1.3").any()
    assert masks(make(with_evidence(above)), f"{STUDY_UID}.1.3").all()


def test_without_evidence_it_is_empty_on_the_most_telling_slice() -> None:
    made = make(with_evidence(np.zeros((4, 4), np.float32)))
    assert made.NumberOfFrames == 1
    assert references(made) == [f"{STUDY_UID}.1.3"]
    assert not masks(made, f"{STUDY_UID}.1.3").any()


def test_without_an_answer_there_is_none() -> None:
    series = make_series([patient_dataset(number) for number in (1, 2, 3)])
    answer = to_refused_answer(RefusedSeries(series, Reason.LOCALISER, "a localiser"), model=MODEL_USED)
    assert to_seg(answer, read_patient_study(series)) is None


@pytest.mark.parametrize(
    ("tags", "message"),
    [
        ({"FrameOfReferenceUID": None}, r"3\.dcm: lacks FrameOfReferenceUID, .*leave the segmentation out"),
        ({"ImagePositionPatient": None}, r"3\.dcm: lacks ImagePositionPatient"),
        ({"PixelSpacing": None}, r"3\.dcm: lacks PixelSpacing"),
        ({"FrameOfReferenceUID": "1.2.3"}, "have 2 frames of reference, and a segmentation has one"),
    ],
)
def test_images_that_do_not_say_where_they_lie(tags: dict[str, Any], message: str) -> None:
    answer = make_answer()
    third = make_series([patient_dataset(3, **tags)]).instances[0]
    instances = list(answer.series.instances)
    instances[2] = replace(instances[2], blob=third.blob)
    answer = replace(answer, series=replace(answer.series, instances=tuple(instances)))
    with pytest.raises(SegmentationError, match=message):
        to_seg(answer, read_patient_study(answer.series))


@pytest.mark.parametrize("arrange", [rotated(20), *(stored_turned(at) for at in (1, 2, 3))])
def test_it_lies_on_the_pixels_as_they_are_stored(
    tiny_bundle: Path, tmp_path: Path, arrange: Callable[[Path], list[Path]]
) -> None:
    classifier = Classifier.load(tiny_bundle, threads=1)

    def segment(given: list[Path]) -> tuple[SeriesAnswer, list[NDArray[np.bool_]]]:
        answer = stronger(classifier.predict_series(read_study(given).series[0]))
        uids = [str(item.sop_instance_uid) for item in answer.series.instances]
        return answer, list(masks(make(answer), *uids))

    plain = save(tmp_path / "plain", stack(SLICES, FrameOfReferenceUID="1.2.9"))
    _, expected = segment([plain])
    given = arrange(tmp_path / "s")
    for path in (path for folder in given for path in sorted(folder.iterdir())):
        dataset = dcmread(path)
        dataset.FrameOfReferenceUID = "1.2.9"
        path.write_bytes(dicom_bytes(dataset))
    answer, found = segment(given)
    assert 0 < np.mean(expected) < 1
    for mask, other, instance in zip(found, expected, answer.series.instances, strict=True):
        np.testing.assert_array_equal(turn(mask, instance.turn), other)


def test_frames_of_an_enhanced_object(tiny_bundle: Path, tmp_path: Path) -> None:
    path = write_bytes(tmp_path, "v.dcm", dicom_bytes(volume_with_patient()))
    answer = stronger(Classifier.load(tiny_bundle).predict_series(read_study([path]).series[0]))
    made = make(answer)
    sources = [
        source
        for frame in made.PerFrameFunctionalGroupsSequence
        for source in frame.DerivationImageSequence[0].SourceImageSequence
    ]
    assert {source.ReferencedSOPClassUID for source in sources} == {uid.EnhancedCTImageStorage}
    frames = [int(source.ReferencedFrameNumber) for source in sources]
    assert sorted(frames) == [1, 2, 3, 4, 5]
    pixels = segread(BytesIO(to_bytes(made))).get_pixels_by_source_frame(
        str(answer.series.instances[0].sop_instance_uid), frames
    )
    for frame, mask in zip(frames, pixels[..., 0], strict=True):
        at = next(at for at, item in enumerate(answer.series.instances) if item.frame == frame)
        expected = lay_strength(evidence_of(answer.slices[at]), shape=(SIDE, SIDE)) >= LEVEL / FULL
        np.testing.assert_array_equal(mask, expected)


def volume_with_patient() -> Dataset:
    return enhanced(volume(5, lesions=(1, 2)), PatientID="E1", FrameOfReferenceUID="1.2.9")


def test_sequences_that_nobody_could_read_leave_the_segmentation_out(
    tiny_bundle: Path, tmp_path: Path
) -> None:
    dataset = volume_with_patient()
    zeros = bytes(400_000)
    dataset["SourceImageSequence"] = RawDataElement(
        Tag("SourceImageSequence"), "SQ", len(zeros), zeros, 0, False, True
    )
    path = write_bytes(tmp_path, "v.dcm", dicom_bytes(dataset))
    answer = stronger(Classifier.load(tiny_bundle).predict_series(read_study([path]).series[0]))
    with pytest.raises(SegmentationError, match=r"v\.dcm: damaged DICOM \(far too many items\)"):
        make(answer)


def test_others_find_it_valid(tiny_bundle: Path, tmp_path: Path) -> None:
    needs("dciodvfy")
    path = write_bytes(tmp_path, "v.dcm", dicom_bytes(volume_with_patient()))
    frames = Classifier.load(tiny_bundle).predict_series(read_study([path]).series[0])
    for answer in (make_answer(), with_evidence(np.zeros((4, 4), np.float32)), frames):
        written = write_bytes(tmp_path, "seg.dcm", to_bytes(make(answer)))
        checked = subprocess.run(["dciodvfy", written], capture_output=True, text=True, check=False)
        assert "Segmentation" in checked.stderr
        assert not [line for line in checked.stderr.splitlines() if line.startswith("Error")]


def test_a_real_series_under_the_model_that_ships(shared_data: Path) -> None:
    folder = shared_data / "dicom" / "lung-pet-ct-dx"
    (series,) = read_study(sorted(folder.glob("Lung_Dx-A0002*"))).series
    answer = Classifier.load(threads=1).predict_series(series)
    made = make(answer)
    answered = [item for item in answer.slices if item.prediction is not None]
    strongest = max(answered, key=lambda item: evidence_of(item).max())
    evidence = evidence_of(strongest)
    row, column = np.unravel_index(evidence.argmax(), evidence.shape)
    height, width = evidence.shape
    left, top, right, bottom = predicted(strongest).box
    (mask,) = masks(made, str(strongest.source.instance_uid))
    at = (top + (bottom - top) * (row + 0.5) / height, left + (right - left) * (column + 0.5) / width)
    assert mask[int(512 * at[0]), int(512 * at[1])]
    assert mask.mean() < 0.1
