"""Signs of what a picture shows: five numbers that set an axial chest CT apart from other pictures.

Knows shapes and edges, in pictures of any window; says nothing of what is normal: `modality` does.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from covidct.audit.lung_segmentation import Lungs, Mask
from covidct.types import Pixels

# Pixels of the (128, 128) copy: skin and chest wall.
RIND = 4
# Of the body's upper quartile: -290 HU in the lung window, below all tissue but lung.
DARK = 0.75


@dataclass(frozen=True)
class Appearance:
    """What a slice looks like; shares are in [0, 1].

    `colour` is the share of pixels that are not grey, `contrast` how far two grey levels explain the
    picture, `sharpness` the mean slope along the outline of lungs (of the surround where there are none)
    per pixel of a 128 x 128 copy, over the step from dark to bright; `lung_share` and `dark_share` the
    lungs' and all dark pixels' share of the body, `height` the body's height over its width.
    """

    colour: float
    contrast: float
    sharpness: float
    lung_share: float
    dark_share: float
    height: float


def measure_view(lungs: Lungs, shape: tuple[int, int], *, colour: float) -> Appearance:
    """Measure the signs; `shape` is the slice's own (H, W)."""
    inside = np.logical_or.reduce((np.zeros_like(lungs.body), *lungs.regions))
    return Appearance(
        colour=colour,
        contrast=lungs.contrast,
        sharpness=_sharpness(lungs, inside if inside.any() else lungs.surround),
        lung_share=float(inside.sum() / max(1, (lungs.body | inside).sum())),
        dark_share=_dark_share(lungs.grey, lungs.body),
        height=_height(lungs.body, shape),
    )


def _sharpness(lungs: Lungs, region: Mask) -> float:
    """Mean slope along the outline of a region over the step in grey levels; 0 without outline or step."""
    bright = lungs.grey > lungs.threshold
    grown, shrunk = (change(region.astype(np.uint8), np.ones((3, 3))) for change in (cv2.dilate, cv2.erode))
    outline = grown != shrunk
    if not outline.any() or bright.all() or not bright.any():
        return 0.0
    step = float(lungs.grey[bright].mean()) - float(lungs.grey[~bright].mean())
    x, y = (cv2.Sobel(lungs.grey, cv2.CV_32F, *order) / 8 for order in ((1, 0), (0, 1)))
    return float(np.hypot(x, y)[outline].mean()) / max(step, 1.0)


def _dark_share(grey: Pixels, body: Mask) -> float:
    """Share of the body, without its rind, that is far darker than its upper quartile; 0 without body."""
    inner = cv2.erode(body.astype(np.uint8), np.ones((2 * RIND + 1, 2 * RIND + 1))).astype(bool)
    values = grey[inner]
    return float((values < DARK * np.percentile(values, 75)).mean()) if values.size else 0.0


def _height(body: Mask, shape: tuple[int, int]) -> float:
    """Height over width of the body's box, in the slice's own pixels; 0 without body."""
    rows, columns = (np.flatnonzero(body.any(axis=axis)) for axis in (1, 0))
    if not rows.size:
        return 0.0
    return float((np.ptp(rows) + 1) * shape[0] / ((np.ptp(columns) + 1) * shape[1]))
