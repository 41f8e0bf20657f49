from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from covidct.audit.similarity.alignment import correlate, is_promising
from covidct.audit.similarity.embedding import make_views
from covidct.audit.similarity.search import COPY, NEIGHBOUR
from covidct.images.hounsfield import to_display
from covidct.images.phantoms.slice import Phantom, draw_phantom
from covidct.types import Pixels

IDENTITY = np.eye(2, 3, dtype=np.float32)


def draw(seed: int = 0, *, size: int = 96) -> Pixels:
    return to_display(draw_phantom(Phantom.LESIONS, seed=seed, size=size))


def shrink(pixels: Pixels) -> Pixels:
    return np.asarray(cv2.resize(pixels, (96, 96), interpolation=cv2.INTER_AREA), np.uint8)


def move(pixels: Pixels, matrix: np.ndarray) -> Pixels:
    return np.asarray(cv2.warpAffine(pixels, matrix, (96, 96), flags=cv2.INTER_LINEAR), np.uint8)


def rough(matrix: np.ndarray) -> np.ndarray:
    """A start that is a little off."""
    start = np.asarray(cv2.invertAffineTransform(matrix), np.float32)
    start[:, 2] += (1.5, -1.5)
    return start


def test_a_slice_is_itself() -> None:
    assert correlate(draw(), draw(), IDENTITY) == pytest.approx(1, abs=1e-4)


@given(st.floats(-15, 15), st.floats(0.85, 1.15), st.floats(-4, 4), st.floats(-4, 4), st.booleans())
@settings(max_examples=25, deadline=None)
def test_it_finds_what_was_moved(angle: float, scale: float, x: float, y: float, mirrored: bool) -> None:
    matrix = np.asarray(cv2.getRotationMatrix2D((47.5, 47.5), angle, scale), np.float32)
    if mirrored:
        matrix = matrix @ np.array([[-1, 0, 95], [0, 1, 0], [0, 0, 1]], np.float32)
    matrix[:, 2] += (x, y)
    moved = move(draw(3), matrix)
    assert correlate(draw(3), moved, rough(matrix)) > 0.95
    assert is_promising(draw(3), moved, rough(matrix))


@pytest.mark.parametrize("seed", range(1, 6))
def test_another_patient_is_no_neighbour(seed: int) -> None:
    assert correlate(draw(), draw(seed), IDENTITY) < NEIGHBOUR


def test_a_rough_look_spares_the_closer_one_for_what_is_unlike() -> None:
    assert not is_promising(draw(), draw(1)[::-1].copy(), IDENTITY)
    assert not is_promising(draw(), np.full((96, 96), 90, np.uint8), IDENTITY)


def test_between_a_copy_and_another_patient_are_neighbours() -> None:
    """Of a neighbour, most is the same and some is new."""
    mixed = (0.75 * draw() + 0.25 * draw(1)).astype(np.uint8)
    assert NEIGHBOUR < correlate(draw(), mixed, IDENTITY) < COPY
    assert is_promising(draw(), mixed, IDENTITY)


def test_brightness_and_contrast_drop_out() -> None:
    dull = (draw() * 0.6 + 40).astype(np.uint8)
    assert correlate(draw(), dull, IDENTITY) > 0.99


def test_an_arrow_makes_no_other_picture() -> None:
    marked = draw()
    cv2.arrowedLine(marked, (25, 60), (35, 50), 255, 2, tipLength=0.4)
    assert correlate(draw(), marked, IDENTITY) > COPY


def test_a_crop_is_as_alike_one_way_as_the_other() -> None:
    whole = draw(5, size=256)
    cropped, view = shrink(whole[26:231, 26:231]), make_views()[7 + 40]  # the middle of the 81 crops
    there = correlate(shrink(whole), cropped, view)
    back = correlate(cropped, shrink(whole), np.asarray(cv2.invertAffineTransform(view), np.float32))
    assert min(there, back) > COPY


@pytest.mark.parametrize("level", [0, 17, 255])
def test_nothing_is_like_a_blank(level: int) -> None:
    blank = np.full((96, 96), level, np.uint8)
    assert correlate(blank, blank, IDENTITY) == 0
    assert correlate(blank, draw(), IDENTITY) == 0
    assert correlate(draw(), blank, IDENTITY) == 0


def test_a_spot_is_too_little_to_be_alike() -> None:
    spots = [np.zeros((96, 96), np.uint8) for _ in range(2)]
    spots[0][40:44, 40:44] = spots[1][44:48, 42:46] = 200
    assert correlate(spots[0], spots[1], IDENTITY) == 0


def test_pictures_that_hardly_overlap_are_not_compared() -> None:
    aside = np.array([[1, 0, 80], [0, 1, 80]], np.float32)
    assert correlate(draw(), draw(), aside) < COPY


@given(st.integers(0, 2**32 - 1), st.floats(0, 60))
@settings(max_examples=25, deadline=None)
def test_it_is_always_a_correlation(seed: int, sigma: float) -> None:
    rng = np.random.default_rng(seed)
    first, second = (np.clip(rng.normal(100, sigma, (96, 96)), 0, 255).astype(np.uint8) for _ in range(2))
    assert -1 <= correlate(first, second, IDENTITY) < NEIGHBOUR
