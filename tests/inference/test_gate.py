from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from covidct.images.hounsfield import to_display
from covidct.images.phantoms.slice import Phantom
from covidct.inference.bundle import default_path, load_bundle
from covidct.inference.gate import (
    FLATTEST,
    SENTENCES,
    SMALLEST,
    check_slice,
    check_view,
    find_quantile,
    to_config,
    to_odds,
)
from covidct.types import GateLimits, GateResult, Reason
from makers import phantom_hu


@pytest.mark.parametrize("kind", list(Phantom))
@pytest.mark.parametrize("size", [64, 79, 300])
def test_chests_pass(kind: Phantom, size: int) -> None:
    assert check_slice(to_display(phantom_hu(kind, size=size))) == GateResult(True)


@pytest.mark.parametrize(("height", "width"), [(1, 1), (63, 500), (500, 63), (40, 40)])
def test_too_small(height: int, width: int) -> None:
    verdict = check_slice(np.random.default_rng(0).integers(0, 256, (height, width), dtype=np.uint8))
    assert (verdict.accepted, verdict.reason) == (False, Reason.TOO_SMALL)
    assert verdict.detail is not None
    assert f"{width} x {height} pixels" in verdict.detail


def test_the_smallest_that_passes() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (SMALLEST, SMALLEST), dtype=np.uint8)
    assert check_slice(pixels).accepted


@given(level=st.integers(0, 255), height=st.integers(64, 600), width=st.integers(64, 600))
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


def test_a_photograph_of_a_screen_is_refused_with_that_word() -> None:
    """The pixels alone may pass: they show a slice of a chest."""
    pixels = to_display(phantom_hu())
    assert check_slice(pixels).accepted
    verdict = check_slice(pixels, camera="Acme Phone 3")
    assert (verdict.accepted, verdict.reason) == (False, Reason.NOT_CT)
    assert "a photograph of a screen or film is not a slice" in str(verdict.detail)


def test_pixels_are_left_alone() -> None:
    pixels = to_display(phantom_hu())
    before = pixels.copy()
    check_slice(pixels)
    np.testing.assert_array_equal(pixels, before)


LIMITS = GateLimits(("chest", *SENTENCES), min_chest=-1.0, min_lung=0.02)


def test_a_likely_chest_with_lung_passes() -> None:
    assert check_view(np.array([2, 0, 0, 0, 0], np.float32), 0.2, LIMITS) == GateResult(True)


@pytest.mark.parametrize("place", [1, 2, 3, 4])
def test_the_likeliest_other_class_is_the_reason(place: int) -> None:
    logits = np.array([1, 0, 0, 0, 0], np.float32)
    logits[place] = 3
    verdict = check_view(logits, 0.2, LIMITS)
    assert (verdict.accepted, verdict.reason) == (False, LIMITS.classes[place])
    assert verdict.detail


@pytest.mark.parametrize(
    ("place", "reason"),
    [
        (1, Reason.NOT_CHEST),
        (2, Reason.NOT_CHEST),
        (3, Reason.NOT_CHEST),
        (4, Reason.NOT_AXIAL),
    ],
)
def test_what_has_hounsfield_units_is_no_picture_of_another_kind(place: int, reason: Reason) -> None:
    """To the gate a neck or a head looks like a picture of anything; its header says that it is CT."""
    logits = np.array([1, 0, 0, 0, 0], np.float32)
    logits[place] = 3
    verdict = check_view(logits, 0.2, LIMITS, has_hu=True)
    assert (verdict.accepted, verdict.reason) == (False, reason)
    assert "through the lungs" in str(verdict.detail) or reason is Reason.NOT_AXIAL


def test_hardly_any_lung() -> None:
    logits = np.array([2, 0, 0, 0, 0], np.float32)
    verdict = check_view(logits, 0.019, LIMITS)
    assert verdict.reason is Reason.NO_LUNG
    assert "1.9 % of the picture, at least 2.0 % are needed" in str(verdict.detail)
    assert check_view(logits, 0.02, LIMITS).accepted


def test_the_odds_are_those_of_the_first_against_all_others() -> None:
    logits = np.log(np.array([0.5, 0.2, 0.3], np.float32))
    assert to_odds(logits) == pytest.approx(0, abs=1e-6)
    assert to_odds(np.array([1000, -1000, 999], np.float32)) == pytest.approx(1)


def test_limits_keep_the_keys_of_the_bundle() -> None:
    shipped = json.loads((default_path() / "config.json").read_text(encoding="utf-8"))["gate"]
    limits = load_bundle().config.gate
    assert limits is not None
    assert to_config(limits) == shipped


@given(st.lists(st.integers(0, 255), min_size=1, max_size=60), st.floats(0, 1))
def test_a_quantile_is_that_of_numpy(values: list[int], share: float) -> None:
    for kind in (np.uint8, np.float32):
        array: NDArray[Any] = np.array(values, kind)
        assert find_quantile(array, share) == pytest.approx(np.quantile(array, share), abs=1e-4)


def test_a_quantile_of_any_shape() -> None:
    assert find_quantile(np.arange(101).reshape(1, 101)[:, ::-1], 0.25) == 25
