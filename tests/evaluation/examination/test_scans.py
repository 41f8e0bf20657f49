from __future__ import annotations

import numpy as np

from covidct.evaluation.examination.scans import change_body, scan_otherwise
from covidct.images.hounsfield import to_display
from figures.examined_slices import make_examined_slice

EXAMINED = make_examined_slice()
assert EXAMINED.lungs is not None
LUNGS = EXAMINED.lungs
SCANS = dict(scan_otherwise(EXAMINED.hu))
BODIES = dict(change_body(EXAMINED.hu, LUNGS))
PLAIN = to_display(EXAMINED.hu).astype(int)


def test_a_low_dose_adds_noise_and_a_soft_kernel_takes_it_away() -> None:
    def roughness(pixels: object) -> float:
        return float(np.abs(np.diff(np.asarray(pixels).astype(int), axis=1)).mean())

    order = ["soft kernel", "sharp kernel", "noise of a low dose"]
    rough = [roughness(PLAIN), *(roughness(SCANS[name]) for name in order)]
    assert rough[1] < rough[0] < rough[2] < rough[3]


def test_contrast_medium_leaves_the_air_in_the_lungs_as_it_is() -> None:
    air = EXAMINED.hu < -700
    assert (SCANS["contrast medium"][air] == PLAIN[air]).all()
    assert (SCANS["contrast medium"] != PLAIN).any()


def test_streaks_are_bright_and_dark() -> None:
    apart = SCANS["metal"].astype(int) - PLAIN
    assert apart.min() < -10
    assert apart.max() > 10


def test_a_small_body_has_air_around_it() -> None:
    border = BODIES["small body"][[0, -1]]
    assert (border == border[0, 0]).all()
    assert BODIES["small body"].shape == EXAMINED.hu.shape


def test_lying_on_the_belly_is_a_half_turn() -> None:
    assert (BODIES["lying on the belly"] == PLAIN[::-1, ::-1]).all()


def test_lying_on_the_side_is_a_quarter_turn() -> None:
    assert (BODIES["lying on the side"] == np.rot90(PLAIN)).all()


def test_a_crop_to_one_lung_ends_between_the_lungs() -> None:
    width = BODIES["cropped to one lung"].shape[1]
    assert (BODIES["cropped to one lung"] == PLAIN[:, :width]).all()
    assert LUNGS[:, :width].any()
    assert LUNGS[:, width:].any()


def test_only_the_lungs_are_changed_where_a_lung_is() -> None:
    for name in ("one lung removed", "fluid in the chest", "emphysema"):
        changed = BODIES[name] != PLAIN
        assert changed.any(), name
        assert not changed[~LUNGS].any(), name


def test_one_lung_is_removed_and_one_is_left() -> None:
    changed = BODIES["one lung removed"] != PLAIN
    share = changed.sum() / LUNGS.sum()
    assert 0.25 < share < 0.75


def test_fluid_lies_at_the_back() -> None:
    rows = np.flatnonzero((BODIES["fluid in the chest"] != PLAIN).any(axis=1))
    lungs = np.flatnonzero(LUNGS.any(axis=1))
    assert rows.min() > lungs.min() + 0.7 * (lungs.max() - lungs.min())


def test_lungs_that_nobody_knows_are_not_changed() -> None:
    assert (
        len(list(change_body(EXAMINED.hu, None))) == len(list(change_body(EXAMINED.hu, LUNGS & False))) == 3
    )
