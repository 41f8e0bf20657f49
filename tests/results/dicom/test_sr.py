from __future__ import annotations

import logging
import subprocess
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import highdicom
import pytest
from pydicom import dcmread, uid
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes

from answers import FOLDER, MODEL, MODEL_USED, make_answer, make_series, write_bytes
from covidct.errors import ReportError
from covidct.inference.series_result import to_refused_answer
from covidct.results.dicom.patient_study import read_patient_study
from covidct.results.dicom.sr import (
    APPEARANCE,
    AT_PREVALENCE,
    COVID_19,
    EVIDENCE_SHARE,
    EXTENT,
    OPACITY_PROBABILITY,
    REASON,
    SCHEME,
    to_bytes,
    to_references,
    to_sr,
)
from covidct.results.finding_words import WORDS
from covidct.results.sentences import to_sentences
from covidct.series.types import RefusedSeries, SeriesAnswer
from covidct.types import DISCLAIMER, AtPrevalence, Decision, Finding, Opacity, Reason, Refusal, Status
from figures.predictions import with_prediction
from patients import NAME, PATIENT_ID, STUDY_UID, patient_dataset
from services.pacs import needs


def report_of(answer: SeriesAnswer, **options: Any) -> Dataset:
    """The report as another program reads it."""
    return dcmread(BytesIO(to_bytes(to_sr(answer, read_patient_study(answer.series), **options))))


def refusal() -> SeriesAnswer:
    series = make_series([patient_dataset(number) for number in (1, 2, 3)], notes=("1 slice was not read.",))
    return to_refused_answer(
        RefusedSeries(series, Reason.LOCALISER, f"{FOLDER}: series 1: a localiser, no axial slices"),
        model=MODEL_USED,
    )


def groups(report: Dataset) -> list[Any]:
    content: Any = highdicom.sr.ComprehensiveSR.from_dataset(report).content
    found: list[Any] = content.get_image_measurement_groups()
    return found


def texts(report: Dataset) -> list[str]:
    return [item.TextValue for item in report.ContentSequence if item.ValueType == "TEXT"]


def test_it_is_an_unverified_report_of_the_same_patient_and_study_in_a_series_of_its_own() -> None:
    answer = make_answer()
    report = report_of(answer)
    assert report.SOPClassUID == uid.ComprehensiveSRStorage
    assert (report.PatientName, report.PatientID, report.StudyInstanceUID) == (NAME, PATIENT_ID, STUDY_UID)
    assert report.SeriesInstanceUID != answer.series.uid
    assert (report.CompletionFlag, report.VerificationFlag) == ("COMPLETE", "UNVERIFIED")
    assert "VerifyingObserverSequence" not in report
    assert report.SeriesDescription == "covidct of series 1, research use only"
    assert report.ContentTemplateSequence[0].TemplateIdentifier == "1500"
    assert [item.CodingSchemeDesignator for item in report.CodingSchemeIdentificationSequence] == [SCHEME]


def test_every_report_has_new_uids() -> None:
    answer = make_answer()
    one, other = report_of(answer), report_of(answer)
    assert one.SOPInstanceUID != other.SOPInstanceUID
    assert one.SeriesInstanceUID != other.SeriesInstanceUID


def test_the_observer_is_a_device_the_same_each_time() -> None:
    found = [
        {
            item.ConceptNameCodeSequence[0].CodeMeaning: item
            for item in report_of(make_answer()).ContentSequence
        }
        for _ in range(2)
    ]
    assert found[0]["Observer Type"].ConceptCodeSequence[0].CodeValue == "121007"
    assert found[0]["Device Observer Model Name"].TextValue == MODEL
    assert found[0]["Device Observer UID"].UID == found[1]["Device Observer UID"].UID


def test_the_series_group_has_decision_probability_share_and_algorithm() -> None:
    whole = groups(report_of(make_answer()))[0]
    assert whole.tracking_identifier == "whole series"
    values = {item.name: (item.value, item.unit) for item in whole.get_measurements()}
    assert values[codes.DCM.Probability] == (0.5, codes.UCUM.NoUnits)
    assert values[EVIDENCE_SHARE] == (50.0, codes.UCUM.Percent)
    evaluations = {item.name: item.value for item in whole.get_qualitative_evaluations()}
    assert evaluations[COVID_19] == codes.SCT.Indeterminate
    assert evaluations[REASON].value == "near_threshold"
    algorithm = {
        item.name.meaning: item.value for item in whole[0].ContentSequence if item.ValueType == "TEXT"
    }
    assert (algorithm["Algorithm Name"], algorithm["Algorithm Version"]) == ("tiny", "1.2.3")


