from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from covidct.errors import ManifestError, PretrainedError
from covidct.manifest import Row, read_manifest
from covidct.train.finder import LungFinder
from covidct.train.finding import (
    Drawn,
    Views,
    draw_view,
    fit_finder,
    load_finder,
    mask_loss,
    read_drawn,
)
from covidct.train.masks import Mask, find_mask, has_mask, read_mask
from makers import write_png
from training import write_lungs, write_phantoms


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> tuple[Row, ...]:
    return read_manifest(write_lungs(tmp_path_factory.mktemp("lungs"))).rows


def test_masks_lie_beside_the_slices(rows: tuple[Row, ...]) -> None:
    path = find_mask(rows[0], Mask.LUNG)
    assert path is not None
    assert path.name == rows[0].path.name
    assert find_mask(rows[0], Mask.LESION) is None
    assert has_mask(rows, Mask.LUNG) == list(rows)
    mask = read_mask(path, side=32)
    assert mask.shape == (32, 32)
    assert {0, 255} <= set(np.unique(mask).tolist())


def test_a_slice_is_not_its_own_mask(tmp_path: Path) -> None:
    (tmp_path / "lung").mkdir()
    path = tmp_path / "lung" / "1.png"
    write_png(path, np.zeros((8, 8), np.uint8))
    assert find_mask(Row(path, "", "", "", "", ""), Mask.LUNG) is None


def test_a_damaged_mask(tmp_path: Path) -> None:
    path = tmp_path / "1.png"
    path.write_bytes(b"no picture")
    with pytest.raises(ManifestError, match="mend the mask"):
        read_mask(path, side=32)


def test_without_masks_there_is_no_finder(tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match="no slice has a lung mask"):
        read_drawn(read_manifest(write_phantoms(tmp_path, patients=1)).rows)


def test_a_view_moves_slice_and_mask_alike() -> None:
    block = np.zeros((160, 160), np.uint8)
    block[50:110, 40:120] = 255
    together = []
    for seed in range(20):
        view, lungs = draw_view(block, block, np.random.default_rng(seed))
        assert view.shape == lungs.shape == (96, 96)
        inside, outside = view[lungs > 250], view[lungs < 5]
        together.append(not inside.size or not outside.size or inside.mean() > outside.mean())
    assert all(together)


def test_a_view_depends_on_its_number_alone() -> None:
    drawn = Drawn(
        np.random.default_rng(0).integers(0, 256, (3, 160, 160), np.uint8), np.zeros((3, 160, 160), np.uint8)
    )
    one, other = Views(drawn, count=9, seed=5), Views(drawn, count=9, seed=5)
    other[3]
    assert torch.equal(one[7][0], other[7][0])
    assert one[7][1].shape == (48, 48)
    assert not torch.equal(one[7][0], Views(drawn, count=9, seed=6)[7][0])


def test_the_loss_knows_a_good_mask() -> None:
    lungs = torch.zeros((1, 48, 48))
    lungs[:, 10:30, 10:30] = 1
    assert mask_loss(20 * (2 * lungs - 1), lungs) < 0.01
    assert mask_loss(-20 * (2 * lungs - 1), lungs) > 1


def test_it_learns_to_find_lungs(rows: tuple[Row, ...], tmp_path: Path) -> None:
    """A few steps on phantoms, from random weights, bring the loss below that of knowing nothing."""
    finder = fit_finder(rows, out=tmp_path, pretrained=None, seed=1, steps=40)
    drawn = read_drawn(rows)
    views = [Views(drawn, count=64, seed=9)[number] for number in range(64)]
    slices, lungs = (torch.stack(part) for part in zip(*views, strict=True))
    with torch.inference_mode():
        learned = mask_loss(finder(slices), lungs)
        nothing = mask_loss(torch.full_like(lungs, float(torch.logit(lungs.mean()))), lungs)
    assert learned < nothing
    again = load_finder(tmp_path / "finder.safetensors")
    assert torch.equal(again(slices[:2]), finder(slices[:2]))


def test_the_finder_is_small() -> None:
    assert sum(weight.numel() for weight in LungFinder().parameters()) < 600_000


def test_other_weights_are_no_finder(tmp_path: Path) -> None:
    path = tmp_path / "finder.safetensors"
    path.write_bytes(b"nothing")
    with pytest.raises(PretrainedError, match="holds no lung finder"):
        load_finder(path)
