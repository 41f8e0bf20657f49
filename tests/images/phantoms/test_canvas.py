from __future__ import annotations

import math

import numpy as np
import pytest

from covidct.images.phantoms.canvas import Canvas, blur, join, stroke


def area(cover: np.ndarray[tuple[int, ...], np.dtype[np.float32]]) -> float:
    """In canvas units: the whole is 2 x 2."""
    return float(cover.mean()) * 4


@pytest.mark.parametrize("size", [32, 64, 129])
def test_ellipse_has_its_area(size: int) -> None:
    canvas = Canvas(size, value=0)
    round_one = canvas.cover(canvas.ellipse((0.1, -0.2), (0.6, 0.3), turn=0.7))
    assert area(round_one) == pytest.approx(math.pi * 0.6 * 0.3, rel=0.03)
    squarish = canvas.cover(canvas.ellipse((0, 0), (0.6, 0.3), squarish=True))
    assert area(round_one) < area(squarish) < 4 * 0.6 * 0.3


def test_turn_is_clockwise_on_screen() -> None:
    canvas = Canvas(64, value=0)
    inside = canvas.ellipse((0, 0), (0.8, 0.1), turn=math.pi / 4) > 0
    assert inside[48, 48]  # right and down
    assert not inside[16, 48]


def test_fill_and_paint() -> None:
    canvas = Canvas(33, value=-1000)
    canvas.fill(canvas.ellipse((0, 0), (0.5, 0.5)), 40)
    assert canvas.values[16, 16] == 40
    assert canvas.values[0, 0] == -1000
    canvas.paint(np.full((33, 33), 0.5, dtype=np.float32), 0)
    assert canvas.values[0, 0] == -500


def test_noise_is_even_and_the_same_at_every_size() -> None:
    large, small = (Canvas(size, value=0).noise(np.random.default_rng(5), cells=20) for size in (256, 64))
    assert abs(large.mean()) < 0.15
    assert large.std() == pytest.approx(1, abs=0.15)
    shrunk = large.reshape(64, 4, 64, 4).mean(axis=(1, 3))
    np.testing.assert_allclose(shrunk, small, atol=0.1)


def test_warp_bends_later_shapes() -> None:
    canvas = Canvas(64, value=0)
    before = canvas.ellipse((0, 0), (0.5, 0.5))
    canvas.warp(np.random.default_rng(0), cells=4, amount=0.05)
    assert 0.005 < np.abs(canvas.ellipse((0, 0), (0.5, 0.5)) - before).mean() < 0.1


@pytest.mark.parametrize("size", [64, 256])
def test_stroke_has_its_area(size: int) -> None:
    target = np.zeros((size, size), dtype=np.float32)
    stroke(target, (-0.5, 0.2), (0.5, -0.1), (0.06, 0.02))
    assert area(target) == pytest.approx(math.hypot(1, 0.3) * 0.08, rel=0.15)
    assert 0 <= target.min() <= target.max() <= 1


def test_thin_strokes_are_faint_not_lost() -> None:
    target = np.zeros((64, 64), dtype=np.float32)
    stroke(target, (-0.5, 0.0), (0.5, 0.0), (0.004, 0.004))
    assert area(target) == pytest.approx(0.008, rel=0.4)


def test_strokes_outside_do_nothing() -> None:
    target = np.zeros((32, 32), dtype=np.float32)
    stroke(target, (2.0, 2.0), (3.0, 2.5), (0.05, 0.05))
    stroke(target, (-3.0, 0.0), (-2.0, 0.0), (0.05, 0.05))
    assert not target.any()


def test_join_rounds_the_corner() -> None:
    canvas = Canvas(64, value=0)
    first, second = canvas.ellipse((-0.3, 0), (0.3, 0.3)), canvas.ellipse((0.3, 0), (0.3, 0.3))
    united = join([first, second], blend=0.1)
    assert (united >= np.maximum(first, second) - 1e-6).all()
    assert (united > 0).sum() > (np.maximum(first, second) > 0).sum()


def test_blur_keeps_the_mean_and_spreads() -> None:
    spot = np.zeros((31, 31), dtype=np.float32)
    spot[15, 15] = 1
    blurred = blur(spot, sigma=1.5)
    assert blurred.sum() == pytest.approx(1, abs=1e-5)
    assert blurred[15, 15] == pytest.approx(1 / (2 * math.pi * 1.5**2), rel=0.05)
    np.testing.assert_allclose(blur(np.ones((9, 9), dtype=np.float32), sigma=2), 1, rtol=1e-6)
