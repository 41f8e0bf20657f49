"""One slice as other scans and other bodies would give it: noise, kernels, metal, one lung alone, fluid ...

Simulated in Hounsfield units, and roughly: noise without its scanner's texture, kernels as blurring and
sharpening, metal as a fan of streaks. They ask whether the answer survives, not what such a scan looks like.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from covidct.images.hounsfield import to_display
from covidct.stats.resampling import Bools
from covidct.types import Pixels

Hounsfield = NDArray[np.float32]
NOISE_HU = 70.0  # standard deviation, of a low dose
SOFT, SHARP = 1.2, 0.9  # pixels of 512 that a soft kernel blurs; how far a sharp one overshoots
STREAK_HU, RAYS = 160.0, 18
SMALL = 0.6  # of an adult's size
FLUID_HU, TISSUE_HU, AIR_HU, HOLE_HU, CONTRAST_HU = 12.0, 40.0, -1000.0, -985.0, 260.0
LEVEL = 0.75  # of the height of the lungs: below lies fluid
HOLES = 0.25  # of the lungs


def scan_otherwise(hu: Hounsfield) -> Iterator[tuple[str, Pixels]]:
    """Names and pictures (H, W) uint8 of the same body (H, W) in HU, scanned in other ways."""
    scale = max(hu.shape) / 512
    noise = np.random.default_rng(0).standard_normal(hu.shape, np.float32)
    yield "noise of a low dose", to_display(hu + NOISE_HU * noise)
    yield "soft kernel", to_display(_blur(hu, SOFT * scale))
    yield "sharp kernel", to_display(hu + SHARP * (hu - _blur(hu, SOFT * scale)))
    yield "metal", to_display(hu + _streaks(hu.shape))
    yield "contrast medium", to_display(np.where((hu > 0) & (hu < 90), np.float32(CONTRAST_HU), hu))


def change_body(hu: Hounsfield, inside: Bools | None) -> Iterator[tuple[str, Pixels]]:
    """Names and pictures (H, W) uint8 of other bodies; those of the lungs only where `inside` shows them."""
    yield "small body", to_display(_shrink(hu))
    yield "lying on the belly", to_display(np.ascontiguousarray(hu[::-1, ::-1]))
    yield "lying on the side", to_display(np.ascontiguousarray(np.rot90(hu)))
    if inside is None or not inside.any():
        return
    middle = round(float(np.flatnonzero(inside.any(axis=0)).mean()))
    right = np.arange(hu.shape[1]) < middle
    yield "one lung removed", to_display(np.where(inside & right, np.float32(TISSUE_HU), hu))
    yield "cropped to one lung", to_display(np.ascontiguousarray(hu[:, :middle]))
    yield "fluid in the chest", to_display(np.where(_find_lowest(inside), np.float32(FLUID_HU), hu))
    yield "emphysema", to_display(np.where(inside & _holes(hu.shape), np.float32(HOLE_HU), hu))


def _blur(hu: Hounsfield, sigma: float) -> Hounsfield:
    return np.asarray(ndimage.gaussian_filter(hu, sigma), np.float32)


def _streaks(shape: tuple[int, ...]) -> Hounsfield:
    """Bright and dark rays from a point near the spine, fading."""
    height, width = shape
    y, x = np.mgrid[:height, :width] - np.array([0.7 * height, 0.5 * width])[:, None, None]
    rays = np.cos(RAYS * np.arctan2(y, x)) * np.exp(-np.hypot(x, y) / (0.4 * max(shape)))
    return np.asarray(STREAK_HU * rays, np.float32)


def _shrink(hu: Hounsfield) -> Hounsfield:
    """A smaller body in the same field, with air around it."""
    small = ndimage.zoom(hu, SMALL, order=1)
    field = np.full_like(hu, min(AIR_HU, float(hu.min())))
    top, left = ((whole - part) // 2 for whole, part in zip(hu.shape, small.shape, strict=True))
    field[top : top + small.shape[0], left : left + small.shape[1]] = small
    return field


def _find_lowest(inside: Bools) -> Bools:
    rows = np.flatnonzero(inside.any(axis=1))
    level = rows[0] + LEVEL * (rows[-1] - rows[0])
    lowest: Bools = inside & (np.arange(inside.shape[0]) > level)[:, None]
    return lowest


def _holes(shape: tuple[int, ...]) -> Bools:
    """Round patches, in a quarter of the picture."""
    field = ndimage.gaussian_filter(np.random.default_rng(0).standard_normal(shape), max(shape) / 80)
    return np.asarray(field > np.quantile(field, 1 - HOLES))
