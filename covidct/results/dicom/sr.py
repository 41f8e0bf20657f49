"""The answer for a series as a DICOM Comprehensive SR: TID 1500, Measurement Report (PS3.16).

Knows codes and templates. Standard codes are used where they exist (DCM, SCT, UCUM), 99COVIDCT otherwise.
Knows nothing of files or networks. `docs/guide/pacs.md` shows a report and its codes.
"""

from __future__ import annotations

from collections.abc import Mapping
from io import BytesIO
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from highdicom import UID
from highdicom.coding_schemes import CodingSchemeIdentificationItem
from highdicom.sr import (
    AlgorithmIdentification,
    CodedConcept,
    ComprehensiveSR,
    DeviceObserverIdentifyingAttributes,
    FindingSite,
    Measurement,
    MeasurementReport,
    MeasurementsAndQualitativeEvaluations,
    ObservationContext,
    ObserverContext,
    QualitativeEvaluation,
    RelationshipTypeValues,
    SourceImageForMeasurementGroup,
    TextContentItem,
    TrackingIdentifier,
)
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes

import covidct
from covidct.errors import ReportError
from covidct.results.dicom.patient_study import PatientStudy, put_patient_study
from covidct.results.finding_words import WORDS
from covidct.results.formats import name_model
from covidct.results.sentences import to_sentences
from covidct.series.types import Instance, SeriesAnswer
from covidct.types import AtPrevalence, Decision, Finding, Opacity, Result

SCHEME = "99COVIDCT"
COVID_19 = CodedConcept("840539006", "SCT", "COVID-19")
NOT_EVALUATED = codes.SCT.NotEvaluated
DECISIONS = {
    Decision.POSITIVE: codes.SCT.Positive,
    Decision.NEGATIVE: codes.SCT.Negative,
    Decision.INDETERMINATE: codes.SCT.Indeterminate,
}
SLICES = CodedConcept("slices", SCHEME, "Slices in the series")
ANSWERED = CodedConcept("answered", SCHEME, "Slices with lung in view that were answered")
EVIDENCE_SHARE = CodedConcept("evidence-share", SCHEME, "Share of the answered slices decided positive")
AT_PREVALENCE = CodedConcept("probability-at-prevalence", SCHEME, "Probability at the prevalence asked for")
APPEARANCE = CodedConcept("appearance", SCHEME, "Appearance of the lungs, RSNA consensus on COVID-19")
OPACITY_PROBABILITY = CodedConcept("opacity-probability", SCHEME, "Probability that there is an opacity")
EXTENT = CodedConcept("extent", SCHEME, "Share of the lungs that is opaque")
REASON = CodedConcept("reason", SCHEME, "Why not answered, or why undecided")
SERIES_NUMBER = 99_000  # added to that of the series, so that reports come after the images


def to_sr(
    answer: SeriesAnswer, patient_study: PatientStudy, *, previous: Mapping[str, str] | None = None
) -> Dataset:
    """Make the report, complete and unverified, in a series of its own in the same study.

    A refused series gives a report too: that it was not answered, and why. `previous` are the four UIDs of
    the report that this one replaces, by keyword. Raises ReportError where an instance lacks its UIDs.
    """
    report = ComprehensiveSR(
        evidence=[to_evidence(instance, patient_study) for instance in _distinct(answer)],
        content=_to_content(answer),
        series_instance_uid=UID(),
        series_number=SERIES_NUMBER + patient_study.series_number,
        sop_instance_uid=UID(),
        instance_number=1,
        is_complete=True,
        previous_versions=[_to_dataset(previous)] if previous else None,
        coding_schemes=[CodingSchemeIdentificationItem(SCHEME, name="Concepts of covidct")],
        **to_equipment(patient_study),
    )
    put_patient_study(report, patient_study)
    return report


def to_equipment(patient_study: PatientStudy) -> dict[str, Any]:
    """What the SR and the picture say alike of their series and of what made them."""
    return {
        "manufacturer": "covidct",
        "manufacturer_model_name": "covidct",
        "software_versions": covidct.__version__,
        "series_description": f"covidct of series {patient_study.series_number}, research use only",
    }


