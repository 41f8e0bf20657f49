"""Vectors of one length for every slice, and blacked-out lungs that do not tell the disease."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from covidct.audit.probes.features import (
    BLACKED_OUT,
    BORDER,
    HISTOGRAM,
    MARKS,
    OUTSIDE,
    SIDE_OF_HEART,
    THUMBNAIL,
    measure_features,
)
from covidct.images.hounsfield import to_display
from covidct.images.phantoms.slice import Phantom, draw_slice
from covidct.types import Pixels

LENGTHS = {
    BORDER: 84,
    MARKS: 15,
    OUTSIDE: 16,
    BLACKED_OUT: 256,
    SIDE_OF_HEART: 1,
    THUMBNAIL: 64,
    HISTOGRAM: 32,
}


def vector(name: str, pixels: Pixels) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    return measure_features(pixels, colour=0.0).vectors[name]


@settings(deadline=None, max_examples=25)
@given(height=st.integers(32, 700), width=st.integers(32, 700), seed=st.integers(0, 9), flat=st.booleans())
def test_every_slice_has_the_same_lengths(height: int, width: int, seed: int, flat: bool) -> None:
    rng = np.random.default_rng(seed)
    pixels = (
        np.full((height, width), seed, np.uint8) if flat else rng.integers(0, 256, (height, width), np.uint8)
    )
    vectors = measure_features(pixels, colour=0.5).vectors
    assert {name: values.size for name, values in vectors.items()} == LENGTHS
    assert all(values.dtype == np.float32 and np.isfinite(values).all() for values in vectors.values())


@pytest.mark.parametrize("shape", [(32, 4096), (4096, 32), (4096, 4096)])
def test_large_slices_are_measured(shape: tuple[int, int]) -> None:
    vectors = measure_features(np.full(shape, 100, np.uint8), colour=0).vectors
    assert vectors[THUMBNAIL].tolist() == [100] * 64
    assert vectors[HISTOGRAM][12] == 1


def test_the_border_is_four_pixels_of_the_slice_itself() -> None:
    pixels = np.full((300, 200), 50, np.uint8)
    inner = pixels.copy()
    inner[4:-4, 4:-4] = 200
    outer = pixels.copy()
    outer[0, 30] = 250
    assert (vector(BORDER, inner) == vector(BORDER, pixels)).all()
    assert (vector(BORDER, outer) != vector(BORDER, pixels)).any()


def test_each_side_of_the_border_has_its_place() -> None:
    pixels = np.zeros((90, 130), np.uint8)
    pixels[:, :4], pixels[:, -4:], pixels[:4], pixels[-4:] = 30, 40, 10, 20
    means = vector(BORDER, pixels).reshape(4, 21)[:, 2:14]
    assert means == pytest.approx(np.repeat([[10], [20], [30], [40]], 12, axis=1))


def test_the_histogram_counts_shares() -> None:
    pixels = np.zeros((64, 64), np.uint8)
    pixels[:16] = 255
    found = vector(HISTOGRAM, pixels)
    assert (found[0], found[31], found.sum()) == (0.75, 0.25, 1)


@pytest.mark.parametrize("kind", [Phantom.LESIONS, Phantom.CONSOLIDATION])
def test_blacking_out_hides_what_is_in_the_lungs(kind: Phantom) -> None:
    for seed in range(5):
        normal, ill = (
            to_display(draw_slice(each, seed=seed, size=128).hu) for each in (Phantom.NORMAL, kind)
        )
        assert np.abs(normal.astype(int) - ill).max() > 60
        assert np.abs(vector(BLACKED_OUT, normal) - vector(BLACKED_OUT, ill)).max() <= 2


def test_blacking_out_leaves_the_surround() -> None:
    pixels = to_display(draw_slice(Phantom.NORMAL, seed=0, size=128).hu)
    marked = pixels.copy()
    marked[2:12, 2:12] = 255
    changed = np.abs(vector(BLACKED_OUT, marked) - vector(BLACKED_OUT, pixels)).reshape(16, 16)
    assert changed[0, 0] > 50
    assert changed[3:, 3:].max() < 50


def test_lungs_are_black_after_blacking_out() -> None:
    drawn = draw_slice(Phantom.NORMAL, seed=2, size=128)
    covered = vector(BLACKED_OUT, to_display(drawn.hu)).reshape(16, 16) == 0
    lungs = drawn.lung_mask.reshape(16, 8, 16, 8).mean(axis=(1, 3)) > 0.9
    assert lungs.sum() > 10
    assert (covered | ~lungs).all()
