"""A frame of an enhanced multi-frame CT object -> a CT Image Storage object of its own.

Knows functional groups (PS3.3 C.7.6.16), shared or per frame. A frame is read only when it is asked for, so
that a volume need not be in memory. Knows nothing of what slices mean.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any, BinaryIO

# Before gdcm, which pydicom loads: see `dicom`.
import PIL.Image  # noqa: F401
from pydicom import uid
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate, get_frame

from covidct.errors import ReadError
from covidct.images.blob import Blob
from covidct.images.elements import read_items
from covidct.images.library_errors import damage_is_an_error
from covidct.images.limits import Allowance


def _same(*keywords: str) -> dict[str, str]:
    return {keyword: keyword for keyword in keywords}


# Where the elements of a frame's functional groups go in a single slice (PS3.3 A.38).
_MACROS = {
    "PlanePositionSequence": _same("ImagePositionPatient"),
    "PlaneOrientationSequence": _same("ImageOrientationPatient"),
    "PixelMeasuresSequence": _same("PixelSpacing", "SliceThickness", "SpacingBetweenSlices"),
    "PixelValueTransformationSequence": _same("RescaleIntercept", "RescaleSlope", "RescaleType"),
    "CTReconstructionSequence": _same("ConvolutionKernel"),
    "CTXRayDetailsSequence": _same("KVP"),
    "CardiacSynchronizationSequence": _same("NominalPercentageOfCardiacPhase"),
    "CTImageFrameTypeSequence": {"FrameType": "ImageType"},
    "FrameContentSequence": {
        "FrameAcquisitionNumber": "AcquisitionNumber",
        "TemporalPositionIndex": "TemporalPositionIdentifier",
        "FrameAcquisitionDateTime": "AcquisitionDateTime",
    },
}
GROUPS = ("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence")
_PIXEL_DATA = (0x7FE0, 0x0010)


@dataclass(frozen=True)
class FrameBlob:
    """One frame as an object of its own; `head` is that object without its pixels.

    In `volume`, PixelData begins at byte `start`, that is its tag.
    """

    name: str
    volume: Blob = field(repr=False)
    head: Dataset = field(repr=False)
    start: int
    index: int
    frames: int

    @property
    def size(self) -> int:
        """Bytes of the volume: a copy that was cut off is smaller."""
        return self.volume.size

    def open(self) -> BinaryIO:
        """The object as a stream. Raises ReadError."""
        return BytesIO(self.read())

    def read(self) -> bytes:
        """The object. Raises ReadError where the volume is damaged or cut off."""
        with damage_is_an_error(f"{self.name}: frame {self.index + 1}", what="multi-frame DICOM"):
            with self.volume.open() as stream:
                pixels = self._read_pixels(stream)
            frame = _copy(self.head)
            frame.file_meta = self.head.file_meta
            frame.PixelData = pixels
            frame["PixelData"].VR = "OW" if self.head.get("BitsAllocated", 16) > 8 else "OB"
            buffer = BytesIO()
            frame.save_as(buffer, enforce_file_format=True)
        return buffer.getvalue()

    def _read_pixels(self, stream: BinaryIO) -> bytes:
        head = self.head
        syntax = uid.UID(self.head.file_meta.TransferSyntaxUID)
        stream.seek(self.start)
        length = _enter_pixels(stream, implicit=syntax.is_implicit_VR, name=self.name)
        if syntax.is_encapsulated:
            frame = get_frame(stream, self.index, number_of_frames=self.frames)
            return encapsulate([frame])
        size: int = head.Rows * head.Columns * head.get("SamplesPerPixel", 1) * head.BitsAllocated // 8
        stream.seek(self.index * size, 1)
        data = stream.read(size)
        if len(data) < size or length < (self.index + 1) * size:
            raise ReadError(f"{self.name}: frame {self.index + 1} is cut off; copy the object again")
        return data + b"\0" * (size % 2)


def is_enhanced(dataset: Dataset) -> bool:
    """Whether an object has frames with functional groups."""
    groups = dataset.get_item(GROUPS[1]) if GROUPS[1] in dataset else None
    return groups is not None and bool(groups.value) and bool(dataset.get("NumberOfFrames"))


def to_frames(dataset: Dataset, allowance: Allowance) -> list[Dataset]:
    """The frames of an object as objects of their own, without pixels; parsed within `allowance`.

    Raises ReadError, and what pydicom does.
    """
    if not dataset.file_meta.TransferSyntaxUID.is_transfer_syntax:
        raise ValueError(f"TransferSyntaxUID {dataset.file_meta.TransferSyntaxUID} is none")
    shared, each = (read_items(dataset, keyword, allowance) for keyword in GROUPS)
    plain = Dataset({tag: item for tag, item in dataset.items() if item.VR != "SQ" and tag != _PIXEL_DATA})
    plain.NumberOfFrames = 1
    # What a frame declares in Modality, geometry and pixels is what a slice does; so it is read as one.
    if dataset.get("Modality", "") in ("", "CT"):
        plain.SOPClassUID = uid.CTImageStorage
    common = [element for group in shared[:1] for element in _find_elements(group, allowance)]
    return [_to_frame(plain, dataset, [*common, *_find_elements(group, allowance)]) for group in each]


def _find_elements(group: Dataset, allowance: Allowance) -> Iterator[tuple[str, Any]]:
    """Keyword in a single slice, and value, of what functional groups say."""
    for sequence, keywords in _MACROS.items():
        for macro in read_items(group, sequence, allowance)[:1]:
            found = (pair for pair in keywords.items() if pair[0] in macro)
            yield from ((single, macro[keyword].value) for keyword, single in found)


def _to_frame(plain: Dataset, dataset: Dataset, elements: Iterable[tuple[str, Any]]) -> Dataset:
    frame = _copy(plain)
    frame.file_meta = FileMetaDataset()
    frame.file_meta.TransferSyntaxUID = dataset.file_meta.TransferSyntaxUID
    for keyword, value in elements:
        setattr(frame, keyword, value)
    return frame


def _copy(dataset: Dataset) -> Dataset:
    # (A Dataset made of another shares its elements with it.)
    return Dataset(dict(dataset.items()))


def _enter_pixels(stream: BinaryIO, *, implicit: bool, name: str) -> int:
    """Move from the tag of PixelData to its value; its length in bytes, 2^32 - 1 where undefined."""
    head = stream.read(8 if implicit else 12)
    if head[:4] not in (b"\xe0\x7f\x10\x00", b"\x7f\xe0\x00\x10"):
        raise ReadError(f"{name}: no PixelData where it should be; copy the object again")
    return int.from_bytes(head[-4:], "little" if head[:1] == b"\xe0" else "big")
