from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from covidct.evaluation.examination.blackout import (
    Masking,
    both_classes,
    to_blackouts,
    to_tissue,
    to_views,
    view_slice,
)
from covidct.images.phantoms.slice import Phantom
from covidct.types import Evidence, Pixels
from figures.examined_slices import Told, make_examined_slice

EXAMINED = make_examined_slice()
assert EXAMINED.lungs is not None
LUNGS = EXAMINED.lungs


def test_views_keep_what_they_say() -> None:
    views = to_views(EXAMINED.pixels, LUNGS)
    assert (views[Masking.WHOLE] == EXAMINED.pixels).all()
    assert len(np.unique(views[Masking.NO_LUNGS][LUNGS])) == 1
    assert (views[Masking.NO_LUNGS][~LUNGS] == EXAMINED.pixels[~LUNGS]).all()
    assert (views[Masking.LUNGS][LUNGS] == EXAMINED.pixels[LUNGS]).all()
    assert len(np.unique(views[Masking.LUNGS][~LUNGS])) == 1
    border = views[Masking.BORDER]
    assert (border[4:-4, 4:-4] == 128).all()
    assert (border[:4] == EXAMINED.pixels[:4]).all()


def test_the_fill_is_soft_tissue() -> None:
    # -50 to 100 HU in the lung window.
    assert 220 <= to_tissue(EXAMINED.pixels, LUNGS) <= 255
    assert to_tissue(np.zeros((32, 32), np.uint8), np.zeros((32, 32), bool)) == 192


def sees_lungs(pixels: Pixels) -> Evidence:
    """Reads the brightness of the lungs."""
    return np.full((2, 2), pixels[LUNGS].mean(), np.float32)


def sees_corner(pixels: Pixels) -> Evidence:
    return np.full((2, 2), float(pixels[0, 0]), np.float32)


def blackout_of(session: Told, *, marked: bool = False) -> dict[str, float]:
    """AUCs over eight chests with and without lesions; `marked` slices with lesions have a bright corner."""
    viewed = []
    for seed in range(8):
        for kind in (Phantom.LESIONS, Phantom.NORMAL):
            examined = make_examined_slice(kind, seed=seed)
            pixels = examined.pixels.copy()
            if marked and examined.label:
                pixels[0, 0] = 255
            assert examined.lungs is not None
            viewed.append(
                view_slice(session, replace(examined, pixels=pixels), examined.lungs, outlined="mask")
            )
    (found,) = to_blackouts(viewed)
    assert (found.n, found.positives, found.groups, found.outlined) == (16, 8, 8, {"mask": 16})
    return {name: one.value for name, one in found.aucs.items() if one.value is not None}


def test_a_session_that_reads_lungs_falls_to_chance() -> None:
    aucs = blackout_of(Told(sees_lungs))
    assert aucs[Masking.WHOLE] > 0.7
    assert aucs[Masking.LUNGS] > 0.7
    assert aucs[Masking.NO_LUNGS] == pytest.approx(0.5, abs=0.15)
    assert aucs[Masking.BORDER] == pytest.approx(0.5, abs=0.15)


def test_a_session_that_reads_a_mark_does_not() -> None:
    aucs = blackout_of(Told(sees_corner), marked=True)
    assert aucs[Masking.NO_LUNGS] == aucs[Masking.BORDER] == aucs[Masking.WHOLE] == 1
    assert aucs[Masking.LUNGS] < 0.8


def test_one_class_has_no_auc() -> None:
    viewed = [view_slice(Told(sees_corner), make_examined_slice(), LUNGS, outlined="mask")]
    (found,) = to_blackouts(viewed)
    assert found.aucs[Masking.WHOLE].value is None
    assert both_classes([found]) == []


def test_a_slice_without_label_is_refused() -> None:
    with pytest.raises(ValueError, match="has no label"):
        view_slice(Told(sees_corner), replace(EXAMINED, label=None), LUNGS, outlined="mask")


def test_huge_logits_keep_their_order() -> None:
    viewed = []
    for seed, label in enumerate((0, 1)):
        examined = replace(make_examined_slice(seed=seed), label=label)
        session = Told(lambda _, label=label: np.full((2, 2), 500.0 + label, np.float32))  # type: ignore[misc]
        viewed.append(view_slice(session, examined, LUNGS, outlined="mask"))
    (found,) = to_blackouts(viewed)
    assert found.aucs[Masking.WHOLE].value == 1
