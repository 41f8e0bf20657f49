"""The bytes of an NRRD file (`.nrrd`; `.nhdr` with its data beside it) -> a volume.

Knows the text header of https://teem.sourceforge.net/nrrd/format.html with raw or gzip data. Knows nothing of
lists of files, nor of text and bzip2 as data.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np

from covidct.errors import ReadError
from covidct.images.gunzip import gunzip
from covidct.images.library_errors import damage_as
from covidct.series.volumes.volume import Volume, check_length, to_volume

# Without their signs: `unsigned short`, `uint16_t` and `ushort` are one type.
_TYPES: Mapping[str, str] = MappingProxyType(
    {"char": "i1", "int8": "i1", "short": "i2", "short int": "i2", "int16": "i2", "int": "i4", "int32": "i4"}
    | {"float": "f4", "double": "f8"}
)
_SIGN = re.compile(r"(unsigned |u|signed )?(.*?)(_t)?$")
# What the three numbers of a direction run towards, as signs of right, front and head.
_SPACES: Mapping[str, tuple[int, int, int]] = MappingProxyType(
    {
        "left-posterior-superior": (-1, -1, 1),
        "lps": (-1, -1, 1),
        "right-anterior-superior": (1, 1, 1),
        "ras": (1, 1, 1),
        "left-anterior-superior": (-1, 1, 1),
        "las": (-1, 1, 1),
    }
)
_END = re.compile(rb"\r?\n\r?\n")
_VECTOR = re.compile(r"\(([^)]*)\)")
_HEADER = 65536  # bytes it lies within


def parse_nrrd(data: bytes, *, name: str, read_beside: Callable[[str], bytes]) -> Volume:
    """Parse a header and its voxels; `read_beside` reads a file of that name in the folder of the header.

    Raises ReadError for what is damaged, cut off or of another kind, and as `read_beside` does.
    """
    unread = "an NRRD header that cannot be read"
    with damage_as(lambda cause: ReadError(f"{name}: {unread} ({cause}); convert it again")):
        end = _END.search(data[:_HEADER])
        fields = _parse_fields(data[: end.start() if end else _HEADER].decode("latin-1"))
        sizes = [int(size) for size in fields["sizes"].split()]
        stored = _dtype(fields, name)
        affine = _affine(fields)
    if len(sizes) != 3 or min(sizes) < 1:
        raise ReadError(f"{name}: {sizes} voxels; give one grey volume of three dimensions")
    where = fields.get("data file", fields.get("datafile"))
    voxels = read_beside(where) if where else data[end.end() if end else len(data) :]
    needed = math.prod(sizes) * stored.itemsize
    if fields["encoding"].lower() != "raw":
        voxels = gunzip(voxels, name=name, limit=needed)
    check_length(needed, len(voxels), name=name)
    return to_volume(
        np.frombuffer(voxels, stored, math.prod(sizes)).reshape(sizes, order="F"), affine, name=name
    )


def _parse_fields(text: str) -> dict[str, str]:
    pairs = (
        line.partition(":") for line in text.splitlines()[1:] if ":" in line and not line.startswith("#")
    )
    return {key.strip().lower(): value.strip() for key, _, value in pairs}


def _dtype(fields: Mapping[str, str], name: str) -> np.dtype[np.generic]:
    kind, encoding = fields["type"].lower(), fields["encoding"].lower()
    sign, word, _ = _SIGN.findall(kind)[0]
    skipped = any(fields.get(key, "0") != "0" for key in ("byte skip", "byteskip", "line skip", "lineskip"))
    if word not in _TYPES or encoding not in ("raw", "gzip", "gz") or skipped:
        raise ReadError(
            f"{name}: an NRRD of type {kind}, encoding {encoding}, or with data skipped, which is not read; "
            "convert it to 16-bit HU, raw or gzip"
        )
    code = _TYPES[word].replace("i", "u") if sign.startswith("u") else _TYPES[word]
    return np.dtype(code).newbyteorder(">" if fields.get("endian") == "big" else "<")


def _affine(fields: Mapping[str, str]) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    """Voxel indices to mm to the right, the front and the head; zeros where the header does not say."""
    signs = _SPACES.get(fields.get("space", "").lower())
    vectors = [vector.split(",") for vector in _VECTOR.findall(fields.get("space directions", ""))]
    affine = np.zeros((4, 4))
    if signs and len(vectors) == 3:
        affine[:3, :3] = np.array(vectors, np.float64).T * np.array(signs)[:, None]
        affine[3, 3] = 1
    return affine
