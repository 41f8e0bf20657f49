"""Whole studies as one file each, small, drawn in code: slices of several series and passes, in folders.

They lie in a tar archive, whose entries a mutation of the same length leaves where they are.
"""

from __future__ import annotations

import random
import re
import struct
from collections.abc import Sequence
from typing import Any

from pydicom.dataset import Dataset

from byte_mutations import WILD, Mutation
from makers import dicom_bytes
from seeds import make_tar
from stacks import SERIES, stack, volume

SLICES, SIZE = 4, 64
HEADER = 900  # bytes of a slice before its pixels, about
# What series and passes are told apart by, and slices are ordered by: tags and VRs, little-endian.
ELEMENTS = tuple(
    struct.pack("<HH2s", group, element, vr)
    for group, element, vr in (
        (0x0008, 0x0008, b"CS"),  # ImageType
        (0x0008, 0x0060, b"CS"),  # Modality
        (0x0008, 0x103E, b"LO"),  # SeriesDescription
        (0x0010, 0x0020, b"LO"),  # PatientID
        (0x0018, 0x0015, b"CS"),  # BodyPartExamined
        (0x0018, 0x0050, b"DS"),  # SliceThickness
        (0x0018, 0x1210, b"SH"),  # ConvolutionKernel
        (0x0020, 0x000D, b"UI"),  # StudyInstanceUID
        (0x0020, 0x000E, b"UI"),  # SeriesInstanceUID
        (0x0020, 0x0012, b"IS"),  # AcquisitionNumber
        (0x0020, 0x0013, b"IS"),  # InstanceNumber
        (0x0020, 0x0032, b"DS"),  # ImagePositionPatient
        (0x0020, 0x0037, b"DS"),  # ImageOrientationPatient
        (0x0020, 0x0052, b"UI"),  # FrameOfReferenceUID
        (0x0028, 0x0010, b"US"),  # Rows
        (0x0028, 0x0030, b"DS"),  # PixelSpacing
    )
)
VALUES = (
    b"",
    b"0",
    b"-1",
    b"1e9",
    b"nan",
    b"1.5\\1.5",
    b"0\\0\\-290",
    b"1\\0\\0\\0\\0\\-1",
    b"ABDOMEN",
    b"LUNG",
)


def make_studies() -> dict[str, bytes]:
    """Several series and a localizer; two kernels; passes by place and by number; two patients."""
    thick = _stack(SERIES, SliceThickness=9.0, SeriesDescription="Thorax 9.0")
    other = _stack(f"{SERIES}9", SeriesDescription="Abdomen", ConvolutionKernel="B70f")
    scout = _stack(f"{SERIES}8", count=1, ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"])
    kernels = [*_stack(SERIES, ConvolutionKernel="B60f"), *_stack(SERIES, first=50, ConvolutionKernel="B31f")]
    again = [*_stack(SERIES), *_stack(SERIES, first=50, origin=(-100.0, -100.0, -298.0), AcquisitionNumber=2)]
    passes = [*_stack(SERIES), *_stack(SERIES, first=50)]
    patients = [*_stack(SERIES, PatientID="P1"), *_stack(SERIES, first=50, PatientID="P2")]
    return {
        "series.tar": _pack([*_stack(f"{SERIES}7", BodyPartExamined="CHEST"), *thick, *other, *scout]),
        "kernels.tar": _pack(kernels),
        "interleaved.tar": _pack(again),
        "passes.tar": _pack(passes),
        "patients.tar": _pack(patients),
    }


def change_elements(data: bytes, draw: random.Random) -> bytes:
    """An element has another value in some slices: that of another slice, or one that lies."""
    element = draw.choice(ELEMENTS)
    places = [match.start() for match in re.finditer(re.escape(element) + b"..", data, re.DOTALL)]
    changed = bytearray(data)
    for at in draw.sample(places, draw.randint(1, len(places))) if places else ():
        (length,) = struct.unpack_from("<H", data, at + 6)
        other = draw.choice(places)
        value = draw.choice(
            (data[other + 8 : other + 8 + length], draw.choice(VALUES), struct.pack("<I", draw.choice(WILD)))
        )
        changed[at + 8 : at + 8 + length] = value.ljust(length)[:length]
    return bytes(changed)


def flip_header(data: bytes, draw: random.Random) -> bytes:
    """Bits of one slice's header are turned over."""
    start = draw.choice([match.end() for match in re.finditer(b"DICM", data)] or [0])
    changed = bytearray(data)
    for _ in range(draw.choice((1, 2, 8)) if start < len(data) else 0):
        changed[start + draw.randrange(min(HEADER, len(data) - start))] ^= 1 << draw.randrange(8)
    return bytes(changed)


STUDIES: tuple[Mutation, ...] = (change_elements, change_elements, change_elements, flip_header)


def _stack(series: str, *, first: int = 1, count: int = SLICES, **tags: Any) -> list[Dataset]:
    """A series, or a further pass of it, whose numbers begin with `first`."""
    datasets = stack(volume(count, size=SIZE), series=series, **tags)
    for at, dataset in enumerate(datasets):
        dataset.SOPInstanceUID, dataset.InstanceNumber = f"{series}.{first + at}", first + at
    return datasets


def _pack(datasets: Sequence[Dataset]) -> bytes:
    """In folders, with what else lies in some."""
    files = {f"{at % 3}/{'ab'[at % 2]}/IM{at}": dicom_bytes(one) for at, one in enumerate(datasets)}
    return make_tar(files | {"0/notes.txt": b"none", "0/.hidden": b"none", "1/Thumbs.db": b"none"}, {})
