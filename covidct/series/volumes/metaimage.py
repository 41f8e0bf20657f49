"""The bytes of a MetaImage file (`.mha`; `.mhd` with its data beside it) -> a volume.

Knows MetaIO's text header, as ITK writes it. Knows nothing of lists of files, nor of several channels.
"""

from __future__ import annotations

import math
import re
import zlib
from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np

from covidct.errors import ReadError
from covidct.images.library_errors import damage_as
from covidct.series.volumes.volume import Volume, check_length, to_volume

_TYPES: Mapping[str, str] = MappingProxyType(
    {
        "MET_CHAR": "i1",
        "MET_UCHAR": "u1",
        "MET_SHORT": "i2",
        "MET_USHORT": "u2",
        "MET_INT": "i4",
        "MET_UINT": "u4",
        "MET_FLOAT": "f4",
        "MET_DOUBLE": "f8",
    }
)
# The last line of a header names where the data are.
_LAST = re.compile(rb"^\s*ElementDataFile\s*=[^\n]*\n?", re.MULTILINE)
_HEADER = 65536  # bytes it lies within
_LOCAL = "local"
_TO_RIGHT_FRONT_HEAD = np.diag([-1.0, -1.0, 1.0])  # from left, back and head
_IDENTITY = "1 0 0 0 1 0 0 0 1"


def parse_metaimage(data: bytes, *, name: str, read_beside: Callable[[str], bytes]) -> Volume:
    """Parse a header and its voxels; `read_beside` reads a file of that name in the folder of the header.

    Raises ReadError for what is damaged, cut off or of another kind, and as `read_beside` does.
    """
    unread = "a MetaImage header that cannot be read"
    with damage_as(lambda cause: ReadError(f"{name}: {unread} ({cause}); convert it again")):
        last = _LAST.search(data[:_HEADER])
        if last is None:
            raise ReadError(f"{name}: {unread} (no ElementDataFile); convert it again")
        fields = _parse_fields(data[: last.end()].decode("latin-1"))
        sizes = [int(size) for size in fields["DimSize"].split()]
        skipped = int(fields.get("HeaderSize", "0"))
        stored = _dtype(fields, name)
        affine = _affine(fields)
    if len(sizes) != 3 or min(sizes) < 1 or fields.get("ElementNumberOfChannels", "1") != "1":
        raise ReadError(f"{name}: {sizes} voxels; give one grey volume of three dimensions")
    where = fields["ElementDataFile"]
    voxels = data[last.end() :] if where.lower() == _LOCAL else read_beside(where)
    needed = math.prod(sizes) * stored.itemsize
    if _is_true(fields, "CompressedData"):
        voxels = _inflate(voxels, needed, name)
    else:
        # -1: whatever comes before the voxels is a header.
        start = skipped if skipped >= 0 else max(len(voxels) - needed, 0)
        check_length(needed, len(voxels) - start, name=name)
        voxels = voxels[start : start + needed]
    return to_volume(
        np.frombuffer(voxels, stored, math.prod(sizes)).reshape(sizes, order="F"), affine, name=name
    )


def _parse_fields(text: str) -> dict[str, str]:
    pairs = (line.partition("=") for line in text.splitlines() if "=" in line)
    return {key.strip(): value.strip() for key, _, value in pairs}


def _dtype(fields: Mapping[str, str], name: str) -> np.dtype[np.generic]:
    kind = fields["ElementType"]
    if kind not in _TYPES or not _is_true(fields, "BinaryData", default=True):
        raise ReadError(f"{name}: a MetaImage of {kind}, as text or of another kind; convert it to 16-bit HU")
    is_big = _is_true(fields, "BinaryDataByteOrderMSB") or _is_true(fields, "ElementByteOrderMSB")
    return np.dtype(_TYPES[kind]).newbyteorder(">" if is_big else "<")


def _affine(fields: Mapping[str, str]) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    """Voxel indices to mm; each row of TransformMatrix is the direction of one of them."""
    matrix = next(
        (fields[key] for key in ("TransformMatrix", "Rotation", "Orientation") if key in fields), _IDENTITY
    )
    directions = np.array(matrix.split(), np.float64).reshape(3, 3).T
    spacing = np.array(fields.get("ElementSpacing", fields.get("ElementSize", "1 1 1")).split(), np.float64)
    affine = np.eye(4)
    affine[:3, :3] = _TO_RIGHT_FRONT_HEAD @ directions * spacing[:3]
    return affine


def _is_true(fields: Mapping[str, str], key: str, *, default: bool = False) -> bool:
    return fields.get(key, str(default)).lower() in ("true", "t", "1", "yes")


def _inflate(data: bytes, size: int, name: str) -> bytes:
    """Unpack `size` bytes, never more."""
    with damage_as(lambda cause: ReadError(f"{name}: damaged zlib data ({cause}); convert it again")):
        voxels = zlib.decompressobj().decompress(data, size)
    check_length(size, len(voxels), name=name)
    return voxels
