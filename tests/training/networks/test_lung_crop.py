from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional

from covidct.training.networks.lung_crop import (
    DOUBT,
    LUNG_GREY,
    MARGIN,
    REACH,
    TISSUE_GREY,
    LungCrop,
    crop,
    crop_few,
    has_lungs,
    mask,
    to_box,
    to_levels,
)

CELLS = 48


def lungs(left: int, top: int, right: int, bottom: int) -> Tensor:
    """A mask (1, 48, 48) that is one block."""
    mask = torch.zeros((1, CELLS, CELLS))
    mask[:, top:bottom, left:right] = 1
    return mask


@settings(max_examples=60, deadline=None)
@given(left=st.integers(0, 30), top=st.integers(0, 30), width=st.integers(10, 18), height=st.integers(10, 18))
def test_the_box_holds_the_lungs_and_a_margin(left: int, top: int, width: int, height: int) -> None:
    box = to_box(lungs(left, top, left + width, top + height))[0].numpy()
    wide, high = MARGIN * width / CELLS, MARGIN * height / CELLS
    wanted = [left / CELLS - wide, top / CELLS - high]
    wanted += [(left + width) / CELLS + wide, (top + height) / CELLS + high]
    np.testing.assert_allclose(box, np.clip(wanted, 0, 1), atol=0.02)


def test_specks_do_not_move_the_box() -> None:
    mask = lungs(10, 12, 38, 40)
    clean = to_box(mask)
    mask[0, 0, 0] = mask[0, 47, 47] = 1
    assert torch.allclose(to_box(mask), clean, atol=0.02)


@pytest.mark.parametrize("mask", [torch.zeros((2, CELLS, CELLS)), 0.5 * lungs(0, 0, 5, 5).repeat(2, 1, 1)])
def test_without_lungs_the_slice_stays_whole(mask: Tensor) -> None:
    assert not has_lungs(mask).any()
    box = to_box(mask)
    assert torch.equal(box, torch.tensor([[0.0, 0.0, 1.0, 1.0]]).repeat(2, 1))
    low, high = to_levels(torch.rand((2, CELLS, CELLS)), mask, box)
    assert torch.equal(low, torch.full((2,), LUNG_GREY))
    assert torch.equal(high, torch.full((2,), TISSUE_GREY))


@settings(max_examples=40, deadline=None)
@given(low=st.floats(0.0, 0.5), contrast=st.floats(0.12, 0.5))
def test_levels_of_lung_and_tissue(low: float, contrast: float) -> None:
    mask = lungs(8, 8, 40, 30)
    mask[0, 10:28, 22:26] = 0  # what lies between the lungs
    greys = torch.where(mask > 0, low, low + contrast)
    found = to_levels(greys, mask, to_box(mask))
    assert found[0].item() == pytest.approx(low, abs=0.01)
    assert found[1].item() == pytest.approx(low + contrast, abs=0.01)


def test_the_whole_box_changes_nothing() -> None:
    slices = torch.rand((2, 1, 40, 40))
    whole = torch.tensor([[0.0, 0.0, 1.0, 1.0]]).repeat(2, 1)
    assert torch.allclose(crop(slices, whole, size=40), slices, atol=1e-4)


def test_a_crop_is_the_part_in_the_box() -> None:
    slices = torch.rand((1, 1, 40, 40))
    part = crop(slices, torch.tensor([[0.25, 0.5, 0.75, 1.0]]), size=20)
    assert torch.allclose(part, slices[:, :, 20:, 10:30], atol=1e-4)


class Knows(torch.nn.Module):
    """A finder that was told where the lungs are: (48, 48)."""

    def __init__(self, mask: Tensor):
        super().__init__()
        self.mask = mask

    def forward(self, slices: Tensor) -> Tensor:
        """(N, H, W) uint8 -> logits (N, 48, 48)."""
        return self.look(slices)[0]

    def look(self, slices: Tensor) -> tuple[Tensor, list[Tensor]]:
        """As `forward`, with no features."""
        return (40 * self.mask - 20).repeat(len(slices), 1, 1), []


@pytest.mark.parametrize(("offset", "gain"), [(10, 1.0), (30, 0.6), (20, 1.4)])
def test_any_window_gives_the_same_greys(offset: int, gain: float) -> None:
    """Lung at 20 and tissue at 140, then seen through another window."""
    module = LungCrop(64)
    pixels = np.zeros((192, 192), np.float32)
    pixels[30:160, 20:170] = 140
    pixels[50:140, 40:150] = 20
    pixels[50:140, 90:100] = 140
    mask = torch.from_numpy(pixels[2::4, 2::4] == 20).float()[None]
    module.finder = Knows(mask)  # type: ignore[assignment]
    shown = np.where(pixels > 0, np.rint(pixels * gain / 1.4 + offset), 0).astype(np.uint8)
    plain = np.where(pixels > 0, np.rint(pixels / 1.4 + 10), 0).astype(np.uint8)
    views, boxes, _ = module(torch.from_numpy(np.stack([shown, plain])))
    assert torch.allclose(boxes[0], boxes[1], atol=1e-3)
    assert (views[0] - views[1]).abs().mean() < 0.1