def to_bytes(dataset: Dataset) -> bytes:
    """A DICOM file (PS3.10) with the object in it."""
    buffer = BytesIO()
    dataset.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def to_references(dataset: Dataset) -> dict[str, str]:
    """The four UIDs by which another object refers to this one, by keyword."""
    keywords = ("StudyInstanceUID", "SeriesInstanceUID", "SOPClassUID", "SOPInstanceUID")
    return {keyword: str(dataset[keyword].value) for keyword in keywords}


def to_evidence(instance: Instance, patient_study: PatientStudy) -> Dataset:
    """What highdicom needs to refer to an object; without a patient, as it would log names it finds odd."""
    evidence = Dataset()
    for keyword in (
        "PatientID",
        "PatientName",
        "PatientBirthDate",
        "PatientSex",
        "AccessionNumber",
        "StudyID",
    ):
        setattr(evidence, keyword, None)
    evidence.StudyDate = evidence.StudyTime = None
    evidence.StudyInstanceUID, evidence.SeriesInstanceUID = patient_study.study_uid, patient_study.series_uid
    evidence.SOPClassUID, evidence.SOPInstanceUID = _to_uids(instance)
    return evidence


def _to_content(answer: SeriesAnswer) -> MeasurementReport:
    content = MeasurementReport(
        observation_context=_to_context(answer.result),
        procedure_reported=codes.SCT.ComputedTomography,
        imaging_measurements=[_to_series_group(answer), *_to_slice_groups(answer)],
        title=codes.DCM.ImagingMeasurementReport,
    )
    root = content[0].ContentSequence
    # Before the container with the measurements: people read from the top.
    for at, sentence in enumerate(to_sentences(answer), start=len(root) - 1):
        root.insert(at, TextContentItem(codes.DCM.Comment, sentence, RelationshipTypeValues.CONTAINS))
    return content


def _to_context(result: Result) -> ObservationContext:
    """The observer is a device: this program with this graph of a model, the same UID wherever it runs."""
    device = DeviceObserverIdentifyingAttributes(
        uid=UID.from_uuid(
            str(uuid5(NAMESPACE_URL, f"covidct {covidct.__version__} {name_model(result.model)}"))
        ),
        name="covidct",
        manufacturer_name="covidct",
        model_name=result.model.name,
    )
    return ObservationContext(ObserverContext(codes.DCM.Device, device))


def _to_series_group(answer: SeriesAnswer) -> MeasurementsAndQualitativeEvaluations:
    summary, measurements = answer.result.series, []
    if summary is not None:
        measurements = [_measure(SLICES, summary.slices), _measure(ANSWERED, summary.answered)]
        if summary.evidence_share is not None:
            measurements.append(
                _measure(EVIDENCE_SHARE, round(100 * summary.evidence_share, 2), codes.UCUM.Percent)
            )
    telling = [answer.series.instances[at] for at in (summary.telling if summary else ())]
    return _to_group("whole series", answer.result, telling, measurements)


def _to_slice_groups(answer: SeriesAnswer) -> list[MeasurementsAndQualitativeEvaluations]:
    """One group for each of the most telling slices, most telling first; slices count from 1, at the feet."""
    summary, groups = answer.result.series, []
    for at in summary.telling if summary else ():
        name = f"slice {at + 1} of {len(answer.series.instances)}"
        groups.append(_to_group(name, answer.slices[at], [answer.series.instances[at]], []))
    return groups


