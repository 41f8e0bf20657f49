"""Vectors in which a slice lies close to its copies; and the views under which a copy may show it.

Knows thumbnails (96, 96). Knows nothing of pairs: `search` compares, `alignment` verifies. A vector says
which slices are worth a closer look, no more. A view is a sparse matrix over the pixels: many slices are
shown under it at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import product

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from sklearn.decomposition import PCA

from covidct.types import Pixels

Vectors = NDArray[np.float32]

SIDE = 96
HALF = SIDE // 2
GRID = 16
CELL = HALF // GRID
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


def halve(thumbnails: Sequence[Pixels]) -> Vectors:
    """Thumbnails at half their size, (n, 2304): all the detail that a descriptor takes in."""
    stack = np.stack(thumbnails).reshape(len(thumbnails), HALF, 2, HALF, 2)
    halved = stack.mean((2, 4), np.float32).reshape(len(thumbnails), -1)
    return np.asfortranarray(halved, np.float32)  # operators go through it pixel by pixel


def to_operator(view: NDArray[np.float32]) -> csr_array:
    """What a view shows at 16 x 16, as a matrix (256, 2304) over the halved slice.

    Each cell is the mean of nine interpolated places; outside the slice its edge goes on.
    """
    y, x = np.mgrid[:HALF, :HALF].reshape(2, -1)
    # The middle of a halved pixel lies between two whole ones.
    places = (view @ np.stack([2 * x + 0.5, 2 * y + 0.5, np.ones(len(x))]) - 0.5) / 2
    places = places.clip(0, HALF - 1)
    low = np.minimum(places.astype(np.int64), HALF - 2)
    part = places - low
    cells = (y // CELL) * GRID + x // CELL
    weights, columns = [], []
    for down, across in product((0, 1), (0, 1)):
        shares = np.abs(1 - across - part[0]) * np.abs(1 - down - part[1])
        weights.append(shares / CELL**2)
        columns.append((low[1] + down) * HALF + low[0] + across)
    entries = np.concatenate(weights).astype(np.float32), (np.tile(cells, 4), np.concatenate(columns))
    return csr_array(entries, shape=(GRID * GRID, HALF * HALF))


@cache
def show_whole() -> csr_array:
    """The operator of the slice as it is."""
    return to_operator(np.eye(2, 3, dtype=np.float32))


def describe(halved: Vectors, operator: csr_array) -> Vectors:
    """Slices (n, 2304) as a view shows them, contrast standardised and border faded out: (n, 256)."""
    small = np.asarray((operator @ halved.T).T, np.float32)
    taper = _taper().ravel()
    small -= (small @ taper / taper.sum())[:, None]
    return np.asarray(small / (small.std(axis=1, keepdims=True) + FLATNESS) * taper, np.float32)


@cache
def _taper() -> Vectors:
    edge = np.sqrt(np.hanning(GRID + 2)[1:-1])
    return np.outer(edge, edge).astype(np.float32)


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


def fit_projection(descriptors: Vectors) -> Projection:
    """Whitened principal components of the slices' own descriptors (n, 256); these as they are for n < 64.

    Whitening lets what sets one slice apart count as much as what all chests have in common. Its variances
    have a floor, as slices that are nearly the same leave most directions to noise.
    """
    if len(descriptors) < FEW:
        cells = GRID * GRID
        return Projection(np.zeros(cells, np.float32), np.eye(cells, dtype=np.float32), 0.0)
    step = -(-len(descriptors) // FITTED)
    pca = PCA(COMPONENTS, svd_solver="covariance_eigh").fit(descriptors[::step].astype(np.float64))
    scale = np.sqrt(np.maximum(pca.explained_variance_, MIN_VARIANCE))
    axes = (pca.components_ / scale[:, None]).T
    return Projection(pca.mean_.astype(np.float32), axes.astype(np.float32), SHARED)
