from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from covidct.evaluation.examination.examined_slice import to_hu
from covidct.evaluation.examination.renders import (
    SHIFTS,
    Kind,
    crop,
    render_slice,
    resize,
    shift,
    through_jpeg,
    to_full_field,
)
from covidct.images.hounsfield import to_display
from figures.examined_slices import make_examined_slice

EXAMINED = make_examined_slice()
assert EXAMINED.lungs is not None
LUNGS = EXAMINED.lungs


def test_every_kind_of_render() -> None:
    renders = list(render_slice(EXAMINED, LUNGS))
    counts = Counter(render.kind for render in renders)
    assert counts == {
        Kind.WINDOW: 3,
        Kind.FIELD: 3,
        Kind.SIZE: 3,
        Kind.JPEG: 1,
        Kind.MIRROR: 1,
        Kind.SHIFT: len(SHIFTS),
        Kind.SCAN: 5,
        Kind.BODY: 7,
    }
    for render in renders:
        assert render.pixels.dtype == np.uint8
        assert render.pixels.ndim == 2
        assert render.pixels.std() > 5
        different = render.pixels.shape != EXAMINED.pixels.shape or (render.pixels != EXAMINED.pixels).any()
        assert different, render.name


def test_windows_come_from_hounsfield_units() -> None:
    wide = next(render_slice(EXAMINED, None)).pixels
    assert (wide == to_display(EXAMINED.hu, centre=-500, width=2000)).all()
    # Grey levels alone know nothing beyond the ends of the lung window.
    emulated = replace(EXAMINED, hu=to_hu(EXAMINED.pixels), is_hu=False)
    inside = (EXAMINED.hu > -1340) & (EXAMINED.hu < 140)
    again = next(render_slice(emulated, None)).pixels
    assert np.abs(again[inside].astype(int) - wide[inside]).max() <= 3


@pytest.mark.parametrize(("side", "shape"), [(256, (128, 256)), (1024, (512, 1024))])
def test_resizing_keeps_the_proportions(side: int, shape: tuple[int, int]) -> None:
    assert resize(np.zeros((100, 200), np.uint8), side).shape == shape


def test_jpeg_changes_little() -> None:
    apart = np.abs(through_jpeg(EXAMINED.pixels).astype(int) - EXAMINED.pixels)
    assert 0 < apart.mean() < 10


def test_shifts_move_and_repeat_the_edge() -> None:
    pixels = np.arange(48, dtype=np.uint8).reshape(6, 8)
    moved = shift(pixels, right=2, down=-1)
    assert (moved[:-1, 2:] == pixels[1:, :-2]).all()
    assert (moved[:-1, 0] == pixels[1:, 0]).all()
    assert moved.shape == pixels.shape


def test_a_full_field_holds_slice_table_and_circle() -> None:
    hu = to_full_field(EXAMINED.hu)
    side = hu.shape[0]
    assert hu.shape == (side, side)
    assert side == round(1.3 * 96)
    assert hu[0, 0] == hu[-1, -1] == -2000
    assert (hu == 60).sum() > side / 2
    middle = EXAMINED.hu[20:76, 20:76]
    top = (side - 96) // 2
    assert (hu[top + 20 : top + 76, top + 20 : top + 76] == middle).all()


def test_crops_too_small_are_none() -> None:
    mask = np.zeros((96, 96), bool)
    assert crop(EXAMINED.pixels, mask) is None
    mask[10:20, 10:20] = True
    assert crop(EXAMINED.pixels, mask) is None
    mask[10:70, 10:80] = True
    part = crop(EXAMINED.pixels, mask)
    assert part is not None
    assert part.shape == (66, 77 + 1)


def test_without_an_outline_there_is_no_crop_to_the_lungs() -> None:
    names = {render.name for render in render_slice(EXAMINED, None)}
    assert "cropped to the body" in names
    assert "cropped to the lungs" not in names


def test_a_blank_slice_is_rendered_too() -> None:
    blank = np.zeros((64, 64), np.uint8)
    renders = list(render_slice(replace(EXAMINED, pixels=blank, hu=to_hu(blank)), None))
    assert Kind.SIZE in {render.kind for render in renders}
