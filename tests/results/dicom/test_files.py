from __future__ import annotations

from io import BytesIO
from pathlib import Path

import pytest
from pydicom import dcmread, uid

from answers import MODEL_USED, make_answer, make_series
from covidct.errors import ReportError
from covidct.inference.classifier import Classifier
from covidct.inference.series_result import to_refused_answer
from covidct.results.dicom.files import (
    SC,
    SEG,
    SR,
    choose_reported,
    to_object_files,
    write_objects,
)
from covidct.series.study import read_study
from covidct.series.types import RefusedSeries, SeriesAnswer
from covidct.types import Reason, Status
from makers import dicom_bytes
from patients import patient_dataset
from stacks import enhanced
from stacks import volume as stacked


def refused() -> RefusedSeries:
    series = make_series([patient_dataset(number, series="9") for number in (1, 2, 3)])
    return RefusedSeries(series, Reason.DERIVED, "a projection")


def other() -> SeriesAnswer:
    return make_answer(series="2")


TIMES = ("TimezoneOffsetFromUTC", "SeriesDate", "SeriesTime")


def test_an_answer_gives_report_and_picture() -> None:
    made = to_object_files(make_answer())
    assert list(made.files) == [SR, SC]
    report = dcmread(BytesIO(made.files[SR]))
    assert made.report["SOPInstanceUID"] == report.SOPInstanceUID
    assert list(to_object_files(make_answer(), picture=False).files) == [SR]
    assert list(to_object_files(make_answer(), report=False).files) == [SC]
    for data in to_object_files(make_answer(), segmentation=True).files.values():
        assert all(keyword in dcmread(BytesIO(data)) for keyword in TIMES)
    assert list(to_object_files(make_answer(), segmentation=True).files) == [SR, SC, SEG]


def test_a_refusal_gives_a_report_alone() -> None:
    answer = to_refused_answer(refused(), model=MODEL_USED)
    assert (answer.result.status, answer.result.reason) == (Status.REFUSED, Reason.DERIVED)
    assert list(to_object_files(answer).files) == [SR]


def test_refused_series_are_reported_where_nothing_else_is() -> None:
    answer = make_answer()
    other = to_refused_answer(refused(), model=MODEL_USED)
    assert choose_reported([answer, other]) == [answer]
    assert choose_reported([other]) == [other]


def test_one_series_goes_to_a_file_or_into_a_folder(tmp_path: Path) -> None:
    made = [to_object_files(make_answer())]
    assert write_objects(made, SR, tmp_path / "answer.dcm") == [tmp_path / "answer.dcm"]
    assert dcmread(tmp_path / "answer.dcm").Modality == "SR"
    (path,) = write_objects(made, SC, tmp_path)
    assert path.name == f"{made[0].series_uid}.sc.dcm"
    assert not list(tmp_path.glob("*.partial"))


def test_several_series_need_a_folder(tmp_path: Path) -> None:
    made = [to_object_files(make_answer()), to_object_files(other())]
    assert len(write_objects(made, SR, tmp_path)) == 2
    with pytest.raises(ReportError, match="2 series; name an existing folder"):
        write_objects(made, SR, tmp_path / "answer.dcm")


def test_where_there_is_none_it_is_told(tmp_path: Path) -> None:
    made = [to_object_files(to_refused_answer(refused(), model=MODEL_USED))]
    with pytest.raises(ReportError, match="no series was answered for, so there is no picture"):
        write_objects(made, SC, tmp_path / "picture.dcm")


def test_an_enhanced_object_is_reported_by_its_frames_and_with_its_patient(
    tmp_path: Path, tiny_bundle: Path
) -> None:
    volume = enhanced(stacked(5, lesions=(1, 2, 3)), PatientName="Doe^Jane", PatientID="E1")
    (tmp_path / "volume.dcm").write_bytes(dicom_bytes(volume))
    (series,) = read_study([str(tmp_path / "volume.dcm")]).series
    made = to_object_files(Classifier.load(tiny_bundle).predict_series(series))
    report = dcmread(BytesIO(made.files[SR]))
    assert (report.PatientName, report.PatientID) == ("Doe^Jane", "E1")
    references = [item for item in report.iterall() if item.keyword == "ReferencedFrameNumber"]
    assert len(references) == 10, "five frames, each under the series and under itself"
    classes = {item.value for item in report.iterall() if item.keyword == "ReferencedSOPClassUID"}
    assert classes == {uid.EnhancedCTImageStorage}
