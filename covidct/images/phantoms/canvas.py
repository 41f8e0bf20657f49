"""Soft-edged shapes, smooth noise and blur on a square of float values: what the phantoms are drawn with.

Knows geometry only. Coordinates run from -1 to 1, x to the right and y down, whatever the size in pixels, so
that the same strokes give the same picture at every size. A *field* is positive inside a shape and about the
distance to its edge; *cover*, in [0, 1], is how much of each pixel lies inside.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Field = NDArray[np.float32]
Point = tuple[float, float]


class Canvas:
    """A square of `size` x `size` float32 values with its coordinates `x`, `y` and its `pixel` width."""

    def __init__(self, size: int, *, value: float) -> None:
        self.size = size
        self.pixel = 2.0 / size
        axis = ((np.arange(size) + 0.5) * self.pixel - 1).astype(np.float32)
        self.x: Field = np.broadcast_to(axis[None, :], (size, size))
        self.y: Field = np.broadcast_to(axis[:, None], (size, size))
        self.values: Field = np.full((size, size), value, dtype=np.float32)

    def warp(self, rng: np.random.Generator, *, cells: int, amount: float) -> None:
        """Bend the coordinates by smooth noise: every later shape (not strokes) gets less regular."""
        self.x = self.x + np.float32(amount) * self.noise(rng, cells=cells)
        self.y = self.y + np.float32(amount) * self.noise(rng, cells=cells)

    def ellipse(self, centre: Point, radii: Point, *, turn: float = 0.0, squarish: bool = False) -> Field:
        """Give the field of an ellipse turned by `turn` radians; a `squarish` one has power 2.5, not 2."""
        x, y = self.x - np.float32(centre[0]), self.y - np.float32(centre[1])
        if turn:
            cos, sin = np.float32(np.cos(turn)), np.float32(np.sin(turn))
            x, y = x * cos + y * sin, y * cos - x * sin
        x, y = np.square(x / np.float32(radii[0])), np.square(y / np.float32(radii[1]))
        # (x * sqrt(sqrt(x)) is x ** 1.25, five times faster.)
        radius = (
            (x * np.sqrt(np.sqrt(x)) + y * np.sqrt(np.sqrt(y))) ** np.float32(0.4)
            if squarish
            else np.sqrt(x + y)
        )
        return np.asarray((1 - radius) * np.float32(min(radii)), dtype=np.float32)

    def cover(self, field: Field, *, edge: float = 0.0) -> Field:
        """Turn a field into cover, over an edge of a pixel or of the width `edge`."""
        return np.asarray(np.clip(field / np.float32(max(edge, self.pixel)) + 0.5, 0, 1), dtype=np.float32)

    def paint(self, cover: Field, value: float | Field) -> None:
        """Lay `value` over the picture where there is cover."""
        self.values += cover * (value - self.values)

    def fill(self, field: Field, value: float | Field, *, edge: float = 0.0) -> None:
        """Paint the inside of a field."""
        self.paint(self.cover(field, edge=edge), value)

    def noise(self, rng: np.random.Generator, *, cells: int) -> Field:
        """Give smooth noise, about N(0, 1), with `cells` bumps across; the same bumps at every size."""
        grid = rng.standard_normal((cells + 3, cells + 3)).astype(np.float32)
        left, taps = _spline(self.size, cells)
        # (Not as matrices: BLAS would round differently from machine to machine.)
        rows = sum(tap[:, None] * grid[left + shift] for shift, tap in enumerate(taps))
        columns = np.asarray(rows, dtype=np.float32)
        smooth = sum(tap * columns[:, left + shift] for shift, tap in enumerate(taps))
        # A cubic spline averages its neighbours: 2.1 brings the spread back to about 1.
        return np.asarray(np.float32(2.1) * smooth, dtype=np.float32)


def stroke(target: Field, start: Point, end: Point, radii: Point, *, strength: float = 1.0) -> None:
    """Raise `target` (square, cover) to a tapering line between two points, radii at its two ends.

    Lines thinner than a pixel get fainter instead of thinner, as they do in a scanner.
    """
    size = target.shape[0]
    pixel = 2.0 / size
    reach = max(*radii, pixel / 2) + pixel
    rows, columns = _span(start[1], end[1], reach, size), _span(start[0], end[0], reach, size)
    if rows.start >= rows.stop or columns.start >= columns.stop:
        return
    x = (np.arange(columns.start, columns.stop) + 0.5) * pixel - 1 - start[0]
    y = ((np.arange(rows.start, rows.stop) + 0.5) * pixel - 1 - start[1])[:, None]
    dx, dy = end[0] - start[0], end[1] - start[1]
    along = np.clip((x * dx + y * dy) / max(dx * dx + dy * dy, 1e-12), 0, 1)
    radius = radii[0] + along * (radii[1] - radii[0])
    distance = np.hypot(x - along * dx, y - along * dy)
    faint = np.minimum(1, 2 * radius / pixel) * strength
    cover = faint * np.clip((np.maximum(radius, pixel / 2) - distance) / pixel + 0.5, 0, 1)
    window = target[rows, columns]
    np.maximum(window, cover, out=window, casting="same_kind")


def join(fields: Sequence[Field], *, blend: float) -> Field:
    """Unite shapes, rounding the corners between them over a width of `blend`."""
    total = fields[0]
    for field in fields[1:]:
        mix = np.clip(0.5 + (field - total) / (2 * blend), 0, 1)
        total = total + mix * (field - total) + blend * mix * (1 - mix)
    return np.asarray(total, dtype=np.float32)


def blur(values: Field, *, sigma: float) -> Field:
    """Blur with a Gaussian of `sigma` pixels, its edges repeated."""
    reach = max(1, round(3 * sigma))
    taps = np.exp(-0.5 * (np.arange(-reach, reach + 1) / max(sigma, 1e-6)) ** 2)
    taps = (taps / taps.sum()).astype(np.float32)
    for axis in (0, 1):
        width = [(reach, reach) if axis == here else (0, 0) for here in (0, 1)]
        padded, length = np.pad(values, width, mode="edge"), values.shape[axis]
        parts = (np.take(padded, range(at, at + length), axis=axis) * tap for at, tap in enumerate(taps))
        values = np.asarray(sum(parts), dtype=np.float32)
    return values


def _span(first: float, last: float, reach: float, size: int) -> slice:
    low, high = min(first, last) - reach, max(first, last) + reach
    return slice(max(0, int((low + 1) * size / 2)), min(size, int((high + 1) * size / 2) + 1))


def _spline(size: int, cells: int) -> tuple[NDArray[np.intp], list[Field]]:
    """Give the four cubic B-spline weights, each (size,), that spread a grid of cells over `size` pixels.

    With them the cell that the first of the four belongs to, (size,).
    """
    at = (np.arange(size) + 0.5) / size * cells
    left = at.astype(np.intp)
    t = at - left
    taps = ((1 - t) ** 3, 3 * t**3 - 6 * t**2 + 4, -3 * t**3 + 3 * t**2 + 3 * t + 1, t**3)
    return left, [(tap / 6).astype(np.float32) for tap in taps]
