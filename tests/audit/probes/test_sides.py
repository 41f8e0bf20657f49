"""The heart is found on the right of the picture, and on the left of its mirror image."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from covidct.audit.lung_segmentation import find_lungs
from covidct.audit.probes.sides import SURE, measure_side
from covidct.images.hounsfield import to_display
from covidct.images.phantoms.slice import Phantom, draw_phantom
from covidct.types import Pixels


def measure(pixels: Pixels) -> float:
    return measure_side(find_lungs(pixels))


@pytest.mark.parametrize("kind", Phantom)
def test_the_heart_is_on_the_right_whatever_the_lungs_show(kind: Phantom) -> None:
    sides = np.array([measure(to_display(draw_phantom(kind, seed=seed, size=96))) for seed in range(20)])
    sure = sides[abs(sides) >= SURE]
    assert sure.size > 10
    assert (sure > 0).mean() > 0.9


def test_a_mirror_turns_it_to_the_left() -> None:
    pixels = to_display(draw_phantom(Phantom.NORMAL, seed=1, size=96))
    side = measure(pixels)
    assert side > SURE
    assert measure(np.ascontiguousarray(pixels[:, ::-1])) == pytest.approx(-side, abs=0.1)


def test_where_the_body_lies_in_the_picture_does_not_matter() -> None:
    pixels = to_display(draw_phantom(Phantom.NORMAL, seed=1, size=96))
    beside = np.zeros((120, 150), np.uint8)
    beside[10:106, 40:136] = pixels
    assert measure(beside) == pytest.approx(measure(pixels), abs=0.15)


@settings(deadline=None, max_examples=20)
@given(height=st.integers(1, 300), width=st.integers(1, 300), seed=st.integers(0, 9), flat=st.booleans())
def test_any_picture_has_a_number(height: int, width: int, seed: int, flat: bool) -> None:
    rng = np.random.default_rng(seed)
    pixels = (
        np.full((height, width), seed, np.uint8) if flat else rng.integers(0, 256, (height, width), np.uint8)
    )
    assert -1 <= measure(pixels) <= 1
