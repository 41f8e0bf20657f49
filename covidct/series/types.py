"""A series of axial CT slices as a value: its instances from feet to head, how it was acquired, its answer.

Knows the words of DICOM (PS3.3 C.7.3, C.7.6, C.8.2). Knows nothing of files, pixels or models: `study` reads
series, `classifier` answers for them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from covidct.images.blob import Blob
from covidct.types import UPRIGHT, Note, Reason, Result, Turn


@dataclass(frozen=True)
class Instance:
    """One slice of a series, its pixels not read yet.

    `path` is as it was given. `frame` is the frame's number as DICOM counts them, from 1, None for an object
    with one frame. `position_mm` is its position along the normal of the series, towards the head; None if
    the object does not say. `turn` makes it upright. `blob` holds the object; for a frame, and for a slice of
    a NIfTI volume, a CT Image Storage object that is made of it when it is read.
    """

    path: str
    sop_class_uid: str | None
    sop_instance_uid: str | None
    position_mm: float | None
    frame: int | None = None
    turn: Turn = UPRIGHT
    blob: Blob | None = field(default=None, repr=False, compare=False)


@dataclass(frozen=True)
class Acquisition:
    """How a series was made, as its first instance says; None where it does not. No names, no birth dates.

    `spacing_mm` is the distance of neighbouring slices along the normal, computed from their positions;
    `pixel_spacing_mm` is (row, column).
    """

    study_uid: str | None = None
    series_uid: str | None = None
    patient_id: str | None = None
    accession_number: str | None = None
    study_date: str | None = None
    study_description: str | None = None
    series_number: int | None = None
    series_description: str | None = None
    body_part: str | None = None
    modality: str | None = None
    manufacturer: str | None = None
    model_name: str | None = None
    kernel: str | None = None
    kvp: float | None = None
    slice_thickness_mm: float | None = None
    spacing_mm: float | None = None
    pixel_spacing_mm: tuple[float, float] | None = None
    rows: int | None = None
    columns: int | None = None
    transfer_syntax_uid: str | None = None


UNKNOWN = Acquisition()


@dataclass(frozen=True)
class Series:
    """The instances of one SeriesInstanceUID, from feet to head.

    `path` is the folder or file as it was given. `notes` say what lacks: gaps, duplicates ...
    """

    uid: str
    path: str
    acquisition: Acquisition
    instances: tuple[Instance, ...]
    notes: tuple[Note, ...] = ()


def name_series(series: Series) -> str:
    """What people call a series: its number and description, where it has them."""
    number, description = series.acquisition.series_number, series.acquisition.series_description
    parts = ["" if number is None else str(number), repr(description) if description else ""]
    return " ".join(part for part in parts if part) or series.uid


@dataclass(frozen=True)
class RefusedSeries:
    """A series that is not answered for as one, and why, as a word and as a sentence."""

    series: Series
    reason: Reason
    message: str


@dataclass(frozen=True)
class Study:
    """Everything that was found.

    `series` are those to answer for, `refused` the others. `loose` are single slices: pictures, lone
    instances, duplicates, slices of series that do not form a stack, and files that cannot be read (reading
    them says why). `skipped` are names of files that were skipped.
    """

    series: tuple[Series, ...] = ()
    refused: tuple[RefusedSeries, ...] = ()
    loose: tuple[Instance, ...] = ()
    skipped: tuple[str, ...] = ()


@dataclass(frozen=True)
class SeriesAnswer:
    """The answer for a series.

    `result` is of kind SERIES; `slices` are the results of its slices in the order of its instances, each
    with its `slice_index`.
    """

    series: Series
    result: Result
    slices: tuple[Result, ...]


@dataclass(frozen=True)
class Described:
    """An instance with all that is needed to sort and choose it.

    `position` and `orientation` are those of its plane, `given` is what the caller named: the folder, the
    archive or the file. `declared_spacing_mm` is SpacingBetweenSlices. `order` are AcquisitionNumber and
    InstanceNumber; `marks` what tells passes apart, by keyword (`passes`); `size` is in bytes, of the file it
    lies in. `notes` apply to its series.
    """

    instance: Instance
    given: str
    acquisition: Acquisition = UNKNOWN
    position: tuple[float, ...] = ()
    orientation: tuple[float, ...] = ()
    image_type: tuple[str, ...] = ()
    declared_spacing_mm: float | None = None
    order: tuple[int, int] = (0, 0)
    marks: Mapping[str, str] = field(default_factory=dict)
    size: int = 0
    notes: tuple[Note, ...] = ()
