"""The first bytes of a file -> what it is: the one place that knows magic numbers.

Knows how formats begin. Knows nothing of what they hold, nor of names.
"""

from __future__ import annotations

import re
import zlib
from enum import StrEnum
from typing import NamedTuple

HEAD = 1024  # bytes that tell what a file is: DICM at 128, tar at 257, NIfTI at 344; more for gzip
_START = 512  # of them, unpacked


class FileType(StrEnum):
    """What a file is. BARE_DICOM lacks the preamble; POINTER is what Git LFS keeps in place of a file."""

    DICOM = "DICOM"
    BARE_DICOM = "bare DICOM"
    PNG = "PNG"
    JPEG = "JPEG"
    BMP = "BMP"
    TIFF = "TIFF"
    WEBP = "WEBP"
    GIF = "GIF"
    NIFTI = "NIfTI"
    METAIMAGE = "MetaImage"
    NRRD = "NRRD"
    NUMPY = "NumPy"
    ZIP = "ZIP"
    TAR = "tar"
    GZIP = "gzip"
    HEIC = "HEIC"
    PDF = "PDF"
    POINTER = "pointer"
    TEXT = "text"
    UNKNOWN = "unknown"


PICTURES = frozenset((FileType.PNG, FileType.JPEG, FileType.BMP, FileType.TIFF, FileType.WEBP, FileType.GIF))
DICOM = frozenset((FileType.DICOM, FileType.BARE_DICOM))
VOLUMES = frozenset((FileType.NIFTI, FileType.METAIMAGE, FileType.NRRD, FileType.NUMPY))
ARCHIVES = frozenset((FileType.ZIP, FileType.TAR))

GZIP = b"\x1f\x8b"
# Where the magic lies, the magic, and what it says; the first that fits counts.
_MAGICS: tuple[tuple[int, bytes, FileType], ...] = (
    (128, b"DICM", FileType.DICOM),
    (0, b"\x89PNG\r\n\x1a\n", FileType.PNG),
    (0, b"\xff\xd8\xff", FileType.JPEG),
    (0, b"BM", FileType.BMP),
    *((0, magic, FileType.TIFF) for magic in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")),
    (0, b"GIF87a", FileType.GIF),
    (0, b"GIF89a", FileType.GIF),
    (8, b"WEBP", FileType.WEBP),
    *((344, magic, FileType.NIFTI) for magic in (b"n+1\0", b"ni1\0")),
    *((4, magic, FileType.NIFTI) for magic in (b"n+2\0", b"ni2\0")),
    *((0, magic, FileType.NIFTI) for magic in (b"\x5c\x01\0\0", b"\0\0\x01\x5c")),  # ANALYZE, too
    (0, b"NRRD000", FileType.NRRD),
    (0, b"\x93NUMPY", FileType.NUMPY),
    *((0, magic, FileType.ZIP) for magic in (b"PK\x03\x04", b"PK\x05\x06")),
    (257, b"ustar", FileType.TAR),
    (0, GZIP, FileType.GZIP),
    (4, b"ftyp", FileType.HEIC),
    (0, b"%PDF", FileType.PDF),
    (0, b"version https://git-lfs", FileType.POINTER),
    (0, b"<", FileType.TEXT),
    (0, b"\xef\xbb\xbf<", FileType.TEXT),
)
_METAIMAGE = re.compile(rb"\s*(ObjectType|NDims|Comment|ID|Name)\s*=")
# The first element of an object without preamble, in either byte order: file meta or group 0008, an element
# of those that may come first, then its VR, or a length that is short.
_BARE = re.compile(
    rb"(\x02\x00[\x00-\x10]\x00|\x08\x00[\x00-\x18]\x00)([A-Z]{2}|[\x00-\xfe][\x00-\x01]\x00\x00)"
    rb"|\x00\x08\x00[\x00-\x18]([A-Z]{2}|\x00\x00[\x00-\x01][\x00-\xfe])",
    re.DOTALL,
)


class Head(NamedTuple):
    """What a file is; `is_packed` where it lies within gzip."""

    type: FileType
    is_packed: bool = False


def sniff_head(data: bytes) -> Head:
    """Tell what a file is, of its first HEAD bytes or more; what gzip holds, of gzip."""
    kind = sniff(data)
    if kind is not FileType.GZIP:
        return Head(kind)
    try:
        inner = zlib.decompressobj(16 + zlib.MAX_WBITS).decompress(data[:HEAD], _START)
    except zlib.error:
        inner = b""
    return Head(sniff(inner), is_packed=True)


def sniff(data: bytes) -> FileType:
    """Tell what a file is by its first bytes, without looking into gzip."""
    for at, magic, kind in _MAGICS:
        if data[at : at + len(magic)] == magic:
            return kind
    if _BARE.match(data):
        return FileType.BARE_DICOM
    return FileType.METAIMAGE if _METAIMAGE.match(data) else FileType.UNKNOWN
