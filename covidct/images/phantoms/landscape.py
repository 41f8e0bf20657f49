"""A drawn landscape: a picture that is no CT at all, for tests of what must be refused or doubted.

Knows sky, sun, hills, a lake, a house and trees. Drawn as grey levels, as a photo would be.
"""

from __future__ import annotations

import numpy as np

from covidct.images.phantoms.canvas import Canvas, Field
from covidct.types import Pixels


def draw_picture(*, seed: int = 0, size: int = 512) -> Pixels:
    """Draw a landscape (size, size) uint8, display; another one for every seed."""
    rng = np.random.default_rng([seed, 9])
    canvas = Canvas(size, value=0.0)
    canvas.values += 205 - 45 * canvas.y + 12 * canvas.noise(rng, cells=5)
    canvas.fill(canvas.ellipse((rng.uniform(-0.7, 0.7), rng.uniform(-0.75, -0.5)), (0.12, 0.12)), 252.0)
    horizon = rng.uniform(-0.05, 0.15)
    for height, grey, cells in ((0.34, 150.0, 4), (0.2, 118.0, 6), (0.08, 92.0, 9)):
        canvas.fill(_below(canvas, horizon - height * rng.uniform(0.7, 1.2), rng, cells), grey)
    meadow = 70 + 9 * canvas.noise(rng, cells=60) + 40 * (canvas.y - np.float32(horizon))
    canvas.fill(canvas.y - np.float32(horizon), meadow)
    canvas.fill(canvas.ellipse((rng.uniform(-0.5, 0.5), 0.72), (0.42, 0.13)), 178.0)
    _draw_house(canvas, rng.uniform(-0.6, 0.6), horizon)
    for _ in range(7):
        _draw_tree(canvas, rng.uniform(-0.95, 0.95), horizon + rng.uniform(0.05, 0.35), rng)
    canvas.values += 3 * rng.standard_normal(canvas.values.shape, dtype=np.float32)
    return np.rint(np.clip(canvas.values, 0, 255)).astype(np.uint8)


def _below(canvas: Canvas, height: float, rng: np.random.Generator, cells: int) -> Field:
    """Give the field of what lies below a ridge."""
    ridge = canvas.noise(rng, cells=cells)[:1] * np.float32(0.07)
    return np.asarray(canvas.y - np.float32(height) - ridge, dtype=np.float32)


def _draw_house(canvas: Canvas, x: float, ground: float) -> None:
    across, down = np.abs(canvas.x - np.float32(x)), canvas.y - np.float32(ground)
    canvas.fill(np.minimum(np.minimum(0.16 - across, 0.14 - down), down + 0.12), 222.0)
    canvas.fill(np.minimum((0.20 - across) * 0.6 + (down + 0.12), -0.12 - down), 58.0)
    canvas.fill(np.minimum(0.035 - across, np.minimum(0.14 - down, down - 0.01)), 40.0)
    window = np.minimum(0.028 - np.abs(across - np.float32(0.095)), 0.03 - np.abs(down + np.float32(0.03)))
    canvas.fill(np.asarray(window, dtype=np.float32), 48.0)


def _draw_tree(canvas: Canvas, x: float, foot: float, rng: np.random.Generator) -> None:
    height = rng.uniform(0.2, 0.4)
    trunk = np.minimum(0.012 - np.abs(canvas.x - np.float32(x)), np.float32(foot) - canvas.y)
    canvas.fill(np.minimum(trunk, canvas.y - np.float32(foot - height)), 45.0)
    crown = canvas.ellipse((x, foot - height), (height * 0.33, height * 0.55))
    canvas.fill(crown + 0.018 * canvas.noise(rng, cells=45), 38 + 10 * canvas.noise(rng, cells=70))
