from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from covidct.evaluation.examination.pointing import (
    LEVEL,
    TOLERANCE,
    find_peak,
    guess,
    measure_inside,
    measure_pointing,
    to_cells,
    to_strengths,
)
from covidct.types import WHOLE, Box, Evidence
from figures.examined_slices import make_examined_slice

EXAMINED = make_examined_slice()
assert EXAMINED.lesions is not None
assert EXAMINED.lungs is not None
LESIONS, LUNGS = EXAMINED.lesions, EXAMINED.lungs


def corner() -> Evidence:
    evidence = np.zeros((8, 8), np.float32)
    evidence[0, 0] = 9
    return evidence


def exact() -> Evidence:
    """A map as fine as the slice that is the lesions."""
    return np.where(LESIONS, 2 * LEVEL, 0).astype(np.float32)


def test_evidence_that_is_the_lesions() -> None:
    found = measure_pointing(exact(), WHOLE, EXAMINED)
    assert (found.hit, found.near, found.auc) == (1, 1, 1)
    assert found.iou == pytest.approx(1)
    inside = measure_inside(exact(), WHOLE, EXAMINED)
    assert inside is not None
    assert (inside.share, inside.near) == (1, 1)
    assert inside.chance == pytest.approx(LUNGS.mean())


def test_evidence_in_a_corner() -> None:
    found = measure_pointing(corner(), WHOLE, EXAMINED)
    assert (found.hit, found.near, found.iou) == (0, 0, 0)
    assert found.auc == pytest.approx(0.5)
    inside = measure_inside(corner(), WHOLE, EXAMINED)
    assert inside is not None
    assert inside.share == 0


def test_a_peak_beside_a_lesion_is_near() -> None:
    examined = replace(EXAMINED, lesions=np.zeros((100, 100), bool), lungs=np.ones((100, 100), bool))
    assert examined.lesions is not None
    examined.lesions[50, 50] = True
    for away, near in ((round(100 * TOLERANCE), 1), (round(100 * TOLERANCE) + 1, 0)):
        evidence = np.zeros((100, 100), np.float32)
        evidence[50, 50 + away] = 1
        found = measure_pointing(evidence, WHOLE, examined)
        assert (found.hit, found.near) == (0, near)


def test_negative_evidence_points_at_nothing() -> None:
    evidence = exact() - 3 * LEVEL
    found = measure_pointing(evidence, WHOLE, EXAMINED)
    assert (found.hit, found.near, found.iou) == (0, 0, 0)
    # But it still tells lesions from lung.
    assert found.auc == 1
    inside = measure_inside(evidence, WHOLE, EXAMINED)
    assert inside is not None
    assert (inside.share, inside.near) == (None, None)


def test_only_the_positive_part_is_mass() -> None:
    evidence = exact()
    evidence[0, 0] = -1000
    inside = measure_inside(evidence, WHOLE, EXAMINED)
    assert inside is not None
    assert inside.share == 1


def test_one_cell_knows_no_place() -> None:
    one = np.full((1, 1), 5, np.float32)
    found = measure_pointing(one, WHOLE, EXAMINED)
    assert (found.hit, found.near, found.iou, found.auc) == (None, None, None, None)
    assert measure_inside(one, WHOLE, EXAMINED) is None


@pytest.mark.parametrize("box", [(0.25, 0.5, 0.75, 1.0), WHOLE])
def test_the_box_places_the_peak(box: Box) -> None:
    left, top, right, bottom = box
    wanted = int(100 * (top + (bottom - top) / 16)), int(200 * (left + (right - left) / 16))
    assert find_peak(corner(), box, (100, 200)) == wanted


def test_cells_lie_within_the_box_only() -> None:
    cells = to_cells((0.5, 0.0, 1.0, 1.0), (2, 2), (4, 8))
    assert (cells[:, :4] == -1).all()
    assert cells[:, 4:].tolist() == [[0, 0, 1, 1]] * 2 + [[2, 2, 3, 3]] * 2
    spread = to_strengths(np.full((2, 2), 3, np.float32), (0.5, 0.0, 1.0, 1.0), (4, 8))
    assert (spread[:, 4:] == 3).all()
    assert not spread[:, :4].any()


def test_a_box_without_width_shows_nothing() -> None:
    assert not to_strengths(corner(), (0.5, 0.5, 0.5, 0.5), (10, 10)).any()


def test_guesses_are_what_chance_gives() -> None:
    found, rng = guess(EXAMINED), np.random.default_rng(0)
    there = np.argwhere(LUNGS)
    drawn: NDArray[np.int64] = there[rng.integers(0, len(there), 2000)]
    assert found.hit == pytest.approx(LESIONS[drawn[:, 0], drawn[:, 1]].mean(), abs=0.03)
    assert found.near > found.hit
    assert found.iou == pytest.approx(found.hit)


def test_slices_without_masks_are_refused() -> None:
    with pytest.raises(ValueError, match="no masks"):
        measure_pointing(corner(), WHOLE, replace(EXAMINED, lungs=None))
    with pytest.raises(ValueError, match="no mask of its lungs"):
        measure_inside(corner(), WHOLE, replace(EXAMINED, lungs=None))
    with pytest.raises(ValueError, match="no lesion to point at"):
        measure_pointing(corner(), WHOLE, replace(EXAMINED, lesions=np.zeros_like(LESIONS)))
