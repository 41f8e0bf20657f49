"""The header of a file -> the numbers by which its instance belongs to others.

Follows `series.grouping` and `series.selection`: what one of them would look at together has a number in
common. Too many together cost time alone; too few would change answers.
"""

from __future__ import annotations

from dataclasses import dataclass

from covidct.apps.archive.keys import to_key
from covidct.images.blob import FailedBlob, MemoryBlob
from covidct.images.file_type import DICOM, Head
from covidct.series.geometry import find_normal, is_axial
from covidct.series.instances import look_into
from covidct.series.sources import Candidate
from covidct.series.types import Described


@dataclass(frozen=True)
class Bonds:
    """What a file shares with others, as numbers; 0 for nothing.

    `series` is shared by the files of a SeriesInstanceUID, `study` by those of a StudyInstanceUID. `frame`
    and `scan` bind lone slices of which a series can be made (frame of reference; patient, number and
    geometry). `instance` tells copies of one instance from others.
    """

    series: int
    study: int = 0
    frame: int = 0
    scan: int = 0
    instance: int = 0


def find_bonds(candidate: Candidate, head: Head) -> Bonds | None:
    """The numbers of a file; None where its first bytes do not hold its whole header."""
    name = candidate.blob.name
    if head.type not in DICOM:
        return Bonds(to_key("file", name))
    described = look_into(candidate)[0]
    failed = isinstance(described.instance.blob, FailedBlob) or not described.acquisition.rows
    if failed and isinstance(candidate.blob, MemoryBlob):
        return None
    return _to_bonds(described, name)


def _to_bonds(item: Described, name: str) -> Bonds:
    of, instance = item.acquisition, item.instance.sop_instance_uid
    frame, scan = _bind_lone(item)
    return Bonds(
        series=to_key("series", of.series_uid) if of.series_uid else to_key("file", name),
        study=to_key("study", of.study_uid) if of.study_uid else 0,
        frame=frame,
        scan=scan,
        instance=to_key("instance", instance) if instance else to_key("file", name),
    )


def _bind_lone(item: Described) -> tuple[int, int]:
    """The numbers of `frame` and `scan`; see `grouping.group`, which makes series of lone slices."""
    normal = find_normal(item.orientation) if item.orientation else None
    of = item.acquisition
    if normal is None or not item.position or not is_axial(normal) or of.modality not in ("CT", None):
        return 0, 0
    reference = item.marks.get("FrameOfReferenceUID")
    patient = (of.patient_id or "").casefold()
    alike = (of.series_number or "", of.slice_thickness_mm or "", of.rows or "", of.columns or "")
    return (
        to_key("frame", reference) if reference else 0,
        to_key("scan", patient, *map(str, alike)) if patient else 0,
    )
