from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from torch import nn

from covidct.training.lesion_paste import Anatomy, Pastes, draw_move, find_anatomy, find_pastes
from covidct.training.networks.lung_finder import LungFinder

SIDE = 96
LUNG, TISSUE, LESION = 40, 200, 120


def make_slices() -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Three slices (3, 96, 96) with lungs at the same place, the first with a lesion; and its mask."""
    pixels = np.full((3, SIDE, SIDE), TISSUE, np.uint8)
    pixels[:, 20:76, 10:86] = LUNG
    mask = np.zeros((SIDE, SIDE), np.uint8)
    mask[30:50, 20:40] = 255
    pixels[0][mask > 0] = LESION
    # The second is shown in another window.
    pixels[1] = 20 + pixels[1] // 2
    return pixels, mask


def make_anatomy() -> Anatomy:
    lungs = np.zeros((3, 48, 48), np.float32)
    lungs[:, 10:38, 5:43] = 1
    boxes = np.tile(np.array([10, 20, 86, 76], np.float32) / SIDE, (3, 1))
    levels = np.array([[LUNG, TISSUE], [20 + LUNG // 2, 20 + TISSUE // 2], [LUNG, TISSUE]], np.float32) / 255
    return Anatomy(lungs, boxes.astype(np.float32), levels.astype(np.float32))


def make_pastes(**changes: object) -> Pastes:
    pixels, mask = make_slices()
    parts = {"pixels": pixels, "anatomy": make_anatomy(), "lesions": {0: mask}, "healthy": (1, 2)}
    parts["targets"] = frozenset((1, 2))
    return Pastes(**(parts | changes))  # type: ignore[arg-type]


@pytest.fixture
def only_lesions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("covidct.training.lesion_paste.SHAM", 0.0)


@pytest.fixture
def only_sham(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("covidct.training.lesion_paste.SHAM", 1.0)


@pytest.mark.usefixtures("only_lesions")
def test_a_lesion_comes_with_its_mask_at_the_greys_of_its_new_slice() -> None:
    pastes = make_pastes()
    for seed in range(20):
        pasted = pastes.paste(1, np.random.default_rng(seed))
        if pasted is None:
            continue
        assert pasted.is_positive
        inside = pasted.lesions > 250
        changed = pasted.pixels != pastes.pixels[1]
        # What is changed lies in the mask; a lesion is brighter than lung and darker than tissue there.
        assert not changed[pasted.lesions == 0].any()
        if inside.any():
            brightest = 20 + LESION // 2
            assert 20 + LUNG // 2 < pasted.pixels[inside].mean() <= brightest + 2


@pytest.mark.usefixtures("only_lesions")
def test_lesions_stay_inside_the_lungs() -> None:
    pastes = make_pastes()
    outside = np.ones((SIDE, SIDE), bool)
    outside[16:80, 6:90] = False  # the mask is coarse: a cell more on every side
    for seed in range(20):
        pasted = pastes.paste(2, np.random.default_rng(seed))
        assert pasted is None or not pasted.lesions[outside].any()


@pytest.mark.usefixtures("only_sham")
def test_healthy_lung_leaves_a_slice_negative() -> None:
    pastes = make_pastes(healthy=(2,))
    given = [pastes.paste(1, np.random.default_rng(seed)) for seed in range(20)]
    brought = [pasted for pasted in given if pasted is not None]
    assert brought
    assert not any(pasted.is_positive for pasted in brought)


@pytest.mark.usefixtures("only_lesions")
def test_what_meets_no_lung_is_not_pasted() -> None:
    anatomy = make_anatomy()
    nowhere = Anatomy(np.zeros_like(anatomy.lungs), anatomy.boxes, anatomy.levels)
    assert make_pastes(anatomy=nowhere).paste(1, np.random.default_rng(0)) is None


def test_one_seed_one_paste() -> None:
    one, other = (make_pastes().paste(2, np.random.default_rng(4)) for _ in range(2))
    assert (one is None) == (other is None)
    assert one is None or (one.pixels == other.pixels).all()  # type: ignore[union-attr]


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_moves_keep_the_middle_near(seed: int) -> None:
    move = draw_move(np.random.default_rng(seed))
    centre = move[:, :2] @ (0.5, 0.5) + move[:, 2]
    assert np.abs(centre - 0.5).max() <= 0.15
    scale = np.sqrt(abs(np.linalg.det(move[:, :2])))
    assert 1 / 1.4 - 1e-9 <= scale <= 1 / 0.7 + 1e-9


class Knows(nn.Module):
    """A finder that takes what is dark for lung."""

    def forward(self, slices: torch.Tensor) -> torch.Tensor:
        return 20.0 * (2 * (slices[:, ::2, ::2] < 130).float() - 1)


def test_anatomy_is_found() -> None:
    pixels, _ = make_slices()
    anatomy = find_anatomy(Knows(), pixels[2:])  # type: ignore[arg-type]
    assert anatomy.lungs.shape == (1, 48, 48)
    assert (anatomy.boxes[0, :2] * SIDE < (10, 20)).all()
    assert (anatomy.boxes[0, 2:] * SIDE > (86, 76)).all()
    assert anatomy.levels[0] == pytest.approx([LUNG / 255, TISSUE / 255], abs=0.02)


def test_donors() -> None:
    pixels, mask = make_slices()
    clear = np.array([False, True, True])
    empty = np.zeros_like(mask)
    pastes = find_pastes(Knows(), pixels, clear, {0: mask, 1: empty})  # type: ignore[arg-type]
    assert pastes is not None
    assert list(pastes.lesions) == [0]
    assert pastes.healthy == (1, 2)
    assert pastes.targets == {1, 2}


def test_without_drawn_lesions_there_is_nothing_to_paste() -> None:
    pixels, mask = make_slices()
    assert find_pastes(LungFinder().eval(), pixels, np.array([False, True, True]), {}) is None
    assert find_pastes(Knows(), pixels, np.zeros(3, bool), {0: mask}) is None  # type: ignore[arg-type]
