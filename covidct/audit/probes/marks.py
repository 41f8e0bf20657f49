"""Burned-in marks: letters, arrows, scales and coloured drawing, as a handful of numbers.

Knows small things that stand apart from body and lungs. Marks inside the lungs look like vessels and
lesions to it and are left out on purpose: what it measures shall hold no disease.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from covidct.audit.lung_segmentation import Lungs, Mask
from covidct.types import Pixels

Floats = NDArray[np.float64]

LONGEST = 256
WHITE, BLACK = 200, 20
# Pixels, and share of the picture: letters and arrows at 256 pixels.
SMALLEST, LARGEST = 3, 0.01
# Pixels of the (128, 128) copy that are added to the lungs' outlines, and to the body.
REACH, MARGIN = 4, 2
# Outside the body there is nothing else that is bright, so thin letters may count that shrinking has dimmed.
BRIGHT, GRID = 120, 4


def measure_marks(pixels: Pixels, lungs: Lungs, *, colour: float) -> NDArray[np.float32]:
    """Give (15,) float32: colour share, then seven numbers for white marks and seven for black ones.

    `pixels` is (H, W) uint8, `lungs` of the same slice, `colour` in [0, 1]. The seven are the number of
    marks, the share of the picture that they fill, the largest one's share, and the share in each quarter
    (top left, top right, bottom left, bottom right).
    """
    small = _fit(pixels)
    size = small.shape[1], small.shape[0]
    lung = cv2.resize(lungs.outlines(reach=REACH).astype(np.uint8), size, interpolation=cv2.INTER_NEAREST) > 0
    white, black = _measure(small >= WHITE, lung), _measure(small <= BLACK, lung)
    return np.array((colour, *white, *black), np.float32)


def _fit(pixels: Pixels) -> Pixels:
    """Shrink to at most 256 pixels a side, keeping the aspect as far as there is a pixel left."""
    height, width = pixels.shape
    scale = min(1.0, LONGEST / max(height, width))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8)


def measure_outside(pixels: Pixels, lungs: Lungs) -> NDArray[np.float32]:
    """Marks outside the body by place, (16,) float32: the share of each cell of a 4 x 4 grid, row by row.

    Arguments as those of `measure_marks`. Bones do not count here, so that a letter on a part of the slices
    stands out. All 0 where the picture is cropped to the body.
    """
    small = _fit(pixels)
    height, width = small.shape
    body = cv2.dilate(lungs.body.astype(np.uint8), np.ones((2 * MARGIN + 1, 2 * MARGIN + 1)))
    covered = cv2.resize(body, (width, height), interpolation=cv2.INTER_NEAREST) > 0
    areas, x, y = _find_marks((small >= BRIGHT) & ~covered, np.zeros_like(covered))
    cells = np.zeros((GRID, GRID), np.float32)
    np.add.at(cells, ((GRID * y / height).astype(int), (GRID * x / width).astype(int)), areas)
    return np.asarray(cells.ravel() * GRID**2 / small.size, np.float32)


def _measure(mask: Mask, lung: Mask) -> tuple[float, ...]:
    """Count and place the marks of a mask (H, W) whose middle lies outside the lungs."""
    height, width = mask.shape
    areas, x, y = _find_marks(mask, lung)
    shares = areas / mask.size
    quarters = [
        float(shares[((y >= height / 2) == low) & ((x >= width / 2) == right)].sum())
        for low in (False, True)
        for right in (False, True)
    ]
    return float(areas.size), float(shares.sum()), float(shares.max(initial=0)), *quarters


def _find_marks(mask: Mask, hidden: Mask) -> tuple[Floats, Floats, Floats]:
    """Areas in pixels, x and y of the small components of a mask (H, W), but those with the middle hidden."""
    count, _, stats, centres = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    areas = stats[1:count, cv2.CC_STAT_AREA].astype(np.float64)
    middles = np.asarray(centres[1:count], np.float64)
    column, row = np.rint(middles).astype(int).T
    is_mark = (areas >= SMALLEST) & (areas <= LARGEST * mask.size)
    is_mark &= ~hidden[np.clip(row, 0, mask.shape[0] - 1), np.clip(column, 0, mask.shape[1] - 1)]
    return areas[is_mark], middles[is_mark, 0], middles[is_mark, 1]
