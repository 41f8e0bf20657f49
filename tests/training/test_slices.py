from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from covidct.data.manifest import DataPlan, Row
from covidct.data.recipe import Augmentation
from covidct.errors import ManifestError
from covidct.images.hounsfield import to_display
from covidct.images.phantoms.slice import Phantom
from covidct.training.slices import (
    AugmentedSlices,
    Draws,
    Slices,
    name_sources,
    read_slices,
    to_square,
    with_lesions,
)
from makers import phantom_hu, write_dicom, write_png
from training import NOTHING


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> tuple[Row, ...]:
    """A DICOM slice with lesions and a PNG without."""
    folder = tmp_path_factory.mktemp("slices")
    dicom = write_dicom(folder / "1.dcm", phantom_hu(Phantom.LESIONS))
    png = write_png(folder / "2.png", to_display(phantom_hu(Phantom.NORMAL, size=80))[:50])
    return Row(dicom, "covid", "a", "", "", ""), Row(png, "no-lesion", "b", "", "", "")


@pytest.fixture(scope="module")
def slices(rows: tuple[Row, ...]) -> Slices:
    return read_slices(rows, DataPlan(), side=40)


def test_reads_slices(rows: tuple[Row, ...], slices: Slices) -> None:
    assert slices.pixels.shape == (2, 40, 40)
    assert slices.pixels.dtype == np.uint8
    assert slices.labels.tolist() == [1, 0]
    assert slices.sources == ("a", "b")
    assert slices.rows == rows
    assert len(slices) == 2
    assert np.array_equal(slices.pixels[0], to_square(to_display(phantom_hu(Phantom.LESIONS)), 40))


def test_progress_goes_to_stderr(rows: tuple[Row, ...], capsys: pytest.CaptureFixture[str]) -> None:
    read_slices(rows, DataPlan(), side=8, label="tune slices")
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "reading tune slices" in captured.err


def test_no_rows() -> None:
    slices = read_slices([], DataPlan(), side=8)
    assert (len(slices), slices.pixels.shape, slices.labels.shape) == (0, (0, 8, 8), (0,))


@pytest.mark.parametrize("content", [b"", b"no picture", None])
def test_files_that_cannot_be_read(rows: tuple[Row, ...], tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "bad.png"
    if content is not None:
        path.write_bytes(content)
    bad = Row(path, "covid", "", "", "", "")
    with pytest.raises(
        ManifestError, match=f"{path}.*; repair the file, or remove its line from the manifest$"
    ):
        read_slices([*rows, bad], DataPlan(), side=8)


@settings(deadline=None, max_examples=25)
@given(
    shape=st.tuples(st.integers(1, 60), st.integers(1, 60)), side=st.integers(1, 50), grey=st.integers(0, 255)
)
def test_squares(shape: tuple[int, int], side: int, grey: int) -> None:
    square = to_square(np.full(shape, grey, np.uint8), side)
    assert square.shape == (side, side)
    assert square.dtype == np.uint8
    assert (square == grey).all()


def test_squares_are_antialiased() -> None:
    stripes = np.tile(np.array([0, 255], np.uint8), (64, 32))
    assert np.abs(to_square(stripes, 16).astype(float) - 127.5).max() < 10


def draw(draws: Draws, epoch: int) -> list[tuple[int, int, int]]:
    draws.epoch = epoch
    return list(draws)


def test_draws_follow_seed_and_epoch() -> None:
    weights = torch.full((50,), 0.02, dtype=torch.float64)
    draws = Draws(weights, count=30, seed=3)
    first = draw(draws, 0)
    assert len(draws) == len(first) == 30
    assert [(epoch, number) for epoch, number, _ in first] == [(0, number) for number in range(30)]
    assert {epoch for epoch, _, _ in draw(draws, 2)} == {2}
    assert [index for _, _, index in draw(draws, 1)] != [index for _, _, index in draw(draws, 2)]
    # Epochs that went before, and other random numbers, change nothing.
    torch.manual_seed(99)
    assert draw(draws, 0) == first == draw(Draws(weights, count=30, seed=3), 0)
    assert draw(Draws(weights, count=30, seed=4), 0) != first


def test_draws_follow_weights() -> None:
    weights = torch.tensor([0.0, 0.1, 0.6, 0.3], dtype=torch.float64)
    drawn = [index for _, _, index in Draws(weights, count=4000, seed=0)]
    shares = np.bincount(drawn, minlength=4) / len(drawn)
    assert shares == pytest.approx(weights.numpy(), abs=0.03)
    assert shares[0] == 0


def test_views_do_not_depend_on_the_order_of_access(slices: Slices) -> None:
    views = AugmentedSlices(slices, Augmentation(), size=32, seed=5)
    keys = [(epoch, number, index) for epoch in range(2) for number in range(3) for index in range(2)]
    there = {key: views[key][0] for key in keys}
    np.random.default_rng(0).random(9)
    again = AugmentedSlices(slices, Augmentation(), size=32, seed=5)
    back = {key: again[key][0] for key in reversed(keys)}
    assert all(torch.equal(there[key], back[key]) for key in keys)
    # Each draw of one slice is another view, and each seed.
    seen = {there[key].numpy().tobytes() for key in keys}
    assert len(seen) == len(keys)
    other = AugmentedSlices(slices, Augmentation(), size=32, seed=6)
    assert not torch.equal(other[keys[0]][0], there[keys[0]])


def test_views(slices: Slices) -> None:
    views = AugmentedSlices(slices, Augmentation(), size=32, seed=5, apart=slices.sources[:1])
    assert len(views) == 2
    for index, label in enumerate((1.0, 0.0)):
        view, target, lesions, drawn, source, apart, pasted = views[0, 0, index]
        assert not pasted
        assert (view.shape, view.dtype) == ((32, 32), torch.uint8)
        assert (target.item(), target.dtype) == (label, torch.float32)
        assert not lesions.any()
        assert not drawn
        assert name_sources(slices)[source] == slices.sources[index]
        assert apart == (slices.sources[index] == slices.sources[0])


def test_lesions_move_with_their_slice(slices: Slices) -> None:
    """What is drawn over the brightest part stays over it, wherever a view puts it."""
    side = slices.pixels.shape[1]
    square = np.zeros((side, side), np.uint8)
    square[side // 4 : side // 2, side // 3 : side // 2] = 255
    pictures = np.stack([square, square])
    moves = replace(NOTHING, rotation=30, flip=0.5, scale=(0.8, 1.2), shift=0.1)
    drawn = replace(slices, pixels=pictures, lesions={1: square})
    for draw in range(5):
        view = AugmentedSlices(drawn, moves, size=32, seed=5)[0, draw, 1]
        assert torch.equal(view.slices, view.lesions)
        assert view.drawn


def test_lesions_lie_beside_their_slices(tmp_path: Path) -> None:
    for folder, tone in (("image", 100), ("infection", 255)):
        (tmp_path / folder).mkdir()
        write_png(tmp_path / folder / "1.png", np.full((40, 40), tone, np.uint8))
    write_png(tmp_path / "image" / "2.png", np.full((40, 40), 100, np.uint8))
    rows = [Row(tmp_path / "image" / f"{n}.png", "covid", "a", "", "", "") for n in (1, 2)]
    slices = with_lesions(read_slices(rows, DataPlan(), side=16))
    assert list(slices.lesions) == [0]
    assert (slices.lesions[0] == 255).all()
