from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from covidct.results.contact_sheet import CAPTION, EDGE, SIDE, Tile, draw_contact_sheet


def tile(height: int = 32, width: int = 32, **options: object) -> Tile:
    return Tile(np.full((height, width), 200, np.uint8), "slice 1 of 1", **options)  # type: ignore[arg-type]


@settings(max_examples=20, deadline=None)
@given(count=st.integers(0, 7), height=st.integers(1, 80), width=st.integers(1, 80))
def test_any_number_of_slices_of_any_shape(count: int, height: int, width: int) -> None:
    drawn = draw_contact_sheet([tile(height, width)] * count, title=["An answer"], footer="For research.")
    assert drawn.dtype == np.uint8
    assert drawn.shape[2] == 3
    columns = max(min(count, 3), 2)
    assert drawn.shape[1] == columns * (SIDE + EDGE) + EDGE
    assert drawn.shape[0] > -(-count // columns) * (SIDE + CAPTION)


def test_a_second_line_of_text_has_room_of_its_own() -> None:
    one = draw_contact_sheet([tile()], title=["a"], footer="")
    two = draw_contact_sheet([replace(tile(), caption="slice 1 of 1\nno opacity")], title=["a"], footer="")
    more = two.shape[0] - one.shape[0]
    assert more > 0
    # Nothing is written over: what comes after the first line is lower by as much.
    assert np.array_equal(one[: EDGE + SIDE], two[: EDGE + SIDE])


def test_slices_keep_their_shape() -> None:
    drawn = draw_contact_sheet([tile(32, 16)], title=["An answer"], footer="")
    bright = drawn[..., 0] == 200
    rows, columns = bright.sum(0).max(), bright.sum(1).max()
    assert rows == pytest.approx(SIDE, abs=2)
    assert columns == pytest.approx(SIDE / 2, abs=2)


def test_evidence_is_coloured_and_its_lack_is_grey() -> None:
    plain = draw_contact_sheet([tile()], title=["a"], footer="")
    warm = draw_contact_sheet([tile(evidence=np.full((4, 4), 8, np.float32))], title=["a"], footer="")
    assert np.ptp(plain.astype(int), axis=2).max() == 0
    assert np.ptp(warm.astype(int), axis=2).max() > 40


def test_long_lines_are_broken_not_cut() -> None:
    short = draw_contact_sheet([tile()], title=["word"], footer="")
    long = draw_contact_sheet([tile()], title=["word " * 60], footer="")
    assert long.shape[0] > short.shape[0]
    assert long.shape[1] == short.shape[1]
