"""Stored CT values -> Hounsfield units.

Knows words, bits, padding and what air looks like. Knows nothing of DICOM objects: `dicom` says which
values a file declares, and plain arrays are asked the same question about air.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

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
