"""Whether two thumbnails show the same picture: align one to the other, correlate what is left of detail.

Knows two thumbnails (96, 96) and where to start; nothing of sets and files. The pictures are compared where a
copy keeps its detail, between 0.7 and 2 pixels of a thumbnail; brightness, contrast and window drop out.
"""

from __future__ import annotations

import math
from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

from covidct.types import Pixels

Matrix = NDArray[np.float32]
Detail = NDArray[np.float32]
Mask = NDArray[np.bool_]

SIDE = 96
# Enhanced correlation: so many steps, or until it gains less; at half the size a rough answer will do.
STEPS, ROUGH_STEPS, GAIN = 30, 10, 1e-4
# Corners hold letters, tables and air: an ellipse with these half axes is compared, as a share of the side.
REACH = 0.47
# The share of a thumbnail without whose overlap two pictures have too little in common to judge.
OVERLAP = 1 / 6
# Pairs of 1000 slices of 13 sources: at half the size those that count as alike reach 0.91; one in nine of
# the others reaches this.
PROMISING = 0.75
# No copy is enlarged or squeezed by more.
LARGEST_CHANGE = 1.6
FINE, COARSE = 0.7, 2.0
# Variances in square pixels: of an interpolated pixel, of interpolation alone; as good as none.
PIXEL, INTERPOLATED, MIN_BLUR = 0.25, 0.1, 0.01
# Contrast is evened out over this many pixels, down to so many grey levels.
EVEN, FLAT = 4.0, 4.0
# Arrows and letters drawn into a copy cover less than this share.
TRIMMED = 0.05
# With structure on less of the area, two pictures are alike for want of anything else.
STRUCTURE = 0.1


def correlate(moving: Pixels, fixed: Pixels, start: Matrix) -> float:
    """How alike two thumbnails (96, 96) are after alignment, in [-1, 1]; 0 where nothing can be compared.

    `start` (2, 3) maps pixels of `fixed` to those of `moving`, roughly; an affine map is sought from there by
    enhanced correlation (Evangelidis & Psarakis 2008). Then both are band-passed and divided by their local
    contrast, so that an outline counts no more than a vessel, and correlated inside an ellipse, the worst
    twentieth of the area left out.
    """
    return _correlate(moving, fixed, start, steps=STEPS)


def is_promising(moving: Pixels, fixed: Pixels, start: Matrix) -> bool:
    """Whether two thumbnails are alike at half their size: else `correlate`, at four times the cost, is not.

    Arguments as those of `correlate`.
    """
    linear, offset = start[:, :2], start[:, 2]
    # The middle of the first pixel lies half a pixel inside, whatever the size.
    halved = np.hstack([linear, ((offset + (linear.sum(axis=1) - 1) / 2) / 2)[:, None]])
    first, second = (
        np.asarray(cv2.resize(each, (SIDE // 2, SIDE // 2), interpolation=cv2.INTER_AREA), np.uint8)
        for each in (moving, fixed)
    )
    return _correlate(first, second, halved.astype(np.float32), steps=ROUGH_STEPS) >= PROMISING


def _correlate(moving: Pixels, fixed: Pixels, start: Matrix, *, steps: int) -> float:
    matrix = _align(moving, fixed, start, steps=steps)
    if matrix is None:
        return 0.0
    moved, inside = _warp(moving, matrix)
    if inside.sum() < OVERLAP * inside.size:
        return 0.0
    first, second = _detail(moved.astype(np.float32)), _detail(_soften(fixed, matrix))
    if min(_structure(first, inside), _structure(second, inside)) < STRUCTURE:
        return 0.0
    return _correlation(first, second, _trim(first, second, inside))


def _align(moving: Pixels, fixed: Pixels, start: Matrix, *, steps: int) -> Matrix | None:
    """The affine map that aligns them; None where there is none, or none that a copy could have."""
    criteria = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, steps, GAIN)
    unmasked = np.full(fixed.shape, 255, np.uint8)
    try:
        _, matrix = cv2.findTransformECC(
            fixed, moving, start.copy(), cv2.MOTION_AFFINE, criteria, unmasked, 3
        )
    except cv2.error:  # it does not converge: flat pictures, or too unlike
        return None
    found = np.asarray(matrix, np.float32)
    sizes = np.linalg.svd(found[:, :2], compute_uv=False) if np.isfinite(found).all() else np.zeros(2)
    return found if sizes[1] > 1 / LARGEST_CHANGE and sizes[0] < LARGEST_CHANGE else None


def _warp(moving: Pixels, matrix: Matrix) -> tuple[Pixels, Mask]:
    """The aligned picture, and where both can be compared."""
    side = len(moving)
    moved = cv2.warpAffine(moving, matrix, (side, side), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)
    ones = np.ones((side, side), np.uint8)
    covered = cv2.warpAffine(ones, matrix, (side, side), flags=cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP)
    safe = cv2.erode(covered, np.ones((5, 5), np.uint8)) > 0
    return np.asarray(moved, np.uint8), safe & _ellipse(side)


@cache
def _ellipse(side: int) -> Mask:
    y, x = (np.mgrid[:side, :side] - (side - 1) / 2) / (REACH * side)
    return np.asarray(x * x + y * y < 1)


def _soften(fixed: Pixels, matrix: Matrix) -> Detail:
    """Blur as much as the other was blurred, when a pixel was enlarged by the map and interpolated."""
    enlarged = 1 / abs(float(np.linalg.det(matrix[:, :2])))
    return _blur(fixed.astype(np.float32), math.sqrt(max(PIXEL * (enlarged - 1) + INTERPOLATED, MIN_BLUR)))


def _detail(grey: Detail) -> Detail:
    """The band-passed picture over its local contrast: about 1 in size, less where it is flat."""
    band = _blur(grey, FINE) - _blur(grey, COARSE)
    return np.asarray(band / np.sqrt(_blur(band * band, EVEN) + FLAT * FLAT), np.float32)


def _structure(detail: Detail, inside: Mask) -> float:
    """The share of the area where contrast is above the floor."""
    return float((_blur(detail * detail, EVEN)[inside] > 0.5).mean())


def _trim(first: Detail, second: Detail, inside: Mask) -> Mask:
    """The area without the places where the two differ most."""
    residue = _blur((first - second) ** 2, 3.0)
    return np.asarray(inside & (residue <= np.quantile(residue[inside], 1 - TRIMMED)))


def _correlation(first: Detail, second: Detail, inside: Mask) -> float:
    a, b = (detail[inside].astype(np.float64) for detail in (first, second))
    a, b = a - a.mean(), b - b.mean()
    return float(a @ b / np.sqrt((a @ a) * (b @ b) + 1e-12))


def _blur(values: Detail, sigma: float) -> Detail:
    return np.asarray(cv2.GaussianBlur(values, (0, 0), sigma), np.float32)
