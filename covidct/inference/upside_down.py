"""Whether a slice seems upside down: front and back of the chest differ between and around the lungs.

The spine is bright, is between the backs of the lungs, and is wider than the sternum; the heart separates the
lungs in front. Sixteen weights for a coarse picture of the lung region, fitted by `studies/upside_down.py`,
which also measures the errors. Knows grey levels. Knows nothing of headers.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from covidct.types import Box, Pixels

SIDE = 8
# For what a cell of the upper half has more than its mirror image below; rows from the edge to the middle of
# the picture, columns from its sides to the middle.
WEIGHTS = np.array(
    (
        (-1.89, 0.50, -0.48, -2.93),
        (0.01, -0.24, 0.92, -0.72),
        (0.86, -0.16, 1.17, 0.34),
        (0.38, 0.17, 0.50, 1.04),
    )
)
MIN_SCORE = -2.0  # below: upside down


def is_upside_down(pixels: Pixels, box: Box) -> bool:
    """Whether an upright slice (H, W) uint8 display, whose lungs lie in the part `box`, seems upside down."""
    return float((WEIGHTS * to_contrast(pixels, box)).sum()) < MIN_SCORE


def to_contrast(pixels: Pixels, box: Box) -> NDArray[np.float64]:
    """What the upper half has more than the lower, (4, 4), both sides averaged, in standard deviations."""
    grid = _to_grid(_cut(pixels, box))
    grid = (grid - grid.mean()) / (grid.std() + 1)
    halves = (grid + grid[:, ::-1]) / 2
    return np.asarray((halves - halves[::-1])[: SIDE // 2, : SIDE // 2])


def _cut(pixels: Pixels, box: Box) -> Pixels:
    """The part, of at least `SIDE` pixels each way where the slice has them."""
    (rows, columns), (left, top, right, bottom) = pixels.shape, box
    top_row = min(int(top * rows), max(rows - SIDE, 0))
    first = min(int(left * columns), max(columns - SIDE, 0))
    return pixels[
        top_row : max(int(bottom * rows), top_row + SIDE), first : max(int(right * columns), first + SIDE)
    ]


def _to_grid(pixels: Pixels) -> NDArray[np.float64]:
    """Means of `SIDE` by `SIDE` cells."""
    starts = [np.arange(SIDE) * size // SIDE for size in pixels.shape]
    sums = np.add.reduceat(np.add.reduceat(pixels.astype(np.float64), starts[0], 0), starts[1], 1)
    counts = [np.diff([*start, size]) for start, size in zip(starts, pixels.shape, strict=True)]
    return np.asarray(sums / np.outer(*counts))
