"""The patient and study modules of a series' instances, for the objects that are made from it.

Knows the modules that new objects of a study have in common with it (PS3.3 C.7.1.1, C.7.2.1, C.7.2.2). Knows
nothing of pixels or answers.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace
from typing import Any

from pydicom.dataset import Dataset
from pydicom.valuerep import PersonName

from covidct.errors import ReportError
from covidct.images.library_errors import damage_as
from covidct.results.dicom.source_header import read_source_header
from covidct.results.dicom.times import put_times
from covidct.series.enhanced import FrameBlob
from covidct.series.types import Instance, Series

# Type 2: there, if empty (PS3.5 7.4.3).
EMPTY = (
    "PatientName",
    "PatientID",
    "PatientBirthDate",
    "PatientSex",
    "StudyDate",
    "StudyTime",
    "AccessionNumber",
    "StudyID",
    "ReferringPhysicianName",
)
SHARED = (
    *EMPTY,
    "StudyInstanceUID",
    "IssuerOfPatientID",
    "OtherPatientIDsSequence",
    "PatientAge",
    "PatientSize",
    "PatientWeight",
    "PatientIdentityRemoved",
    "DeidentificationMethod",
    "DeidentificationMethodCodeSequence",
    "StudyDescription",
)
_ASKED = (
    *SHARED,
    "SpecificCharacterSet",
    "TimezoneOffsetFromUTC",
    "SeriesInstanceUID",
    "SeriesNumber",
    "ImageOrientationPatient",
    "BurnedInAnnotation",
    "ConversionType",
)
# What must be the same in all instances; another patient's slice in a series is worse than no report.
_SAME = ("PatientID", "StudyInstanceUID", "SeriesInstanceUID")


@dataclass(frozen=True)
class PatientStudy:
    """The modules of patient and study, their text decoded, and what new objects need of the series.

    `is_oriented` is whether its slices say where the patient's left and right are; `zone` is its
    TimezoneOffsetFromUTC, empty if there is none. `may_name` is whether text in the pixels of a slice may
    name the patient (PS3.3 C.7.6.1): its header says so, or it is a secondary capture and does not deny it.
    """

    modules: Dataset
    study_uid: str
    series_uid: str
    series_number: int
    is_oriented: bool
    zone: str = ""
    may_name: bool = False


def read_patient_study(series: Series) -> PatientStudy:
    """Read whose series it is, from the headers of all its instances.

    Raises ReportError where it is not of DICOM, a header cannot be read or lacks the UIDs, and where patient
    or study are not one and the same. Messages name files, no values.
    """
    headers: dict[str, Dataset] = {}
    for instance in series.instances:
        if instance.path not in headers:
            headers[instance.path] = _read_header(instance)
    if not headers:
        raise ReportError(f"{series.path}: a series without instances; there is nothing to report")
    first = next(iter(headers.values()))
    for path, header in headers.items():
        if different := [keyword for keyword in _SAME if header.get(keyword) != first.get(keyword)]:
            raise ReportError(
                f"{path}: has another {different[0]} than the rest of the series; no report is made of a "
                "mixed series: sort it out, or export it again"
            )
    study = _to_patient_study(first, series.path)
    return replace(study, may_name=any(map(_may_name, headers.values())))


def put_patient_study(target: Dataset, patient_study: PatientStudy) -> None:
    """Give a new object the patient and study of the series, whatever it had before, and its times."""
    for keyword in SHARED:
        if keyword in target:
            delattr(target, keyword)
        if keyword in patient_study.modules:
            target[keyword] = copy.deepcopy(patient_study.modules[keyword])
        elif keyword in EMPTY:
            setattr(target, keyword, None)
    target.SpecificCharacterSet = "ISO_IR 192"
    put_times(target, patient_study.zone)


def _read_header(instance: Instance) -> Dataset:
    if instance.blob is None:
        raise ReportError(f"{instance.path}: not read from DICOM, so no DICOM report can be made of it")
    # A frame that was made an object of its own has left the patient behind.
    frame = instance.blob if isinstance(instance.blob, FrameBlob) else None
    blob = frame.volume if frame else instance.blob
    unread = ReportError(f"{instance.path}: its header cannot be read; copy it again")
    with damage_as(lambda _: unread):
        header = read_source_header(blob, list(_ASKED), name=instance.path)
        if frame and "ImageOrientationPatient" in frame.head:
            header.ImageOrientationPatient = frame.head.ImageOrientationPatient
    if not (header.get("StudyInstanceUID") and header.get("SeriesInstanceUID")):
        raise ReportError(
            f"{instance.path}: lacks StudyInstanceUID or SeriesInstanceUID, so there is no study to report to"
        )
    return header


def _may_name(header: Dataset) -> bool:
    said = str(header.get("BurnedInAnnotation") or "").strip().upper()
    return said == "YES" or (said != "NO" and bool(header.get("ConversionType")))


def _to_patient_study(header: Dataset, path: str) -> PatientStudy:
    modules = Dataset()
    for keyword in SHARED:
        if keyword in header:
            element = copy.deepcopy(header[keyword])
            element.value = _to_text(element.value)
            modules[keyword] = element
    number = header.get("SeriesNumber")
    return PatientStudy(
        modules=modules,
        study_uid=str(header.StudyInstanceUID),
        series_uid=str(header.SeriesInstanceUID),
        series_number=int(number) if number is not None and str(number).isdecimal() else 0,
        is_oriented=bool(header.get("ImageOrientationPatient")),
        zone=str(header.get("TimezoneOffsetFromUTC") or ""),
    )


def _to_text(value: Any) -> Any:
    """Names without memory of the character set that they were written in."""
    return PersonName(str(value)) if isinstance(value, PersonName) else value
