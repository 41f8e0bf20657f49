"""A file, bytes or an array -> one slice as display grey levels.

Knows how to tell what is inside, which is never read from a file's ending, and where to send it. Pictures are
shown as they were stored; Hounsfield units (DICOM, signed or float arrays) go through the lung window.
Does not know whether it is a lung: that is the gate's.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from covidct.errors import ReadError
from covidct.images.files import read_bytes
from covidct.images.hounsfield import PLAUSIBLE_AIR_HU, has_air, to_display
from covidct.images.limits import check_bytes, check_pixels
from covidct.images.raster import parse_raster, sniff_format
from covidct.types import Pixels, Slice, Source

# What people give instead of a slice, and what to do then.
_STRANGERS = (
    (b"%PDF", "a PDF; export the slice in it as PNG"),
    (b"PK\x03\x04", "a ZIP archive; unpack it"),
    (b"\x1f\x8b", "gzip-compressed (a NIfTI volume?); unpack it, and export single slices"),
    (b"\x5c\x01\x00\x00", "a NIfTI volume; export single slices as DICOM or PNG"),
    (b"<", "text (HTML, SVG or XML); export the slice as PNG"),
)
# The first element of a DICOM object without preamble: group 0008, or 0002 for file meta; both byte orders.
_BARE_DICOM = (b"\x08\x00", b"\x02\x00", b"\x00\x08")


def read_slice(path: Path, *, name: str | None = None) -> Slice:
    """Read one slice from a file: DICOM, PNG, JPEG, BMP, TIFF, WEBP or GIF.

    `name` is what errors and results call it; the path, unless given. Raises ReadError with what is wrong
    and what to do: UnsupportedDicom and UnsupportedImage for what is sound, but no single slice.
    """
    name = str(path) if name is None else name
    return parse_slice(read_bytes(path, name=name), name=name)


def parse_slice(data: bytes, *, name: str) -> Slice:
    """Parse one slice from the bytes of a file; see `read_slice`."""
    check_bytes(len(data), name=name)
    if data[128:132] == b"DICM":
        return _parse_dicom(data, name)
    if sniff_format(data):
        return Slice(pixels=parse_raster(data, name=name), source=Source(path=name))
    if data.startswith(_BARE_DICOM):
        return _parse_dicom(data, name)
    raise ReadError(f"{name}: {_describe(data)}")


def parse_hounsfield(data: bytes, *, name: str) -> NDArray[np.float64] | None:
    """Parse the Hounsfield units (H, W) of a DICOM file; None for anything else, which has none.

    Raises ReadError for DICOM that cannot be read.
    """
    check_bytes(len(data), name=name)
    if data[128:132] != b"DICM" and (sniff_format(data) or not data.startswith(_BARE_DICOM)):
        return None
    # Here, not above: see _parse_dicom.
    from covidct.images.dicom import parse_hounsfield as parse_dicom_hounsfield

    return parse_dicom_hounsfield(data, name=name)


def read_array(array: ArrayLike, *, name: str = "array") -> Slice:
    """Take one slice from an array (H, W): uint8 is display grey levels, signed integers and floats are HU.

    Hounsfield units must show some air (below -500 HU), as every axial slice of a chest does: without
    it they are more likely grey levels, or values scaled for a network. Raises ReadError for any other shape
    or type, and for values that are not finite.
    """
    values = _as_plane(array, name)
    if values.dtype == np.uint8:
        return Slice(pixels=np.array(values, order="C"), source=Source(path=name))
    return Slice(pixels=_window(values, name), source=Source(path=name))


def _parse_dicom(data: bytes, name: str) -> Slice:
    # Here, not above: reading a PNG shall not pay for importing pydicom (0.1 s).
    from covidct.images.dicom import parse_dicom_bytes

    return parse_dicom_bytes(data, name=name)


def _describe(data: bytes) -> str:
    if data[4:8] == b"ftyp":
        return "a HEIC, AVIF or video file; export the slice as PNG or JPEG"
    for magic, what in _STRANGERS:
        if data.startswith(magic):
            return what
    return "neither DICOM nor a PNG, JPEG, BMP, TIFF, WEBP or GIF; export the slice as DICOM or PNG"


def _as_plane(array: ArrayLike, name: str) -> NDArray[Any]:
    """Give the array as (H, W) of a type that can be read."""
    try:
        values = np.asarray(array)
    except (TypeError, ValueError, RuntimeError) as error:
        raise ReadError(f"{name}: cannot be made an array ({error}); give a numpy array (H, W)") from error
    if values.ndim != 2:
        raise ReadError(
            f"{name}: shape {values.shape}; give one grey slice (H, W) at a time, without channels or a batch"
        )
    check_pixels(*values.shape, name=name, error=ReadError)
    if values.dtype != np.uint8 and values.dtype.kind not in "if":
        raise ReadError(
            f"{name}: type {values.dtype}; give uint8 (display grey levels) or signed integers or floats "
            "(HU: stored DICOM values times RescaleSlope plus RescaleIntercept)"
        )
    return values


def _window(hu: NDArray[Any], name: str) -> Pixels:
    if not np.isfinite(hu).all():
        raise ReadError(f"{name}: holds NaN or infinity; replace them (air is -1000 HU)")
    if not has_air(hu):
        raise ReadError(
            f"{name}: {hu.dtype} values from {hu.min():g} to {hu.max():g} do not look like Hounsfield units "
            f"(no air, nothing below {PLAUSIBLE_AIR_HU}); give grey levels as uint8 in [0, 255]"
        )
    return np.ascontiguousarray(to_display(hu))
