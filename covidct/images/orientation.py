"""Quarter turns and mirrorings of a slice: between how it is stored and how chests are usually shown.

Usual is the patient's right on the left and the front above, which is what ImageOrientationPatient
[1, 0, 0, 0, 1, 0] means (PS3.3 C.7.6.2.1.1). Knows arrays and boxes. Knows nothing of files.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from covidct.types import Box, Turn

T = TypeVar("T", bound=np.generic)


def find_turn(orientation: Sequence[float]) -> Turn:
    """The turn that shows a slice as usual; `orientation` holds the six values of ImageOrientationPatient.

    Turns by a quarter at a time: a gantry tilt, or a head held askew, is left as it is.
    """
    row, column = np.asarray(orientation[:3], float), np.asarray(orientation[3:], float)
    transpose = bool(abs(row[0]) < abs(row[1]))
    if transpose:
        row, column = column, row
    return Turn(transpose=transpose, flip_rows=bool(column[1] < 0), flip_columns=bool(row[0] < 0))


def turn(array: NDArray[T], by: Turn) -> NDArray[T]:
    """An array (H, W) or (H, W, channels) as stored -> as usual."""
    turned = np.swapaxes(array, 0, 1) if by.transpose else array
    return _flip(turned, by)


def turn_back(array: NDArray[T], by: Turn) -> NDArray[T]:
    """An array (H, W) or (H, W, channels) as usual -> as stored."""
    flipped = _flip(array, by)
    return np.swapaxes(flipped, 0, 1) if by.transpose else flipped


def turn_box_back(box: Box, by: Turn) -> Box:
    """A part of a slice as usual -> the same part of the slice as stored."""
    left, top, right, bottom = box
    if by.flip_columns:
        left, right = 1 - right, 1 - left
    if by.flip_rows:
        top, bottom = 1 - bottom, 1 - top
    return (top, left, bottom, right) if by.transpose else (left, top, right, bottom)


def _flip(array: NDArray[Any], by: Turn) -> NDArray[Any]:
    return array[:: -1 if by.flip_rows else 1, :: -1 if by.flip_columns else 1]
