"""A DICOM object, its pixels unread -> its instances, described.

Knows the elements that tell series and slices apart (PS3.3 C.7.2, C.7.3, C.7.6, C.8.2). Their values are
taken as they are stored: pydicom's own reading of them warns of each that is badly formed, and names and
comments often are. Knows nothing of pixels, nor of what makes a series.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

# Before gdcm, which pydicom loads: see `dicom`.
import PIL.Image  # noqa: F401
from pydicom import dcmread, uid
from pydicom.dataset import Dataset
from pydicom.multival import MultiValue

from covidct.images.blob import Blob, MemoryBlob
from covidct.images.dicom_deflated import inflate
from covidct.images.dicom_header import HEADER_KEYWORDS, sop_class
from covidct.images.head import HEAD, Form, sniff
from covidct.images.orientation import find_turn
from covidct.series.archive import EntryBlob
from covidct.series.enhanced import FrameBlob, is_enhanced, to_frames
from covidct.series.values import Acquisition, Described, Instance

# What a slice is read by, and what is told of its series.
_KEYWORDS = (
    *HEADER_KEYWORDS,
    "SpecificCharacterSet",
    "StudyDate",
    "AccessionNumber",
    "Manufacturer",
    "StudyDescription",
    "SeriesDescription",
    "ManufacturerModelName",
    "PatientID",
    "BodyPartExamined",
    "SliceThickness",
    "KVP",
    "SpacingBetweenSlices",
    "ConvolutionKernel",
    "StudyInstanceUID",
    "SeriesNumber",
    "AcquisitionNumber",
    "InstanceNumber",
    "ImagePositionPatient",
    "SharedFunctionalGroupsSequence",
    "PerFrameFunctionalGroupsSequence",
)
_HEAD = 4096
_DEFLATED = uid.DeflatedExplicitVRLittleEndian.encode()


def describe(blob: Blob, *, given: str) -> list[Described]:
    """Describe the instances in a DICOM object: one, or one a frame where it has several.

    Raises whatever pydicom does for what is no DICOM, or damaged.
    """
    plain = _inflated(blob)
    dataset = _read_head(plain)
    if not is_enhanced(dataset):
        return [_describe(dataset, blob, given)]
    frames = to_frames(dataset)
    # A file of an archive is kept in memory: its frames are read one by one, and each would unpack it again.
    volume = MemoryBlob(blob.name, plain.read()) if isinstance(plain, EntryBlob) else plain
    return [
        _describe_frame(frame, FrameBlob(blob.name, volume, frame, index, len(frames)), given, dataset)
        for index, frame in enumerate(frames)
    ]


def _inflated(blob: Blob) -> Blob:
    with blob.open() as stream:
        deflated = _DEFLATED in stream.read(_HEAD)
    return MemoryBlob(blob.name, inflate(blob.read(), name=blob.name)) if deflated else blob


def _read_head(blob: Blob) -> Dataset:
    with blob.open() as stream:
        force = sniff(stream.read(HEAD)) is not Form.DICOM
        stream.seek(0)
        dataset = dcmread(stream, stop_before_pixels=True, specific_tags=list(_KEYWORDS), force=force)
    if force and not sop_class(dataset).is_valid:
        raise ValueError(f"{blob.name}: not DICOM")
    return dataset


def _describe_frame(frame: Dataset, blob: FrameBlob, given: str, volume: Dataset) -> Described:
    described = _describe(frame, blob, given)
    instance = replace(
        described.instance, frame=blob.index + 1, sop_class_uid=_text(volume, "SOPClassUID") or None
    )
    return replace(described, instance=instance, order=(described.order[0], blob.index + 1))


def _describe(dataset: Dataset, blob: Blob, given: str) -> Described:
    orientation = _numbers(dataset, "ImageOrientationPatient", 6)
    return Described(
        instance=Instance(
            path=blob.name,
            sop_class_uid=_text(dataset, "SOPClassUID") or None,
            sop_instance_uid=_text(dataset, "SOPInstanceUID") or None,
            position_mm=None,
            turn=find_turn(orientation) if orientation else Instance.turn,
            blob=blob,
        ),
        given=given,
        acquisition=_acquisition(dataset),
        position=_numbers(dataset, "ImagePositionPatient", 3),
        orientation=orientation,
        image_type=tuple(part.strip().upper() for part in _text(dataset, "ImageType").split("\\")),
        declared_spacing_mm=_number(dataset, "SpacingBetweenSlices"),
        order=(_whole(dataset, "AcquisitionNumber") or 0, _whole(dataset, "InstanceNumber") or 0),
        size=blob.size,
    )


def _acquisition(dataset: Dataset) -> Acquisition:
    spacing = _numbers(dataset, "PixelSpacing", 2)
    meta = getattr(dataset, "file_meta", None)
    return Acquisition(
        study_uid=_text(dataset, "StudyInstanceUID") or None,
        series_uid=_text(dataset, "SeriesInstanceUID") or None,
        patient_id=_text(dataset, "PatientID") or None,
        accession_number=_text(dataset, "AccessionNumber") or None,
        study_date=_text(dataset, "StudyDate") or None,
        study_description=_text(dataset, "StudyDescription") or None,
        series_number=_whole(dataset, "SeriesNumber"),
        series_description=_text(dataset, "SeriesDescription") or None,
        body_part=_text(dataset, "BodyPartExamined") or None,
        modality=_text(dataset, "Modality") or None,
        manufacturer=_text(dataset, "Manufacturer") or None,
        model_name=_text(dataset, "ManufacturerModelName") or None,
        kernel=_text(dataset, "ConvolutionKernel").partition("\\")[0] or None,
        kvp=_number(dataset, "KVP"),
        slice_thickness_mm=_number(dataset, "SliceThickness"),
        pixel_spacing_mm=(spacing[0], spacing[1]) if spacing else None,
        rows=dataset.get("Rows"),
        columns=dataset.get("Columns"),
        transfer_syntax_uid=str(meta.get("TransferSyntaxUID", "")) or None if meta is not None else None,
    )


def _text(dataset: Dataset, keyword: str) -> str:
    """An element's text as stored, several values with backslashes between; empty where it lacks."""
    value: Any = dataset.get_item(keyword).value if keyword in dataset else None
    if isinstance(value, bytes):
        return _decode(value).strip("\0 \t\r\n")
    # (Not as stored: what pydicom made of it, in a frame's functional groups.)
    values = value if isinstance(value, list | MultiValue) else [] if value is None else [value]
    return "\\".join(str(one).strip() for one in values)


def _decode(value: bytes) -> str:
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        return value.decode("latin-1")


def _floats(dataset: Dataset, keyword: str) -> Iterator[float]:
    for part in _text(dataset, keyword).split("\\"):
        try:
            number = float(part)
        except ValueError:
            continue
        if math.isfinite(number):
            yield number


def _numbers(dataset: Dataset, keyword: str, count: int) -> tuple[float, ...]:
    """The numbers of an element; none where there are not `count` of them."""
    numbers = tuple(_floats(dataset, keyword))
    return numbers if len(numbers) == count else ()


def _number(dataset: Dataset, keyword: str) -> float | None:
    number = next(_floats(dataset, keyword), None)
    return number if number is not None and number > 0 else None


def _whole(dataset: Dataset, keyword: str) -> int | None:
    number = next(_floats(dataset, keyword), None)
    return None if number is None else int(number)
