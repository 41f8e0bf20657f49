"""Stored CT values -> Hounsfield units -> display grey levels of a window.

Knows words, bits, padding, what air looks like, and windows. Knows nothing of DICOM objects: `dicom`
says which values a file declares, and plain arrays are asked the same question about air.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from covidct.types import Pixels

LUNG_CENTRE = -600.0
LUNG_WIDTH = 1500.0
# Centre and width in HU, by the name that a reader chooses them by. The model sees the lung window alone.
WINDOWS: Mapping[str, tuple[float, float]] = MappingProxyType(
    {"lung": (LUNG_CENTRE, LUNG_WIDTH), "soft": (40.0, 400.0), "bone": (400.0, 1800.0)}
)


def to_display(hu: NDArray[Any], *, centre: float = LUNG_CENTRE, width: float = LUNG_WIDTH) -> Pixels:
    """Show Hounsfield units through a window.

    Takes `hu` of any shape, integer or float, finite; gives uint8 of that shape in [0, 255]. The formula is
    LINEAR_EXACT of DICOM PS3.3 C.11.2.1.3.2, `(hu - centre) / width + 0.5`, clipped and rounded: -1350 HU
    is 0 and 150 HU is 255 in the lung window. (LINEAR, C.11.2.1.2.1, is at most one grey level away; it
    subtracts half a unit and one unit for integers on film and has no meaning for float arrays.)

    Raises ValueError for a width that is not above 0.
    """
    if not width > 0:
        raise ValueError(f"window width {width} must be above 0 HU")
    # float64: an int32 or float64 array far from the window must not lose the half that rounding looks at.
    grey = np.asarray(np.asarray(hu, dtype=np.float64) - (centre - width / 2))
    # In place: each further array of a slice takes longer to get from the system than to compute.
    grey *= 255
    grey /= width
    return np.rint(np.clip(grey, 0, 255, out=grey), out=grey).astype(np.uint8)


# What padding becomes: the lowest value of the usual 12-bit scale.
AIR_HU = -1024
# Every axial CT slice of a chest shows air. Where nothing says that values are Hounsfield units, values
# below this one tell them from grey levels and from values scaled for a network.
PLAUSIBLE_AIR_HU = -500

Words = NDArray[np.integer[Any]]


def mark_padding(words: Words, *, first: int, last: int) -> NDArray[np.bool_]:
    """Mark the pixels that hold no measurement: PixelPaddingValue to PixelPaddingRangeLimit, both included.

    Compared as stored, before any rescaling (PS3.3 C.7.5.1.1.2). Takes the limits in either order. Their VR
    (US or SS) often disagrees with PixelRepresentation, and 63536 is meant as -2000: both are the same
    16-bit word, so both are compared as one, in the type of the pixels.
    """
    low, high = sorted((_as_word(first, words.dtype), _as_word(last, words.dtype)))
    return np.asarray((words >= low) & (words <= high))


def drop_unused_bits(words: Words, *, bits_stored: int) -> Words:
    """Drop the bits above `bits_stored`, where old files keep overlays, and extend the sign (PS3.5 8.1.1)."""
    shift = 8 * words.dtype.itemsize - bits_stored
    if shift <= 0:
        return words
    return np.asarray(np.right_shift(np.left_shift(words, shift), shift))


def has_air(hu: NDArray[Any]) -> bool:
    """Tell whether any value lies below PLAUSIBLE_AIR_HU."""
    return bool(hu.size) and bool(hu.min() < PLAUSIBLE_AIR_HU)


def _as_word(value: int, dtype: np.dtype[Any]) -> int:
    bits = 8 * dtype.itemsize
    word = value % (1 << bits)
    return word - (1 << bits) if dtype.kind == "i" and word >> (bits - 1) else word
