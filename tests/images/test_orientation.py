from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from covidct.images.orientation import find_turn, turn, turn_back, turn_box_back
from covidct.types import UPRIGHT, Turn

TURNS = [Turn(*flags) for flags in product((False, True), repeat=3)]
PICTURE = np.arange(12).reshape(3, 4)


@pytest.mark.parametrize("by", TURNS)
def test_turning_back_undoes_turning(by: Turn) -> None:
    assert_array_equal(turn_back(turn(PICTURE, by), by), PICTURE)


@pytest.mark.parametrize("by", TURNS)
def test_a_box_turns_back_with_its_pixels(by: Turn) -> None:
    stored = np.zeros((8, 4), bool)
    usual = turn(stored, by)
    height, width = usual.shape
    usual = usual.copy()
    usual[: height // 4, : width // 2] = True
    left, top, right, bottom = turn_box_back((0, 0, 0.5, 0.25), by)
    expected = np.zeros_like(stored)
    expected[round(8 * top) : round(8 * bottom), round(4 * left) : round(4 * right)] = True
    assert_array_equal(turn_back(usual, by), expected)


def stored_as(orientation: list[float]) -> np.ndarray[tuple[int, ...], np.dtype[np.int64]]:
    """A picture whose pixel at (row, column) shows the point there, of a body numbered 10 y + x."""
    row, column = np.array(orientation[:3]), np.array(orientation[3:])
    corner = -np.minimum(3 * row, 0) - np.minimum(3 * column, 0)
    points = [[corner + c * row + r * column for c in range(4)] for r in range(4)]
    return np.array([[round(10 * y + x) for x, y, _ in line] for line in points])


@pytest.mark.parametrize(
    "orientation",
    [
        [*a, 0, *b, 0]
        for a, b in product([(1, 0), (-1, 0), (0, 1), (0, -1)], repeat=2)
        if abs(a[0]) != abs(b[0])
    ],
)
def test_every_quarter_turn_is_found(orientation: list[float]) -> None:
    upright = stored_as([1, 0, 0, 0, 1, 0])
    assert_array_equal(turn(stored_as(orientation), find_turn(orientation)), upright)


@pytest.mark.parametrize(
    "orientation", [[1, 0, 0, 0, 1, 0], [1, 0, 0, 0, 0.9, -0.43], [0.99, 0.1, 0, -0.1, 0.99, 0]]
)
def test_a_tilted_gantry_is_upright(orientation: list[float]) -> None:
    assert find_turn(orientation) == UPRIGHT
