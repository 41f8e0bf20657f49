"""The answer for a series as files of DICOM objects: the report, picture and segmentation.

Knows which objects belong together and what they are called. Knows nothing of where they go.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from covidct.errors import ReportError
from covidct.images.files import write_beside
from covidct.results.dicom.patient_study import read_patient_study
from covidct.results.dicom.sc import to_sc
from covidct.results.dicom.seg import to_seg
from covidct.results.dicom.sr import to_bytes, to_references, to_sr
from covidct.series.types import SeriesAnswer

SR, SC, SEG = "sr.dcm", "sc.dcm", "seg.dcm"
KINDS = {SR: "report", SC: "picture", SEG: "segmentation"}


@dataclass(frozen=True)
class ObjectFiles:
    """The requested files by name; `sc.dcm` and `seg.dcm` only if slices were answered.

    `report` are the SR's UIDs by keyword. `series_uid` is that of their series.
    """

    files: Mapping[str, bytes]
    report: Mapping[str, str]
    series_uid: str


def to_object_files(
    answer: SeriesAnswer,
    *,
    previous: Mapping[str, str] | None = None,
    report: bool = True,
    picture: bool = True,
    segmentation: bool = False,
) -> ObjectFiles:
    """Make the requested objects. `previous` are the UIDs of the SR that this one replaces.

    Raises ReportError; SegmentationError where only the segmentation cannot be made.
    """
    patient_study = read_patient_study(answer.series)
    made = to_sr(answer, patient_study, previous=previous)
    files = {SR: to_bytes(made)} if report else {}
    if picture and (capture := to_sc(answer, patient_study)) is not None:
        files[SC] = to_bytes(capture)
    if segmentation and (evidence := to_seg(answer, patient_study)) is not None:
        files[SEG] = to_bytes(evidence)
    return ObjectFiles(files, to_references(made), patient_study.series_uid)


def choose_reported(answers: Sequence[SeriesAnswer]) -> list[SeriesAnswer]:
    """What is reported of a run: every series that was read; without one, why those refused were not."""
    return [answer for answer in answers if answer.slices] or list(answers)


def write_objects(made: Sequence[ObjectFiles], kind: str, place: Path) -> list[Path]:
    """Write the files of one kind (SR, SC, SEG): a single one to `place`, or each into the folder it is.

    In a folder they are called after their series. Raises ReportError if there are several and `place` is not
    a folder, or if there are none; OSError.
    """
    files = [(one.series_uid, one.files[kind]) for one in made if kind in one.files]
    if not files:
        raise ReportError(f"{place}: no series was answered for, so there is no {KINDS[kind]} to write")
    if len(files) > 1 and not place.is_dir():
        raise ReportError(f"{place}: there are {len(files)} series; name an existing folder")
    written = []
    for series_uid, data in files:
        path = place / f"{series_uid}.{kind}" if place.is_dir() else place
        write_beside(path, partial(Path.write_bytes, data=data))
        written.append(path)
    return written
