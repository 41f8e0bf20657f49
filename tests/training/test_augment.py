from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.random import Generator, default_rng
from numpy.typing import NDArray

from covidct.data.recipe import Augmentation
from covidct.images.hounsfield import to_display
from covidct.training.augment import (
    Grey,
    add_noise,
    augment_slice,
    blank_box,
    coarsen,
    compress,
    paint_marks,
    place,
    rewindow,
    round_field_of_view,
    to_uint8,
)
from covidct.types import Pixels
from makers import phantom_hu
from training import NOTHING

SHARES = ("field_of_view", "resolution", "noise", "jpeg", "marks", "boxes")
SIDES = st.integers(20, 90)
SEEDS = st.integers(0, 2**32)


@pytest.fixture(scope="module")
def pixels() -> Pixels:
    return to_display(phantom_hu(size=64))


def view(pixels: Pixels, plan: Augmentation, *, seed: int = 0, size: int = 64) -> Pixels:
    return augment_slice(pixels, plan, default_rng(seed), size=size)


def difference(first: NDArray[Any], second: NDArray[Any]) -> float:
    return float(np.abs(first.astype(float) - second).mean())


PLANS = st.builds(
    Augmentation,
    rotation=st.floats(0, 180),
    scale=st.tuples(st.floats(0.3, 1), st.floats(1, 3)),
    aspect=st.floats(0, 1),
    shift=st.floats(0, 1),
    window=st.floats(0, 0.49),
    gamma=st.floats(0, 2),
    **{name: st.floats(0, 1) for name in ("flip", *SHARES)},
)


@settings(deadline=None, max_examples=25)
@given(plan=PLANS, seed=SEEDS, shape=st.tuples(SIDES, SIDES), size=st.integers(32, 80))
def test_any_plan_gives_a_slice(plan: Augmentation, seed: int, shape: tuple[int, int], size: int) -> None:
    pixels = default_rng(seed).integers(0, 256, shape, np.uint8)
    before = pixels.copy()
    first = view(pixels, plan, seed=seed, size=size)
    assert first.shape == (size, size)
    assert first.dtype == np.uint8
    assert np.array_equal(pixels, before)
    assert np.array_equal(first, view(pixels, plan, seed=seed, size=size))


@settings(deadline=None, max_examples=25)
@given(seed=SEEDS)
def test_another_seed_is_another_view(seed: int) -> None:
    pixels = to_display(phantom_hu(size=64))
    assert not np.array_equal(
        view(pixels, Augmentation(), seed=seed), view(pixels, Augmentation(), seed=seed + 1)
    )


@settings(deadline=None, max_examples=25)
@given(size=SIDES, seed=SEEDS)
def test_no_change_is_no_change(size: int, seed: int) -> None:
    pixels = default_rng(seed).integers(0, 256, (size, size), np.uint8)
    assert np.array_equal(view(pixels, NOTHING, seed=seed, size=size), pixels)


@pytest.mark.parametrize("shape", [(40, 90), (96, 64), (200, 50)])
def test_no_change_but_of_size(shape: tuple[int, int]) -> None:
    rows, columns = ((np.arange(side) + 0.5) / side for side in shape)
    pixels = np.rint(255 * rows[:, None] * columns).astype(np.uint8)
    middle = (np.arange(64) + 0.5) / 64
    assert difference(view(pixels, NOTHING), 255 * middle[:, None] * middle) < 1.5


def test_mirror(pixels: Pixels) -> None:
    assert np.array_equal(view(pixels, replace(NOTHING, flip=1)), pixels[:, ::-1])
    views = [view(pixels, replace(NOTHING, flip=0.5), seed=seed) for seed in range(40)]
    assert 8 < sum(np.array_equal(one, pixels) for one in views) < 32


def find_dot(grey: Grey) -> tuple[float, float]:
    """Where a dot lies, as x and y from the centre of the picture in parts of its half side."""
    mass, middle = grey / grey.sum(), (np.arange(len(grey)) + 0.5) / len(grey) * 2 - 1
    return float(mass.sum(axis=0) @ middle), float(mass.sum(axis=1) @ middle)


def draw_dot(shape: tuple[int, int]) -> Pixels:
    """A soft dot half-way between the centre and the right border."""
    x, y = ((np.arange(side) + 0.5) / side * 2 - 1 for side in shape[::-1])
    dot: Pixels = np.rint(255 * np.exp(-((x - 0.5) ** 2 + y[:, None] ** 2) / 0.02)).astype(np.uint8)
    return dot


@settings(deadline=None, max_examples=25)
@given(seed=SEEDS, rotation=st.floats(0, 90), shape=st.tuples(st.integers(50, 90), st.integers(50, 90)))
def test_rotation_stays_in_its_range(seed: int, rotation: float, shape: tuple[int, int]) -> None:
    plan = replace(NOTHING, rotation=rotation)
    x, y = find_dot(place(draw_dot(shape), plan, default_rng(seed), size=64))
    assert np.hypot(x, y) == pytest.approx(0.5, abs=0.02)
    assert abs(np.rad2deg(np.arctan2(y, x))) <= rotation + 1


