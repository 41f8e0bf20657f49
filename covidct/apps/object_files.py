"""The answer for a series as files of DICOM objects: the report, and the picture where there is one.

Knows which objects belong together and what they are called. Knows nothing of where they go.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from covidct.aggregate import to_refused_result
from covidct.dicom_sc import to_sc
from covidct.dicom_sr import to_bytes, to_references, to_sr
from covidct.dicom_subject import read_subject
from covidct.series import RefusedSeries, SeriesAnswer

SR, SC = "sr.dcm", "sc.dcm"


@dataclass(frozen=True)
class ObjectFiles:
    """Files by name, `sr.dcm` always and `sc.dcm` where slices were answered; the SR's UIDs by keyword."""

    files: Mapping[str, bytes]
    report: Mapping[str, str]


def to_object_files(
    answer: SeriesAnswer, *, previous: Mapping[str, str] | None = None, picture: bool = True
) -> ObjectFiles:
    """Make the objects. `previous` are the UIDs of the SR that this one replaces. Raises ReportError."""
    subject = read_subject(answer.series)
    report = to_sr(answer, subject, previous=previous)
    files = {SR: to_bytes(report)}
    if picture and (capture := to_sc(answer, subject)) is not None:
        files[SC] = to_bytes(capture)
    return ObjectFiles(files, to_references(report))


def to_refusal(refused: RefusedSeries, *, model: str) -> SeriesAnswer:
    """The answer for a series that is not answered for: it says why."""
    return SeriesAnswer(refused.series, to_refused_result(refused, model=model), ())