@pytest.mark.parametrize(
    ("decision", "code"), [(Decision.POSITIVE, codes.SCT.Positive), (Decision.NEGATIVE, codes.SCT.Negative)]
)
def test_decisions_have_standard_codes(decision: Decision, code: Any) -> None:
    answer = make_answer()
    answer = replace(answer, result=with_prediction(answer.result, decision=decision))
    evaluations = groups(report_of(answer))[0].get_qualitative_evaluations()
    assert [(item.name, item.value) for item in evaluations] == [(COVID_19, code)]


@pytest.mark.parametrize("finding", Finding)
def test_what_the_lungs_show_is_coded(finding: Finding) -> None:
    answer = make_answer()
    seen = Opacity(2.0, 1.0, 0.123456, probability=0.75, finding=finding)
    report = report_of(replace(answer, result=with_prediction(answer.result, opacity=seen)))
    whole = groups(report)[0]
    values = {item.name: (item.value, item.unit) for item in whole.get_measurements()}
    assert values[OPACITY_PROBABILITY] == (0.75, codes.UCUM.NoUnits)
    assert values[EXTENT] == (12.35, codes.UCUM.Percent)
    evaluations = {item.name: item.value for item in whole.get_qualitative_evaluations()}
    is_clear = finding is Finding.NEGATIVE
    assert evaluations[codes.DCM.Opacity] == (codes.SCT.Absent if is_clear else codes.SCT.Present)
    assert (evaluations[APPEARANCE].scheme_designator, evaluations[APPEARANCE].meaning) == (
        SCHEME,
        WORDS[finding],
    )
    assert any(WORDS[finding] in text for text in texts(report))


def test_without_cutoffs_the_report_has_the_extent_alone() -> None:
    answer = make_answer()
    whole = groups(
        report_of(replace(answer, result=with_prediction(answer.result, opacity=Opacity(2, 1, 0.1))))
    )[0]
    names = {item.name for item in whole.get_measurements()}
    assert EXTENT in names
    assert OPACITY_PROBABILITY not in names
    assert APPEARANCE not in {item.name for item in whole.get_qualitative_evaluations()}


def test_telling_slices_have_groups_of_their_own_that_refer_to_their_images() -> None:
    answer = make_answer()
    first, second = groups(report_of(answer))[1:]
    assert (first.tracking_identifier, second.tracking_identifier) == ("slice 3 of 4", "slice 2 of 4")
    (image,) = first.source_images
    assert image.referenced_sop_instance_uid == answer.series.instances[2].sop_instance_uid


def test_a_prevalence_is_said_of_slices_not_of_the_series() -> None:
    answer = make_answer()
    worth = AtPrevalence(0.05, 0.1234, 0.25, None)
    slices = tuple(with_prediction(item, at_prevalence=worth) for item in answer.slices)
    report = report_of(replace(answer, slices=slices))
    whole, *others = groups(report)
    assert AT_PREVALENCE not in {item.name for item in whole.get_measurements()}
    for group in others:
        values = {item.name: item.value for item in group.get_measurements()}
        assert values[AT_PREVALENCE] == pytest.approx(0.1234)
        assert "prevalence 0.05 of the slices: PPV 0.2500, NPV unknown" in [
            item.TextValue for item in group[0].ContentSequence if item.ValueType == "TEXT"
        ]
    assert any(
        "slices where 0.05 of such slices show COVID-19; the series has none" in t for t in texts(report)
    )


def test_all_images_of_the_series_are_named_as_evidence() -> None:
    answer = make_answer()
    report = report_of(answer)
    named = {
        instance.ReferencedSOPInstanceUID
        for keyword in ("CurrentRequestedProcedureEvidenceSequence", "PertinentOtherEvidenceSequence")
        for study in report.get(keyword, [])
        for series in study.ReferencedSeriesSequence
        for instance in series.ReferencedSOPSequence
    }
    assert named == {instance.sop_instance_uid for instance in answer.series.instances}


