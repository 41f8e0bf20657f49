"""Letters and arrows are counted and placed; anatomy is not."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from covidct.audit.lung_segmentation import find_lungs
from covidct.audit.probes.marks import measure_marks, measure_outside
from covidct.images.hounsfield import to_display
from covidct.images.phantoms.slice import Phantom, draw_phantom
from covidct.types import Pixels


def measure(pixels: Pixels, colour: float = 0.0) -> NDArray[np.float32]:
    return measure_marks(pixels, find_lungs(pixels), colour=colour)


def phantom(kind: Phantom = Phantom.NORMAL, seed: int = 0) -> Pixels:
    return to_display(draw_phantom(kind, seed=seed, size=256))


def write(pixels: Pixels, place: tuple[int, int], fill: int, text: str = "L 3") -> Pixels:
    image = Image.fromarray(pixels)
    ImageDraw.Draw(image).text(place, text, fill=fill)
    return np.asarray(image)


@pytest.mark.parametrize(("place", "quarter"), [((6, 6), 0), ((225, 6), 1), ((6, 235), 2), ((225, 235), 3)])
def test_letters_in_a_corner_are_counted_there(place: tuple[int, int], quarter: int) -> None:
    plain, written = measure(phantom()), measure(write(phantom(), place, 255))
    added = written - plain
    assert added[1] >= 2
    assert int(np.argmax(added[4:8])) == quarter
    assert added[2] == pytest.approx(added[4:8].sum(), abs=1e-6)


@pytest.mark.parametrize(("place", "cell"), [((6, 6), 0), ((225, 6), 3), ((6, 235), 12), ((225, 235), 15)])
def test_outside_the_body_there_is_nothing_but_the_table_and_the_letter(
    place: tuple[int, int], cell: int
) -> None:
    for seed in range(3):
        plain, written = phantom(seed=seed), write(phantom(seed=seed), place, 255, "L")
        before, after = (measure_outside(each, find_lungs(each)) for each in (plain, written))
        assert before[:12].max() == 0
        assert np.flatnonzero(after - before > 0.001).tolist() == [cell]


def test_a_picture_that_is_cropped_to_the_body_has_no_outside() -> None:
    cropped = np.ascontiguousarray(phantom(seed=2)[50:195, 25:240])
    assert measure_outside(cropped, find_lungs(cropped)).tolist() == [0] * 16


def test_black_strokes_on_white_are_counted_too() -> None:
    pixels = np.full((200, 200), 255, np.uint8)
    pixels[60:140, 60:140] = 128
    written = pixels.copy()
    written[10:18, 10:13] = written[10:18, 20:23] = 0
    assert measure(written)[8] - measure(pixels)[8] == 2


def test_lesions_leave_no_marks() -> None:
    for seed in range(6):
        normal, ill = measure(phantom(seed=seed)), measure(phantom(Phantom.CONSOLIDATION, seed))
        assert np.abs(normal - ill).max() <= 1


def test_marks_in_the_lungs_are_left_out() -> None:
    pixels = phantom()
    row, column = np.argwhere(find_lungs(pixels).regions[0]).mean(axis=0) * 2
    arrow = write(pixels, (int(column), int(row)), 255, "v")
    assert measure(arrow)[1] == measure(pixels)[1]


def test_colour_is_passed_on() -> None:
    assert measure(phantom(), 0.25)[0] == 0.25


@settings(deadline=None, max_examples=20)
@given(height=st.integers(1, 400), width=st.integers(1, 400), seed=st.integers(0, 9))
def test_any_picture_has_fifteen_numbers(height: int, width: int, seed: int) -> None:
    pixels = np.random.default_rng(seed).choice(np.array([0, 255], np.uint8), (height, width))
    found = measure(pixels)
    assert found.shape == (15,)
    assert found.dtype == np.float32
    assert np.isfinite(found).all()
    assert (found[[2, 9]] <= 1).all()
    outside = measure_outside(pixels, find_lungs(pixels))
    assert outside.shape == (16,)
    assert np.isfinite(outside).all()