def _to_group(
    name: str, result: Result, images: list[Instance], measurements: list[Measurement]
) -> MeasurementsAndQualitativeEvaluations:
    """TID 1501: what was answered, by which algorithm, from which images."""
    if (made := result.prediction) is not None:
        measurements = [_measure(codes.DCM.Probability, round(made.probability, 6)), *measurements]
        if made.at_prevalence is not None:
            measurements.append(_measure(AT_PREVALENCE, round(made.at_prevalence.probability, 6)))
        measurements += _measure_opacity(made.opacity)
    value = DECISIONS[result.decision] if result.decision else NOT_EVALUATED
    evaluations = [QualitativeEvaluation(COVID_19, value), *_evaluate_opacity(result.finding)]
    if result.reason is not None:
        word = result.reason.value
        meaning = CodedConcept(word, SCHEME, word.replace("_", " ").capitalize())
        evaluations.append(QualitativeEvaluation(REASON, meaning))
    return MeasurementsAndQualitativeEvaluations(
        tracking_identifier=TrackingIdentifier(uid=UID(), identifier=name),
        algorithm_id=_to_algorithm(result),
        finding_sites=[FindingSite(codes.SCT.Lung)],
        measurements=measurements,
        qualitative_evaluations=evaluations,
        source_images=[_to_source(instance) for instance in images],
    )


def _measure_opacity(opacity: Opacity | None) -> list[Measurement]:
    """Probability and extent, where the model says them."""
    if opacity is None:
        return []
    extent = _measure(EXTENT, round(100 * opacity.extent, 2), codes.UCUM.Percent)
    if opacity.probability is None:
        return [extent]
    return [_measure(OPACITY_PROBABILITY, round(opacity.probability, 6)), extent]


def _evaluate_opacity(finding: Finding | None) -> list[QualitativeEvaluation]:
    """Whether there is an opacity, and the finding; no published scheme with verified codes has its words."""
    if finding is None:
        return []
    is_seen = codes.SCT.Absent if finding is Finding.NEGATIVE else codes.SCT.Present
    word = CodedConcept(f"appearance-{finding.value}", SCHEME, WORDS[finding])
    return [QualitativeEvaluation(codes.DCM.Opacity, is_seen), QualitativeEvaluation(APPEARANCE, word)]


def _to_algorithm(result: Result) -> AlgorithmIdentification:
    name, _, version = result.model.name.rpartition("-")
    parameters = [f"covidct {covidct.__version__}", f"{result.model.precision} graph"]
    if (made := result.prediction) is not None:
        point, (low, high) = made.operating_point, made.operating_point.band
        parameters.append(
            f"operating point {point.name}: threshold {point.threshold:.4f}, undecided {low:.4f}-{high:.4f}"
        )
        if made.at_prevalence is not None:
            parameters.append(_to_parameter(made.at_prevalence))
    return AlgorithmIdentification(
        name=name or result.model.name,
        version=version,
        parameters=parameters,
        manufacturer="covidct",
    )


def _to_parameter(worth: AtPrevalence) -> str:
    """PPV and NPV belong to the operating point, not to a slice, so they stand with its parameters."""
    values = ", ".join(
        f"{name} {'unknown' if value is None else f'{value:.4f}'}"
        for name, value in (("PPV", worth.ppv), ("NPV", worth.npv))
    )
    return f"prevalence {worth.prevalence:g} of the slices: {values}"


def _measure(name: CodedConcept, value: float, unit: CodedConcept = codes.UCUM.NoUnits) -> Measurement:
    return Measurement(name, value, unit)


def _to_source(instance: Instance) -> SourceImageForMeasurementGroup:
    frames = None if instance.frame is None else [instance.frame]
    return SourceImageForMeasurementGroup(*_to_uids(instance), frames)


def _distinct(answer: SeriesAnswer) -> list[Instance]:
    """The objects of the series; an enhanced one holds many slices."""
    return list({instance.sop_instance_uid: instance for instance in answer.series.instances}.values())


def _to_uids(instance: Instance) -> tuple[str, str]:
    """SOPClassUID and SOPInstanceUID."""
    if not (instance.sop_class_uid and instance.sop_instance_uid):
        raise ReportError(
            f"{instance.path}: lacks SOPClassUID or SOPInstanceUID, so it cannot be referred to"
        )
    return instance.sop_class_uid, instance.sop_instance_uid


def _to_dataset(values: Mapping[str, str]) -> Dataset:
    dataset = Dataset()
    for keyword, value in values.items():
        setattr(dataset, keyword, value)
    return dataset
