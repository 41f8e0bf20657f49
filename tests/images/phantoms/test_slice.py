from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from covidct.images.phantoms.slice import Phantom, draw_phantom, draw_slice

SEEDS = range(12)


@pytest.mark.parametrize("kind", Phantom)
def test_same_seed_same_slice(kind: Phantom) -> None:
    first, second = draw_phantom(kind, seed=3, size=128), draw_phantom(kind, seed=3, size=128)
    np.testing.assert_array_equal(first, second)
    assert (first != draw_phantom(kind, seed=4, size=128)).mean() > 0.3


@settings(deadline=None, max_examples=25)
@given(st.sampled_from(Phantom), st.integers(0, 2**32), st.integers(16, 150))
def test_any_seed_and_size(kind: Phantom, seed: int, size: int) -> None:
    drawn = draw_slice(kind, seed=seed, size=size)
    assert drawn.hu.shape == drawn.lung_mask.shape == drawn.lesion_mask.shape == (size, size)
    assert drawn.hu.dtype == np.int16
    assert drawn.hu.min() >= -1024
    assert drawn.hu.max() <= 3071
    assert drawn.lesion_mask.any() == (kind is not Phantom.NORMAL)
    assert not (drawn.lesion_mask & ~drawn.lung_mask).any()


@pytest.mark.parametrize("seed", SEEDS)
def test_looks_like_a_chest(seed: int) -> None:
    drawn = draw_slice(Phantom.NORMAL, seed=seed, size=128)
    corners = drawn.hu[[0, 0, -1, -1], [0, -1, 0, -1]]
    assert corners == pytest.approx(-1000, abs=60)
    assert -900 < np.median(drawn.hu[drawn.lung_mask]) < -800
    assert 0.12 < drawn.lung_mask.mean() < 0.35
    for half in (drawn.lung_mask[:, :64], drawn.lung_mask[:, 64:]):
        assert half.mean() > 0.08
    wall = (drawn.hu > -200) & ~drawn.lung_mask
    assert 0.15 < wall.mean() < 0.45
    assert (drawn.hu > 250).mean() > 0.005  # bone


@pytest.mark.parametrize("seed", SEEDS)
def test_lesions_are_bilateral_peripheral_and_denser(seed: int) -> None:
    normal = draw_slice(Phantom.NORMAL, seed=seed, size=128)
    lesions = draw_slice(Phantom.LESIONS, seed=seed, size=128)
    mask = lesions.lesion_mask
    assert 0.02 < mask.sum() / lesions.lung_mask.sum() < 0.6
    assert mask[:, :64].any()
    assert mask[:, 64:].any()
    assert -700 < np.median(lesions.hu[mask]) < -300
    assert np.median(lesions.hu[mask]) > np.median(normal.hu[mask]) + 100
    np.testing.assert_array_equal(normal.lung_mask, lesions.lung_mask)
    changed = np.abs(normal.hu - lesions.hu) > 150
    assert (changed & ~lesions.lung_mask).mean() < 0.002  # no more than the soft edge of the lungs


def test_consolidation_is_denser_than_ground_glass() -> None:
    def density(kind: Phantom) -> float:
        drawn = [draw_slice(kind, seed=seed, size=96) for seed in SEEDS]
        return float(np.mean([one.hu[one.lesion_mask].mean() for one in drawn]))

    assert density(Phantom.CONSOLIDATION) > density(Phantom.LESIONS) + 100


def test_same_chest_at_every_size() -> None:
    large = draw_phantom(Phantom.LESIONS, seed=1, size=512).astype(float)
    small = draw_phantom(Phantom.LESIONS, seed=1, size=128)
    shrunk = large.reshape(128, 4, 128, 4).mean(axis=(1, 3))
    assert np.corrcoef(shrunk.ravel(), small.ravel())[0, 1] > 0.99


def test_refuses_sizes() -> None:
    with pytest.raises(ValueError, match="at least 16 pixels"):
        draw_slice(Phantom.NORMAL, size=15)
