from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from covidct.data.manifest import DataPlan, Row
from covidct.data.teaching import find_values
from covidct.training.lessons.drawn_slices import SOURCE, with_drawn
from covidct.training.slices import Slices

SIDE = 64
ROWS = tuple(Row(Path(f"{name}.png"), name, "a", name, "train", "") for name in ("well", "ill"))
MASK = np.zeros((SIDE, SIDE), np.uint8)
OWN = Slices(np.zeros((2, SIDE, SIDE), np.uint8), np.array([0, 1]), ("a", "a"), ROWS, {1: MASK})
PLAN = DataPlan(positive=("ill",), negative=("well",))


@pytest.fixture(scope="module")
def slices() -> Slices:
    return with_drawn(OWN, 4, PLAN)


def test_none_are_drawn_unless_asked_for() -> None:
    assert with_drawn(OWN, 0, PLAN) is OWN


def test_half_of_them_are_clear_and_half_have_lesions(slices: Slices) -> None:
    assert slices.labels.tolist() == [0, 1, 0, 1, 0, 1]
    assert slices.sources == ("a", "a", *[SOURCE] * 4)
    assert [row.label for row in slices.rows] == ["well", "ill"] * 3
    assert slices.pixels.shape == (6, SIDE, SIDE)


def test_lesions_are_known_and_own_masks_stay(slices: Slices) -> None:
    assert sorted(slices.lesions) == [1, 3, 5]
    for at in (3, 5):
        assert slices.lesions[at].shape == (SIDE, SIDE)
        # Lesions are brighter than the same lungs without them.
        assert slices.pixels[at][slices.lesions[at] > 127].mean() > 60
    assert slices.lesions[1] is OWN.lesions[1]


def test_each_is_another_patient_and_known_to_a_recipe(slices: Slices) -> None:
    assert len({row.patient_id for row in slices.rows}) == 6
    normal = find_values(slices.rows, ((SOURCE, "normal", 1.0),))
    assert normal.tolist() == [0, 0, 1, 0, 1, 0]


def test_the_same_are_drawn_again(slices: Slices) -> None:
    assert (with_drawn(OWN, 4, PLAN).pixels == slices.pixels).all()