def test_frames_of_an_enhanced_object_are_referred_to_by_number() -> None:
    answer = make_answer()
    one = answer.series.instances[0]
    frames = tuple(
        replace(one, frame=number, sop_class_uid=uid.EnhancedCTImageStorage) for number in range(1, 5)
    )
    answer = replace(answer, series=replace(answer.series, instances=frames))
    image = groups(report_of(answer))[1].source_images[0]
    assert image.referenced_frame_numbers == [3]


def test_what_people_read_says_the_answer_and_what_it_is_for() -> None:
    found = texts(report_of(make_answer()))
    assert found[-3:] == [
        "COVID-19: indeterminate, probability 0.500. 4 of 4 slices answered, 50% of them decided positive.",
        "2 gaps between slices.",
        DISCLAIMER,
    ]


def test_a_refused_series_gets_a_report_that_says_why() -> None:
    report = report_of(refusal())
    (whole,) = groups(report)
    evaluations = {item.name: item.value for item in whole.get_qualitative_evaluations()}
    assert evaluations[COVID_19] == codes.SCT.NotEvaluated
    assert evaluations[REASON].value == "localiser"
    assert codes.DCM.Probability not in [item.name for item in whole.get_measurements()]
    assert "Series 1: a localiser, no axial slices" in texts(report)
    assert texts(report)[-1] == DISCLAIMER


def test_no_path_gets_into_the_pacs() -> None:
    answer = make_answer(notes=(f"{FOLDER}/2.dcm: not read.", f"{FOLDER} has a gap."))
    answer = replace(answer, result=with_prediction(answer.result, message=f"{FOLDER}: undecided"))
    assert not [sentence for sentence in to_sentences(answer) if "jane" in sentence]
    assert "Not read." in to_sentences(answer)
    assert b"/home/" not in to_bytes(to_sr(answer, read_patient_study(answer.series)))


def test_a_report_names_the_one_that_it_replaces() -> None:
    before = report_of(make_answer())
    report = report_of(make_answer(), previous=to_references(before))
    (study,) = report.PredecessorDocumentsSequence
    (series,) = study.ReferencedSeriesSequence
    assert series.SeriesInstanceUID == before.SeriesInstanceUID
    assert series.ReferencedSOPSequence[0].ReferencedSOPInstanceUID == before.SOPInstanceUID


def test_an_instance_without_its_uids_cannot_be_referred_to() -> None:
    answer = make_answer()
    bare = tuple(replace(instance, sop_instance_uid=None) for instance in answer.series.instances)
    with pytest.raises(ReportError, match="lacks SOPClassUID or SOPInstanceUID"):
        to_sr(
            replace(answer, series=replace(answer.series, instances=bare)), read_patient_study(answer.series)
        )


def test_names_that_are_odd_are_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    """highdicom warns of names without a caret, and would write them into the node's log."""
    with caplog.at_level(logging.DEBUG):
        report = report_of(make_answer(PatientName="Doe Jane", PatientSex="U"))
    assert (report.PatientName, report.PatientSex) == ("Doe Jane", "U")
    assert "Doe" not in caplog.text


@pytest.mark.parametrize("make", [make_answer, refusal])
def test_others_find_it_valid_and_can_read_it(tmp_path: Path, make: Any) -> None:
    needs("dciodvfy", "dsrdump")
    answer = make()
    path = write_bytes(tmp_path, "sr.dcm", to_bytes(to_sr(answer, read_patient_study(answer.series))))
    checked = subprocess.run(["dciodvfy", path], capture_output=True, text=True, check=False)
    assert "ComprehensiveSR" in checked.stderr
    assert not [line for line in checked.stderr.splitlines() if line.startswith("Error")]
    dumped = subprocess.run(["dsrdump", "+Pl", path], capture_output=True, text=True, check=True)
    assert DISCLAIMER in dumped.stdout
    assert "COVID-19" in dumped.stdout


@pytest.mark.parametrize("status", [Status.ERROR, Status.REFUSED])
def test_a_series_without_an_answer_is_said_to_have_none(status: Status) -> None:
    answer = refusal()
    result = replace(answer.result, status=status, answer=Refusal(Reason.UNREADABLE, "damaged"))
    assert to_sentences(replace(answer, result=result))[0] == "COVID-19: not answered (unreadable)."
