from __future__ import annotations

import subprocess
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom import dcmread, uid

from answers import MODEL_USED, make_answer, make_series, write_bytes
from covidct.errors import ReadError
from covidct.inference.series_result import to_refused_answer
from covidct.results.dicom.patient_study import read_patient_study
from covidct.results.dicom.sc import to_sc
from covidct.results.dicom.sr import to_bytes
from covidct.series.types import RefusedSeries
from covidct.types import DISCLAIMER, Reason
from patients import NAME, PATIENT_ID, STUDY_UID, patient_dataset
from services.pacs import needs


def test_it_is_a_picture_of_the_same_patient_and_study() -> None:
    answer = make_answer()
    made = to_sc(answer, read_patient_study(answer.series))
    assert made is not None
    picture = dcmread(BytesIO(to_bytes(made)))
    assert picture.SOPClassUID == uid.SecondaryCaptureImageStorage
    assert (picture.PatientName, picture.PatientID, picture.StudyInstanceUID) == (NAME, PATIENT_ID, STUDY_UID)
    assert picture.SeriesInstanceUID != answer.series.uid
    assert picture.Modality != "CT", "or it would be sent to be answered itself"
    assert (picture.BurnedInAnnotation, picture.ImageComments) == ("NO", DISCLAIMER)
    assert picture.SeriesDescription == "covidct of series 1, research use only"
    assert list(picture.PatientOrientation) == ["L", "P"]
    shown = picture.pixel_array
    assert shown.shape[2] == 3
    assert (np.ptp(shown.astype(int), axis=2) > 40).any(), "there is evidence, which is coloured"


@pytest.mark.parametrize(
    ("tags", "said"),
    [
        ({"BurnedInAnnotation": "YES"}, "YES"),
        ({"ConversionType": "WSD"}, "YES"),
        ({"ConversionType": "WSD", "BurnedInAnnotation": "NO"}, "NO"),
        ({"BurnedInAnnotation": "NO"}, "NO"),
        ({"BurnedInAnnotation": None}, "NO"),
    ],
)
def test_text_that_is_burnt_in_is_not_copied_without_a_warning(tags: dict[str, Any], said: str) -> None:
    answer = make_answer(**tags)
    picture = to_sc(answer, read_patient_study(answer.series))
    assert picture is not None
    assert picture.BurnedInAnnotation == said
    assert ("may name the patient" in picture.ImageComments) == (said == "YES")


def test_where_the_slices_lie_is_said_only_where_it_is_known() -> None:
    answer = make_answer(ImageOrientationPatient=None)
    picture = to_sc(answer, read_patient_study(answer.series))
    assert picture is not None
    assert not picture.PatientOrientation


def test_without_an_answer_there_is_no_picture() -> None:
    series = make_series([patient_dataset(number) for number in (1, 2, 3)])
    answer = to_refused_answer(RefusedSeries(series, Reason.LOCALISER, "a localiser"), model=MODEL_USED)
    assert to_sc(answer, read_patient_study(series)) is None


def test_a_slice_that_is_gone_is_told() -> None:
    answer = make_answer()
    patient_study = read_patient_study(answer.series)
    gone = tuple(replace(instance, blob=None) for instance in answer.series.instances)
    with pytest.raises(ReadError, match="nothing to read pixels from"):
        to_sc(replace(answer, series=replace(answer.series, instances=gone)), patient_study)


def test_others_find_it_valid(tmp_path: Path) -> None:
    needs("dciodvfy")
    answer = make_answer()
    picture = to_sc(answer, read_patient_study(answer.series))
    assert picture is not None
    path = write_bytes(tmp_path, "sc.dcm", to_bytes(picture))
    checked = subprocess.run(["dciodvfy", path], capture_output=True, text=True, check=False)
    assert "SCImage" in checked.stderr
    assert not [line for line in checked.stderr.splitlines() if line.startswith("Error")]
