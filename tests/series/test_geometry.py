from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from covidct.series.geometry import (
    are_parallel,
    find_faults,
    find_normal,
    find_position,
    find_spacing,
    is_axial,
    name_plane,
)

AXIAL = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)


def tilted(degrees: float) -> tuple[float, ...]:
    angle = math.radians(degrees)
    return (1.0, 0.0, 0.0, 0.0, math.cos(angle), math.sin(angle))


@pytest.mark.parametrize("orientation", [AXIAL, (-1, 0, 0, 0, 1, 0), (0, 1, 0, 1, 0, 0)])
def test_the_normal_points_to_the_head(orientation: tuple[float, ...]) -> None:
    assert find_normal(orientation) == pytest.approx((0, 0, 1))


@pytest.mark.parametrize("orientation", [(0,) * 6, (1, 0, 0, 1, 0, 0)])
def test_no_plane_has_no_normal(orientation: tuple[float, ...]) -> None:
    assert find_normal(orientation) is None


@given(st.floats(-39, 39), st.floats(-500, 500))
def test_positions_lie_along_the_normal(degrees: float, along: float) -> None:
    normal = find_normal(tilted(degrees))
    assert normal is not None
    assert is_axial(normal)
    assert find_position([value * along for value in normal], normal) == pytest.approx(along, abs=1e-6)


def test_planes_have_names() -> None:
    for orientation, name in (((1, 0, 0, 0, 0, -1), "coronal"), ((0, 1, 0, 0, 0, -1), "sagittal")):
        normal = find_normal(orientation)
        assert normal is not None
        assert not is_axial(normal)
        assert name_plane(normal) == name


@pytest.mark.parametrize(("degrees", "same"), [(0.5, True), (2, False)])
def test_parallel(degrees: float, same: bool) -> None:
    one, other = find_normal(AXIAL), find_normal(tilted(degrees))
    assert one is not None
    assert other is not None
    assert are_parallel(one, other) is same


def faults(*positions: float, thickness: float | None = 5, declared: float | None = None) -> tuple[str, ...]:
    notes = find_faults(positions, thickness=thickness, declared=declared)
    return tuple(note.text for note in notes)


def test_a_sound_stack_has_no_faults() -> None:
    assert faults(0, 5, 10, 15.001, 20) == ()
    assert faults(0, 2.5, 5, 7.5) == ()  # slices that overlap
    assert faults(0) == ()
    assert find_spacing([0.0]) is None


def test_a_gap_is_told_with_its_place() -> None:
    (note,) = faults(0, 5, 10, 25, 30, 35)
    assert note == "Gaps: about 2 slices missing at 10.0 to 25.0 mm, where 5 mm is usual."


def test_many_gaps_are_counted() -> None:
    (note,) = faults(*(at for at in range(0, 200, 5) if at % 30 != 20))
    assert "and 3 more" in note


def test_regular_gaps_are_told() -> None:
    (note,) = faults(0, 20, 40, 60, declared=5)
    assert "about 75 % of the slices are missing" in note
    (note,) = faults(0, 10, 20, 30, thickness=1)
    assert "90 % of the lungs is not seen" in note


def test_varying_distances_are_told() -> None:
    (note,) = faults(0, 5, 11, 16, 20)
    assert note == "Distances of neighbouring slices vary from 4 to 6 mm."
