"""A classical lung finder: dark regions inside a brighter body, on a small square copy of the slice.

Knows grey levels and shapes, no Hounsfield units: lung windows, soft-tissue windows and cropped figures all
pass through. It is made for blacking out and for a rough look, not for measuring: consolidation is outside
its regions (though inside their hulls), and lungs that merge with the surround at a tight crop may be
missed.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from covidct.types import Pixels

Mask = NDArray[np.bool_]

SIDE = 128
# Shares of the picture: smaller dark regions are airways, bowel gas or the gap to the table.
SMALLEST = 0.012
# Share of a region's outline that may lie on the edge of the picture: figures are often cropped to the lungs.
EDGE = 0.25
# Pixels from the edge: figures with a frame have their corners, and their air, that far inside.
FRAME = 5
# Lungs have their middle above this share of the height; below it are the table and the air under it.
LOWEST = 0.88


@dataclass(frozen=True)
class Lungs:
    """What was found on the (128, 128) copy, all (128, 128): `grey` uint8, the masks bool.

    `regions` are the lungs, largest first; `surround` is the dark that reaches the edge of the picture
    (air, black margins), `body` the largest connected thing that is not surround, lungs included.
    `threshold` is the grey level up to which a pixel is dark; `contrast` in [0, 1] the share of the
    variance that it explains.
    """

    grey: Pixels = field(compare=False, repr=False)
    regions: tuple[Mask, ...] = field(compare=False, repr=False)
    surround: Mask = field(compare=False, repr=False)
    body: Mask = field(compare=False, repr=False)
    threshold: float
    contrast: float

    def outlines(self, *, reach: int) -> Mask:
        """Convex hulls of the regions, widened by `reach` pixels: consolidation within them is covered."""
        covered = np.zeros(self.body.shape, np.uint8)
        for region in self.regions:
            covered |= hull(region).astype(np.uint8)
        kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1))
        return np.asarray(cv2.dilate(covered, kernel), bool)


def find_lungs(pixels: Pixels) -> Lungs:
    """Find lungs in (H, W) uint8, both sides at least 1 pixel.

    Threshold: Otsu 1979, on a copy of 128 x 128 pixels after a median of 3 x 3.
    """
    grey = shrink(pixels, SIDE)
    smooth = np.asarray(cv2.medianBlur(grey, 3), np.uint8)
    threshold, _ = cv2.threshold(smooth, 0, 255, cv2.THRESH_BINARY + cv2.THRESH_OTSU)
    dark = smooth <= threshold
    inside, surround = _divide(_open(dark))
    return Lungs(grey, inside, surround, _body(surround), float(threshold), _contrast(smooth, dark))


def shrink(pixels: Pixels, side: int) -> Pixels:
    """Stretch (H, W) uint8 to (side, side), averaging where it shrinks."""
    return np.asarray(cv2.resize(pixels, (side, side), interpolation=cv2.INTER_AREA), np.uint8)


def hull(mask: Mask) -> Mask:
    """Give the convex hull of all that is set, (H, W) bool; empty stays empty."""
    points = cv2.findNonZero(mask.astype(np.uint8))
    filled = np.zeros(mask.shape, np.uint8)
    if points is not None:
        cv2.fillConvexPoly(filled, cv2.convexHull(points), 1)
    return filled.astype(bool)


def _open(dark: Mask) -> Mask:
    """Cut thin bridges, as of a trachea to a lung or of a lung to the surround."""
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (3, 3))
    return np.asarray(cv2.morphologyEx(dark.astype(np.uint8), cv2.MORPH_OPEN, kernel), bool)


def _divide(dark: Mask) -> tuple[tuple[Mask, ...], Mask]:
    """Dark regions -> (lungs, surround)."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats(dark.astype(np.uint8), connectivity=4)
    surround = np.zeros(dark.shape, bool)
    lungs = []
    for label in range(1, count):
        if int(stats[label, cv2.CC_STAT_AREA]) < 8:
            continue
        region = labels == label
        if _is_surround(region):
            surround |= region
        elif region.mean() >= SMALLEST and _height(region) < LOWEST:
            lungs.append(region)
    return tuple(sorted(lungs, key=lambda region: -int(region.sum()))), surround


def _is_surround(region: Mask) -> bool:
    """Whether a region holds a corner of the picture, or lies along its edge for much of its outline."""
    framed = region[FRAME:-FRAME, FRAME:-FRAME]
    if any(part[[0, 0, -1, -1], [0, -1, 0, -1]].any() for part in (region, framed)):
        return True
    edge = sum(int(side.sum()) for side in (region[0], region[-1], region[:, 0], region[:, -1]))
    inner = cv2.erode(region.astype(np.uint8), np.ones((3, 3), np.uint8), borderType=cv2.BORDER_CONSTANT)
    outline = int(region.sum()) - int(inner.sum())
    return edge > EDGE * max(outline, 1)


def _height(region: Mask) -> float:
    """How far down the middle of a region lies, in [0, 1]."""
    return float(np.nonzero(region)[0].mean() / region.shape[0])


def _body(surround: Mask) -> Mask:
    """Give the largest connected thing that is not surround."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats((~surround).astype(np.uint8), connectivity=4)
    if count < 2:
        return np.zeros(surround.shape, bool)
    return np.asarray(labels == 1 + int(np.argmax(stats[1:, cv2.CC_STAT_AREA])))


def _contrast(grey: Pixels, dark: Mask) -> float:
    total = float(grey.var())
    share = float(dark.mean())
    if total == 0 or share in (0.0, 1.0):
        return 0.0
    step = float(grey[~dark].mean()) - float(grey[dark].mean())
    return float(share * (1 - share) * step**2 / total)