@settings(deadline=None, max_examples=25)
@given(seed=SEEDS, shift=st.floats(0, 0.15), low=st.floats(0.6, 1), high=st.floats(1, 1.4))
def test_scale_and_shift_stay_in_their_range(seed: int, shift: float, low: float, high: float) -> None:
    dot = draw_dot((64, 64))
    x, y = find_dot(place(dot, replace(NOTHING, shift=shift), default_rng(seed), size=64))
    assert abs(x - 0.5) <= 2 * shift + 0.02
    assert abs(y) <= 2 * shift + 0.02
    x, y = find_dot(place(dot, replace(NOTHING, scale=(low, high)), default_rng(seed), size=64))
    assert 0.5 * low - 0.02 <= x <= 0.5 * high + 0.02
    assert y == pytest.approx(0, abs=0.02)


def test_stretching_makes_a_circle_an_ellipse() -> None:
    side = (np.arange(64) + 0.5) / 32 - 1
    disc = (255 * (side**2 + side[:, None] ** 2 < 0.25)).astype(np.uint8)
    ratios = []
    for seed in range(20):
        grey = place(disc, replace(NOTHING, aspect=0.3), default_rng(seed), size=64)
        width, height = ((grey > 127).any(axis=axis).sum() for axis in (0, 1))
        assert width * height == pytest.approx(32**2, rel=0.12)
        ratios.append(width / height)
    assert 0.7 < min(ratios) < 0.9 < 1.1 < max(ratios) < 1.4


def test_outside_is_black() -> None:
    grey = place(
        np.full((50, 40), 200, np.uint8), replace(NOTHING, scale=(0.5, 0.5)), default_rng(0), size=64
    )
    assert grey[24:40, 24:40].min() == 200
    assert grey[:15].max() == grey[:, -15:].max() == 0


CHANGES: dict[str, Callable[[Grey, Generator], Grey]] = {
    "round_field_of_view": round_field_of_view,
    "rewindow": lambda grey, rng: rewindow(grey, Augmentation(), rng),
    "coarsen": coarsen,
    "add_noise": add_noise,
    "compress": compress,
    "paint_marks": paint_marks,
    "blank_box": blank_box,
}


@pytest.mark.parametrize("name", CHANGES)
@settings(deadline=None, max_examples=10)
@given(seed=SEEDS, size=st.integers(32, 80))
def test_each_change_alone(name: str, seed: int, size: int) -> None:
    grey = default_rng(seed).uniform(0, 255, (size, size)).astype(np.float32)
    grey.setflags(write=False)
    changed = CHANGES[name](grey, default_rng(seed))
    assert changed.shape == grey.shape
    assert changed.dtype == np.float32
    assert changed.min() >= 0
    assert changed.max() <= 255
    assert np.array_equal(changed, CHANGES[name](grey, default_rng(seed)))
    assert not np.array_equal(changed, grey)


@pytest.mark.parametrize("share", SHARES)
def test_each_share_is_obeyed(pixels: Pixels, share: str) -> None:
    def count(value: float) -> int:
        plan = replace(NOTHING, **{share: value})  # type: ignore[arg-type]
        return sum(not np.array_equal(view(pixels, plan, seed=seed), pixels) for seed in range(30))

    assert count(0) == 0
    assert count(1) >= 28  # a mark may fall where the picture is as dark
    assert 5 <= count(0.5) <= 25


def test_changes_are_what_they_are_called(pixels: Pixels) -> None:
    grey = pixels.astype(np.float32)
    rng = default_rng(1)
    corners = round_field_of_view(np.full((64, 64), 200, np.float32), rng)[[0, 0, -1, -1], [0, -1, 0, -1]]
    assert len(set(corners.tolist())) == 1
    assert corners[0] <= 50
    # Coarser: less from pixel to pixel. Noisier: more. JPEG: the same picture.
    steps = [np.abs(np.diff(change)).mean() for change in (coarsen(grey, rng), grey, add_noise(grey, rng))]
    assert steps == sorted(steps)
    assert difference(compress(grey, rng), grey) < 12
    # Boxes and marks leave most of the picture as it was.
    for change in (blank_box, paint_marks):
        assert np.mean([(change(grey, default_rng(seed)) == grey).mean() for seed in range(20)]) > 0.6


def test_rewindow_keeps_the_order_of_greys() -> None:
    scale = np.tile(np.linspace(0, 255, 64, dtype=np.float32), (2, 1))
    for seed in range(20):
        changed = rewindow(scale, Augmentation(window=0.49, gamma=2), default_rng(seed))
        assert (np.diff(changed) >= 0).all()
        assert changed[0, -1] > changed[0, 0]


def test_rounding() -> None:
    assert to_uint8(np.array([[-3, 0.4, 0.6, 254.6, 300]], np.float32)).tolist() == [[0, 0, 1, 255, 255]]
