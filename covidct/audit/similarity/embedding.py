"""Vectors in which a slice lies close to its copies; and the views under which a copy may show it.

Knows thumbnails (96, 96). Knows nothing of pairs: `search` compares, `alignment` verifies. A vector says
which slices are worth a closer look, no more.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import product

import cv2
import numpy as np
from numpy.typing import NDArray
from sklearn.decomposition import PCA

from covidct.types import Pixels

Vectors = NDArray[np.float32]

SIDE = 96
GRID = 16
COMPONENTS = 48
# With fewer slices than this their covariance says more of chance than of chests.
FEW = 64
# A covariance of 256 numbers is known well enough from so many slices.
FITTED = 20_000
ANGLES = (-15, -10, -5, 0, 5, 10, 15)
# Places 2.4 pixels apart in each direction: at twice that, one crop in four escapes among much alike slices.
CROP, PLACES = 0.8, tuple(float(shift) for shift in np.linspace(-0.1, 0.1, 9))
# In grey levels: what is flatter than this is noise, and must not be blown up to a picture.
FLATNESS = 1.0
# Directions in which slices hardly differ tell nothing; of chest CT, the first 48 have 0.1 to 8.
MIN_VARIANCE = 0.05
# A coordinate that all slices share: without it, slices that differ in noise alone would seem unrelated.
SHARED = 1.0


def make_views() -> NDArray[np.float32]:
    """The views, (178, 2, 3): affine matrices from a pixel of the view to the pixel of the slice it shows.

    With and without a mirror: turns by up to 15 degrees in steps of 5, crops to 80 % at 81 places, to 90 %
    in the middle. What lies between is for `alignment` to find.
    """
    turns = [(angle, 1.0, 0.0, 0.0) for angle in ANGLES]
    crops = [(0, CROP, x, y) for x, y in product(PLACES, PLACES)]
    changes = (*turns, *crops, (0, (1 + CROP) / 2, 0.0, 0.0))
    return np.stack([_matrix(mirror, *change) for mirror in (1, -1) for change in changes])


def _matrix(mirror: int, angle: float, scale: float, x: float, y: float) -> NDArray[np.float32]:
    """`x` and `y` shift the middle, as shares of the side."""
    middle, radians = np.full(2, (SIDE - 1) / 2), np.deg2rad(angle)
    turn = np.array([[np.cos(radians), -np.sin(radians)], [np.sin(radians), np.cos(radians)]])
    linear = scale * turn @ np.diag([mirror, 1])
    offset = middle + SIDE * np.array([x, y]) - linear @ middle
    return np.hstack([linear, offset[:, None]]).astype(np.float32)


def describe(thumbnail: Pixels) -> Vectors:
    """The slice at 16 x 16, its contrast standardised and its border faded out: (256,)."""
    small = cv2.resize(thumbnail, (GRID, GRID), interpolation=cv2.INTER_AREA).astype(np.float32)
    taper = _taper()
    small -= (small * taper).sum() / taper.sum()
    return np.asarray(small / (small.std() + FLATNESS) * taper, np.float32).ravel()


@cache
def _taper() -> Vectors:
    edge = np.sqrt(np.hanning(GRID + 2)[1:-1])
    return np.outer(edge, edge).astype(np.float32)


def describe_view(thumbnail: Pixels, view: NDArray[np.float32]) -> Vectors:
    """The descriptor (256,) of a slice as a view shows it; outside the slice its edge goes on."""
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return describe(
        np.asarray(
            cv2.warpAffine(thumbnail, view, (SIDE, SIDE), flags=flags, borderMode=cv2.BORDER_REPLICATE),
            np.uint8,
        )
    )


@dataclass(frozen=True)
class Projection:
    """From descriptors to vectors of length 1: (x - mean) @ axes, and what all share."""

    mean: Vectors = field(repr=False)
    axes: Vectors = field(repr=False)
    shared: float

    def apply(self, descriptors: Vectors) -> Vectors:
        """(n, 256) to (n, k), rows of length 1 (0 for a descriptor of 0 where nothing is shared)."""
        vectors = (descriptors - self.mean) @ self.axes
        shared = np.full((len(vectors), 1), self.shared, np.float32)
        joined = np.hstack([vectors, shared])
        return np.asarray(
            joined / np.maximum(np.linalg.norm(joined, axis=1, keepdims=True), 1e-6), np.float32
        )


def fit_projection(thumbnails: Sequence[Pixels]) -> Projection:
    """Whitened principal components of the slices themselves; the descriptors as they are for fewer than 64.

    Whitening lets what sets one slice apart count as much as what all chests have in common. Its variances
    have a floor, as slices that are nearly the same leave most directions to noise.
    """
    if len(thumbnails) < FEW:
        cells = GRID * GRID
        return Projection(np.zeros(cells, np.float32), np.eye(cells, dtype=np.float32), 0.0)
    step = -(-len(thumbnails) // FITTED)
    descriptors = np.stack([describe(thumbnail) for thumbnail in thumbnails[::step]])
    pca = PCA(COMPONENTS, svd_solver="covariance_eigh").fit(descriptors.astype(np.float64))
    scale = np.sqrt(np.maximum(pca.explained_variance_, MIN_VARIANCE))
    axes = (pca.components_ / scale[:, None]).T
    return Projection(pca.mean_.astype(np.float32), axes.astype(np.float32), SHARED)
