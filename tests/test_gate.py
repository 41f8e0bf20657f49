from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from covidct.gate import FLATTEST, SMALLEST, check_slice
from covidct.phantom import Phantom
from covidct.types import GateResult, Reason
from covidct.window import to_display
from makers import phantom_hu


@pytest.mark.parametrize("kind", list(Phantom))
@pytest.mark.parametrize("size", [32, 64, 300])
def test_chests_pass(kind: Phantom, size: int) -> None:
    assert check_slice(to_display(phantom_hu(kind, size=size))) == GateResult(True)


@pytest.mark.parametrize(("height", "width"), [(1, 1), (31, 500), (500, 31), (31, 31)])
def test_too_small(height: int, width: int) -> None:
    verdict = check_slice(np.random.default_rng(0).integers(0, 256, (height, width), dtype=np.uint8))
    assert (verdict.accepted, verdict.reason) == (False, Reason.TOO_SMALL)
    assert verdict.detail is not None
    assert f"{width} x {height} pixels" in verdict.detail


def test_the_smallest_that_passes() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (SMALLEST, SMALLEST), dtype=np.uint8)
    assert check_slice(pixels).accepted


@given(level=st.integers(0, 255), height=st.integers(32, 600), width=st.integers(32, 600))
def test_one_grey_level_is_blank(level: int, height: int, width: int) -> None:
    verdict = check_slice(np.full((height, width), level, np.uint8))
    assert (verdict.accepted, verdict.reason) == (False, Reason.BLANK)
    assert verdict.detail


def test_a_few_bright_pixels_are_still_blank() -> None:
    pixels = np.zeros((100, 100), np.uint8)
    pixels[0, :50] = 255
    assert check_slice(pixels).reason is Reason.BLANK


@pytest.mark.parametrize(("step", "accepted"), [(FLATTEST - 1, False), (FLATTEST, True)])
def test_how_flat_is_blank(step: int, accepted: bool) -> None:
    pixels = np.full((64, 64), 100, np.uint8)
    pixels[:, 32:] += np.uint8(step)
    assert check_slice(pixels).accepted is accepted


def test_pixels_are_left_alone() -> None:
    pixels = to_display(phantom_hu())
    before = pixels.copy()
    check_slice(pixels)
    np.testing.assert_array_equal(pixels, before)
