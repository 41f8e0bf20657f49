"""A DICOM object, its pixels unread -> its instances, described.

Knows the elements that distinguish series and slices (PS3.3 C.7.2, C.7.3, C.7.6, C.8.2). Knows nothing of
pixels, nor of what makes a series.
"""

from __future__ import annotations

from dataclasses import replace

# Before gdcm, which pydicom loads: see `dicom`.
import PIL.Image  # noqa: F401
from pydicom import dcmread, uid
from pydicom.dataset import Dataset

from covidct.images.blob import Blob, MemoryBlob
from covidct.images.dicom_deflated import inflate
from covidct.images.dicom_header import HEADER_KEYWORDS, sop_class
from covidct.images.elements import exact_numbers, numbers, text, texts, to_tags
from covidct.images.file_type import HEAD, FileType, sniff
from covidct.images.gunzip import GzipBlob
from covidct.images.library_errors import damage_is_an_error
from covidct.images.limits import Allowance
from covidct.images.orientation import find_turn
from covidct.series.archive import EntryBlob
from covidct.series.enhanced import GROUPS, FrameBlob, is_enhanced, to_frames
from covidct.series.passes import MARKS
from covidct.series.types import Acquisition, Described, Instance

# What a slice is read by, and what is reported of its series.
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
    *MARKS,
    *GROUPS,
)
_HEAD = 4096
_DEFLATED = uid.DeflatedExplicitVRLittleEndian.encode()


def describe(blob: Blob, *, given: str) -> list[Described]:
    """Describe the instances in a DICOM object: one, or one a frame where it has several.

    Raises whatever pydicom does for what is no DICOM, or damaged.
    """
    plain = _inflated(blob)
    allowance = Allowance(blob.name)
    dataset, end = _read_head(plain, allowance)
    if not is_enhanced(dataset):
        return [_describe(dataset, blob, given)]
    # What is packed is kept in memory: its frames are read one by one, and each would unpack it again.
    is_packed = isinstance(plain, EntryBlob | GzipBlob)
    volume = MemoryBlob(blob.name, plain.read()) if is_packed else plain
    with damage_is_an_error(blob.name, what="multi-frame DICOM"):
        frames = to_frames(dataset, allowance)
    blobs = [FrameBlob(blob.name, volume, frame, end, at, len(frames)) for at, frame in enumerate(frames)]
    # What ails the first ails all: one error for the file, not one a frame.
    blobs[0].read()
    return [_describe_frame(frame, blob, given, dataset) for frame, blob in zip(frames, blobs, strict=True)]


def _inflated(blob: Blob) -> Blob:
    with blob.open() as stream:
        deflated = _DEFLATED in stream.read(_HEAD)
    return MemoryBlob(blob.name, inflate(blob.read(), name=blob.name)) if deflated else blob


def _read_head(blob: Blob, allowance: Allowance) -> tuple[Dataset, int]:
    """A dataset without its pixels, and where those begin."""
    with blob.open() as stream:
        force = sniff(stream.read(HEAD)) is not FileType.DICOM
        stream.seek(0)
        bound = allowance.bind(stream)
        dataset = dcmread(bound, stop_before_pixels=True, specific_tags=to_tags(_KEYWORDS), force=force)
        end = stream.tell()
    if force and not sop_class(dataset).is_valid:
        raise ValueError(f"{blob.name}: not DICOM")
    return dataset, end


def _describe_frame(frame: Dataset, blob: FrameBlob, given: str, volume: Dataset) -> Described:
    described = _describe(frame, blob, given)
    instance = replace(
        described.instance, frame=blob.index + 1, sop_class_uid=text(volume, "SOPClassUID") or None
    )
    return replace(described, instance=instance, order=(described.order[0], blob.index + 1))


def _describe(dataset: Dataset, blob: Blob, given: str) -> Described:
    orientation = exact_numbers(dataset, "ImageOrientationPatient", 6)
    return Described(
        instance=Instance(
            path=blob.name,
            sop_class_uid=text(dataset, "SOPClassUID") or None,
            sop_instance_uid=text(dataset, "SOPInstanceUID") or None,
            position_mm=None,
            turn=find_turn(orientation) if orientation else Instance.turn,
            blob=blob,
        ),
        given=given,
        acquisition=_acquisition(dataset),
        position=exact_numbers(dataset, "ImagePositionPatient", 3),
        orientation=orientation,
        image_type=tuple(part.upper() for part in texts(dataset, "ImageType")),
        declared_spacing_mm=_number(dataset, "SpacingBetweenSlices"),
        order=(_whole(dataset, "AcquisitionNumber") or 0, _whole(dataset, "InstanceNumber") or 0),
        marks={keyword: value for keyword in MARKS if (value := text(dataset, keyword))},
        size=blob.size,
    )


def _acquisition(dataset: Dataset) -> Acquisition:
    spacing = exact_numbers(dataset, "PixelSpacing", 2)
    meta = getattr(dataset, "file_meta", None)
    return Acquisition(
        study_uid=text(dataset, "StudyInstanceUID") or None,
        series_uid=text(dataset, "SeriesInstanceUID") or None,
        patient_id=text(dataset, "PatientID") or None,
        accession_number=text(dataset, "AccessionNumber") or None,
        study_date=text(dataset, "StudyDate") or None,
        study_description=text(dataset, "StudyDescription") or None,
        series_number=_whole(dataset, "SeriesNumber"),
        series_description=text(dataset, "SeriesDescription") or None,
        body_part=text(dataset, "BodyPartExamined") or None,
        modality=text(dataset, "Modality") or None,
        manufacturer=text(dataset, "Manufacturer") or None,
        model_name=text(dataset, "ManufacturerModelName") or None,
        kernel=text(dataset, "ConvolutionKernel").partition("\\")[0] or None,
        kvp=_number(dataset, "KVP"),
        slice_thickness_mm=_number(dataset, "SliceThickness"),
        pixel_spacing_mm=(spacing[0], spacing[1]) if spacing else None,
        rows=_whole(dataset, "Rows"),
        columns=_whole(dataset, "Columns"),
        transfer_syntax_uid=str(meta.get("TransferSyntaxUID", "")) or None if meta is not None else None,
    )


def _number(dataset: Dataset, keyword: str) -> float | None:
    found = next(iter(numbers(dataset, keyword)), None)
    return found if found is not None and found > 0 else None


def _whole(dataset: Dataset, keyword: str) -> int | None:
    found = next(iter(numbers(dataset, keyword)), None)
    return None if found is None else int(found)