WHOLE = torch.tensor([[0.0, 0.0, 1.0, 1.0]])


@settings(max_examples=40, deadline=None)
@given(left=st.integers(4, 20), top=st.integers(4, 20), side=st.integers(8, 20), seed=st.integers(0, 99))
def test_a_mask_keeps_the_lungs_and_hides_the_rest(left: int, top: int, side: int, seed: int) -> None:
    slices = torch.rand((1, 1, CELLS, CELLS), generator=torch.Generator().manual_seed(seed))
    inside = lungs(left, top, left + side, top + side)
    seen = mask(slices, inside, WHOLE)
    near = functional.max_pool2d(inside[:, None], 2 * REACH + 1, stride=1, padding=REACH) > 0
    torch.testing.assert_close(seen[near], slices[near])
    assert (seen[~near] == TISSUE_GREY).all()


@pytest.mark.parametrize("share", [0.0, DOUBT])
def test_a_mask_hides_all_where_there_is_no_lung(share: float) -> None:
    slices = torch.rand((2, 1, 64, 64))
    seen = mask(slices, torch.full((2, CELLS, CELLS), share), WHOLE.expand(2, 4))
    assert torch.equal(seen, torch.full_like(slices, TISSUE_GREY))


def test_a_masked_network_sees_no_difference_outside_the_lungs() -> None:
    pixels = np.full((192, 192), 140, np.uint8)
    pixels[50:140, 30:66] = pixels[50:140, 126:162] = 20
    written = pixels.copy()
    written[55:135, 92:100] = 255  # as letters or a tube would be
    found = torch.from_numpy((pixels[2::4, 2::4] == 20).astype(np.float32))[None]
    for masked in (False, True):
        module = LungCrop(64, masked=masked)
        module.finder = Knows(found)  # type: ignore[assignment]
        near, far = (module(torch.from_numpy(one[None, :, :]))[0] for one in (pixels, written))
        assert torch.allclose(near, far, atol=0.05) is masked


def test_training_leaves_the_finder_alone() -> None:
    module = LungCrop(64).train()
    assert module.training
    assert not module.finder.training
    assert not any(weight.requires_grad for weight in module.finder.parameters())


@pytest.mark.parametrize(
    "pixels",
    [
        np.zeros((1, 64, 64), np.uint8),
        np.full((1, 64, 64), 255, np.uint8),
        np.zeros((1, 33, 900), np.uint8),
        np.random.default_rng(0).integers(0, 256, (1, 1200, 40), np.uint8),
    ],
)
def test_any_slice_gives_finite_values(pixels: np.ndarray) -> None:
    view, box, _ = LungCrop(64)(torch.from_numpy(pixels))
    assert view.shape == (1, 3, 64, 64)
    assert torch.isfinite(view).all()
    assert ((box >= 0) & (box <= 1)).all()


@pytest.mark.parametrize("rows", [40, 97])
def test_crop_is_bilinear(rows: int) -> None:
    slices = torch.rand(3, 1, rows, 64, generator=torch.Generator().manual_seed(1))
    box = torch.tensor([[0.0, 0.0, 1.0, 1.0], [0.1, 0.3, 0.65, 0.9], [0.5, 0.0, 0.52, 0.01]])
    steps = (torch.arange(32) + 0.5) / 32
    across, down = (box[:, at, None] + (box[:, at + 2] - box[:, at])[:, None] * steps for at in (0, 1))
    grid = torch.stack([across[:, None].expand(-1, 32, -1), down[:, :, None].expand(-1, -1, 32)], 3)
    wanted = functional.grid_sample(slices, 2 * grid - 1, padding_mode="border", align_corners=False)
    assert torch.allclose(crop(slices, box, size=32), wanted, atol=1e-4)


@settings(max_examples=40, deadline=None)
@given(
    side=st.integers(2, 50),
    size=st.integers(1, 60),
    seed=st.integers(0, 99),
    ends=st.tuples(*[st.floats(0, 1)] * 4),
)
def test_few_cells_are_cropped_as_many_are(
    side: int, size: int, seed: int, ends: tuple[float, float, float, float]
) -> None:
    cells = torch.rand((1, side, side), generator=torch.Generator().manual_seed(seed))
    box = torch.tensor([[*sorted(ends[:2]), *sorted(ends[2:])]])[:, [0, 2, 1, 3]]
    assert torch.allclose(
        crop_few(cells, box, size=size), crop(cells[:, None], box, size=size)[:, 0], atol=1e-5
    )
