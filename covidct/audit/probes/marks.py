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

LONGEST = 256
WHITE, BLACK = 200, 20
# Pixels, and share of the picture: letters and arrows at 256 pixels.
SMALLEST, LARGEST = 3, 0.01
# Pixels of the (128, 128) copy that are added to the lungs' outlines.
REACH = 4


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


def _measure(mask: Mask, lung: Mask) -> tuple[float, ...]:
    """Count and place the small components of a mask (H, W) whose middle lies outside the lungs."""
    height, width = mask.shape
    count, _, stats, centres = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    areas = stats[1:count, cv2.CC_STAT_AREA]
    x, y = centres[1:count, 0], centres[1:count, 1]
    apart = ~lung[
        np.clip(np.rint(y), 0, height - 1).astype(int), np.clip(np.rint(x), 0, width - 1).astype(int)
    ]
    chosen = (areas >= SMALLEST) & (areas <= LARGEST * mask.size) & apart
    shares = np.where(chosen, areas, 0) / mask.size
    quarters = [
        float(shares[((y >= height / 2) == low) & ((x >= width / 2) == right)].sum())
        for low in (False, True)
        for right in (False, True)
    ]
    return float(chosen.sum()), float(shares.sum()), float(shares.max(initial=0)), *quarters
