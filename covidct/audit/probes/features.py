"""What the checks need of a slice's pixels: vectors for the shortcut probes, and signs of its modality.

Measured once, when the slice is read. Knows pixels only: no labels, no patients.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from covidct.audit.lung_segmentation import SIDE, Lungs, Mask, find_lungs, shrink
from covidct.audit.probes.appearance import Appearance, measure_view
from covidct.audit.probes.marks import measure_marks, measure_outside
from covidct.audit.probes.sides import measure_side
from covidct.types import Pixels

Vector = NDArray[np.float32]

BORDER, MARKS, BLACKED_OUT = "border", "marks", "lungs blacked out"
OUTSIDE, SIDE_OF_HEART = "marks outside the body", "side of the heart"
THUMBNAIL, HISTOGRAM = "8 x 8 thumbnail", "grey histogram"
STRIP = 4
BLACK = 4
CELLS = 16
BINS = 32
# Of the curve |x|^n + |y|^n = 1: between an ellipse and its box, as a chest is.
EXPONENT = 3


@dataclass(frozen=True)
class Features:
    """`vectors`: probe name -> (k,) float32, the same k for every slice; `view` the signs of its modality."""

    vectors: Mapping[str, Vector] = field(compare=False, repr=False)
    view: Appearance


def measure_features(pixels: Pixels, *, colour: float) -> Features:
    """Measure a slice (H, W) uint8; `colour` is the share of its pixels that are not grey.

    The vectors' names and lengths are "border" 84, "marks" 15, "marks outside the body" 16, "lungs blacked
    out" 256, "side of the heart" 1, "8 x 8 thumbnail" 64 and "grey histogram" 32.
    """
    lungs = find_lungs(pixels)
    height, width = pixels.shape
    vectors = {
        BORDER: _border(pixels),
        MARKS: measure_marks(pixels, lungs, colour=colour),
        OUTSIDE: measure_outside(pixels, lungs),
        BLACKED_OUT: black_out(lungs),
        SIDE_OF_HEART: np.array([measure_side(lungs)], np.float32),
        THUMBNAIL: _flatten(shrink(pixels, 8)),
        HISTOGRAM: _histogram(pixels),
    }
    return Features(vectors, measure_view(lungs, (height, width), colour=colour))


def black_out(lungs: Lungs) -> Vector:
    """Give the slice without its lungs, (256,) float32: a 16 x 16 copy in [0, 255], blacked inside.

    The shape of what is black must not tell the disease. Outlines of lungs would, as consolidation makes
    holes in them: even their widened convex hulls tell phantoms with consolidation from normal ones (AUC
    0.91). So a rounded rectangle goes black that fills the body's box, whatever is in it; it covers all but
    a thousandth of the picture's lung. What still leaks: lung margins in tightly cropped figures, and what
    disease does beyond the lungs (arms at the side of the very ill, lines, drains, effusion that lifts the
    wall).
    """
    return _flatten(shrink(np.where(_inside(lungs.body), 0, lungs.grey).astype(np.uint8), CELLS))


def _inside(body: Mask) -> Mask:
    """The superellipse that fills the body's box (Lamé's curve); the picture's where there is no body."""
    rows, columns = (np.flatnonzero(body.any(axis=axis)) for axis in (1, 0))
    top, bottom = (rows[0], rows[-1]) if rows.size else (0, SIDE - 1)
    left, right = (columns[0], columns[-1]) if columns.size else (0, SIDE - 1)
    along = np.arange(SIDE)
    across = np.abs(2 * along - left - right) / max(right - left, 1)
    down = np.abs(2 * along - top - bottom) / max(bottom - top, 1)
    return np.asarray(across[None, :] ** EXPONENT + down[:, None] ** EXPONENT <= 1)


def _border(pixels: Pixels) -> Vector:
    """Outermost 4 pixels at the slice's own resolution, (84,): each side's 16 means and 5 statistics."""
    sides = (pixels[:STRIP], pixels[-STRIP:], pixels[:, :STRIP].T, pixels[:, -STRIP:].T)
    return np.concatenate([_strip(np.ascontiguousarray(side)) for side in sides])


def _strip(strip: Pixels) -> Vector:
    """16 means along a strip (4, k), its 5th, 50th and 95th percentile, deviation and share of black."""
    means = cv2.resize(strip.astype(np.float32), (CELLS, 1), interpolation=cv2.INTER_AREA).ravel()
    rest = (*np.percentile(strip, (5, 50, 95)), strip.std(), (strip < BLACK).mean())
    return np.concatenate([means, rest]).astype(np.float32)


def _histogram(pixels: Pixels) -> Vector:
    """Share of pixels in each of 32 bins of 8 grey levels, (32,)."""
    counts = cv2.calcHist([pixels], [0], None, [BINS], [0, 256])
    return np.asarray(counts.ravel() / pixels.size, np.float32)


def _flatten(pixels: Pixels) -> Vector:
    return pixels.ravel().astype(np.float32)
