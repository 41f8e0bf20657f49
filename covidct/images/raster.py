"""The bytes of a PNG, JPEG, BMP, TIFF, WEBP or GIF -> grey levels.

Knows depth, and what cannot be right: raw 12-bit values, floats. How a picture is decoded is in `decoding`.
Knows nothing of what is pictured, nor of Hounsfield units.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from covidct.errors import ReadError, UnsupportedImage
from covidct.images.decoding.jobs import Decoded, PictureJob
from covidct.images.decoding.pool import decode
from covidct.images.file_type import PICTURES, sniff
from covidct.images.library_errors import damage_as
from covidct.types import Pixels

# A windowed 16-bit picture fills its range. Raw CT values fill 12 or 13 bits of it, at whatever offset.
_NARROW = 8192
_INSTEAD = "window it to 8 bits first (lung: centre -600, width 1500 HU), or give the DICOM"
# Modes of Pillow's, as its `tobytes` writes them; "I" in the machine's own order.
_TYPES = {"L": "u1", "I": "=i4", "I;16": "<u2", "I;16L": "<u2", "I;16N": "=u2", "I;16B": ">u2"}


@dataclass(frozen=True)
class Picture:
    """Grey levels (H, W) uint8, and make and model of the camera, "" if there was none."""

    pixels: Pixels
    camera: str


def parse_raster(data: bytes, *, name: str) -> Pixels:
    """The grey levels of a picture; see `parse_picture`."""
    return parse_picture(data, name=name).pixels


def parse_picture(data: bytes, *, name: str) -> Picture:
    """Decode a picture to grey levels (H, W) uint8 as stored: luma (ITU-R 601), upright, over black.

    16-bit grey is scaled from its full range. Raises UnsupportedImage for what is no single slice of grey
    levels, ReadError for damage.
    """
    kind = sniff(data)
    if kind not in PICTURES:
        raise ReadError(f"{name}: not a PNG, JPEG, BMP, TIFF, WEBP or GIF; export the slice as PNG")
    advice = "copy it again, or export it again"
    with damage_as(
        lambda cause: ReadError(f"{name}: a {kind} that is damaged or cut off ({cause}); {advice}")
    ):
        decoded = decode(PictureJob(kind, name), data, name=name)
        grey = _to_grey(decoded, name)
        return Picture(255 - grey if decoded.is_negative else grey, decoded.camera)


def _to_grey(decoded: Decoded, name: str) -> NDArray[np.uint8]:
    """Give grey levels (H, W) uint8."""
    if decoded.mode == "F":
        raise UnsupportedImage(f"{name}: 32-bit float values, whose window is not known; {_INSTEAD}")
    stored = np.frombuffer(decoded.data, _TYPES[decoded.mode]).reshape(decoded.rows, decoded.columns)
    if decoded.mode != "L":
        return _scale_deep(stored, name)
    grey = np.array(stored, np.uint8)
    if decoded.is_deep:
        # Pillow has dropped the lower byte of colour with 16 bits a channel.
        _check_fills_range(int(grey.min()) * 257, int(grey.max()) * 257, name)
    return grey


def _scale_deep(values: NDArray[Any], name: str) -> NDArray[np.uint8]:
    low, high = int(values.min()), int(values.max())
    if low < 0 or high > 65535:
        raise UnsupportedImage(f"{name}: values from {low} to {high} are not 16-bit grey levels; {_INSTEAD}")
    _check_fills_range(low, high, name)
    return np.rint(values / 257).astype(np.uint8)


def _check_fills_range(low: int, high: int, name: str) -> None:
    if high - low < _NARROW:
        raise UnsupportedImage(
            f"{name}: 16-bit, but only values from {low} to {high}: probably raw CT values, whose window is "
            f"not known; {_INSTEAD}"
        )
