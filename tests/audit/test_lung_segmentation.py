"""The classical lung finder against the masks of phantoms."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from covidct.audit.lung_segmentation import SIDE, find_lungs, hull, shrink
from covidct.images.hounsfield import to_display
from covidct.images.phantoms.slice import Phantom, draw_slice


def agreement(seed: int, kind: Phantom, *, centre: float = -600, width: float = 1500) -> float:
    """Dice of found and drawn lungs."""
    drawn = draw_slice(kind, seed=seed, size=192)
    found = find_lungs(to_display(drawn.hu, centre=centre, width=width))
    truth = shrink(drawn.lung_mask.astype(np.uint8) * 255, SIDE) > 127
    union = np.logical_or.reduce((np.zeros_like(truth), *found.regions))
    return float(2 * (union & truth).sum() / (union.sum() + truth.sum()))


@pytest.mark.parametrize("seed", range(4))
def test_lungs_of_phantoms_are_found(seed: int) -> None:
    assert agreement(seed, Phantom.NORMAL) > 0.85
    assert agreement(seed, Phantom.LESIONS) > 0.7


def test_lungs_are_found_in_a_soft_tissue_window() -> None:
    assert agreement(0, Phantom.NORMAL, centre=40, width=400) > 0.85


def test_lungs_are_found_in_a_crop_without_surround() -> None:
    drawn = draw_slice(Phantom.NORMAL, seed=0, size=256)
    rows, columns = (np.flatnonzero(drawn.lung_mask.any(axis=axis)) for axis in (1, 0))
    crop = np.s_[rows[0] - 6 : rows[-1] + 6, columns[0] - 6 : columns[-1] + 6]
    found = find_lungs(to_display(drawn.hu)[crop])
    assert sum(region.mean() for region in found.regions) > 0.6 * drawn.lung_mask[crop].mean()


def test_air_around_the_body_is_no_lung() -> None:
    pixels = np.zeros((128, 128), np.uint8)
    pixels[30:100, 20:110] = 220
    found = find_lungs(pixels)
    assert not found.regions
    assert found.surround[0, 0]
    assert found.body.sum() == pytest.approx(70 * 90, rel=0.05)


def test_air_within_a_frame_is_no_lung() -> None:
    pixels = np.full((128, 128), 255, np.uint8)
    pixels[3:-3, 3:-3] = 0
    pixels[30:100, 20:110] = 220
    assert not find_lungs(pixels).regions


def test_two_clear_tones_have_contrast_and_noise_has_less() -> None:
    two = np.zeros((64, 64), np.uint8)
    two[20:40] = 200
    noise = np.random.default_rng(0).integers(0, 256, (64, 64), np.uint8)
    assert find_lungs(two).contrast > 0.95
    assert find_lungs(noise).contrast < 0.8
    assert find_lungs(np.full((64, 64), 7, np.uint8)).contrast == 0


def test_a_hull_closes_holes() -> None:
    ring = np.zeros((20, 20), bool)
    ring[4:16, 4:16] = True
    ring[6:14, 6:16] = False
    assert hull(ring)[4:16, 4:16].all()
    assert hull(ring).sum() == 144
    assert not hull(np.zeros((5, 5), bool)).any()


def test_outlines_cover_what_lies_in_the_hulls_and_some_more() -> None:
    found = find_lungs(to_display(draw_slice(Phantom.CONSOLIDATION, seed=1, size=128).hu))
    assert found.regions
    for region in found.regions:
        assert (hull(region) <= found.outlines(reach=0)).all()
    assert (found.outlines(reach=0) < found.outlines(reach=3)).any()
    assert (found.outlines(reach=0) <= found.outlines(reach=3)).all()


@settings(deadline=None, max_examples=25)
@given(height=st.integers(1, 300), width=st.integers(1, 300), seed=st.integers(0, 9))
def test_any_picture_has_an_answer(height: int, width: int, seed: int) -> None:
    found = find_lungs(np.random.default_rng(seed).integers(0, 256, (height, width), np.uint8))
    assert found.grey.shape == found.body.shape == found.surround.shape == (SIDE, SIDE)
    assert 0 <= found.contrast <= 1
    assert not any((region & found.surround).any() for region in found.regions)
