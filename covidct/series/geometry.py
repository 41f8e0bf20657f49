"""Planes in space -> a stack from feet to head, and what is wrong with it.

Knows vectors in the coordinates of DICOM (PS3.3 C.7.6.2.1.1): millimetres, x to the left, y to the back, z
to the head. Knows nothing of files or pixels.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from covidct.types import Note

# The greatest angle to the normal of the first slice, in degrees, and between normal and z.
ASKEW, OBLIQUE = 1.0, 40.0
SAME_MM = 0.01  # two slices closer than this lie in one place
GAP = 1.5  # of the usual distance
UNEVEN = 1.1


def find_normal(orientation: Sequence[float]) -> tuple[float, float, float] | None:
    """The unit normal of a plane, towards the head; None where the six values make no plane."""
    # (numpy's own `cross` takes five times as long for two vectors.)
    a, b, c, d, e, f = map(float, orientation)
    x, y, z = b * f - c * e, c * d - a * f, a * e - b * d
    if not (length := float(np.linalg.norm((x, y, z)))) > 0.5:
        return None
    # An axial plane's normal points along z; else the sign matters to nobody.
    length = length if z >= 0 else -length
    return x / length, y / length, z / length


def find_position(position: Sequence[float], normal: Sequence[float]) -> float:
    """The position of a plane along the normal, in mm."""
    return float(np.dot(np.asarray(position, float), np.asarray(normal, float)))


def are_parallel(one: Sequence[float], other: Sequence[float]) -> bool:
    """Whether two normals differ by ASKEW degrees at most."""
    return abs(float(np.dot(one, other))) >= math.cos(math.radians(ASKEW))


def is_axial(normal: Sequence[float]) -> bool:
    """Whether a plane is axial; a tilted gantry (up to 30 degrees) is."""
    return abs(normal[2]) >= math.cos(math.radians(OBLIQUE))


def name_plane(normal: Sequence[float]) -> str:
    """What a plane that is not axial is called."""
    return "coronal" if abs(normal[1]) > abs(normal[0]) else "sagittal"


def find_spacing(positions: Sequence[float]) -> float | None:
    """The usual distance of neighbours in mm; `positions` are sorted. None for fewer than two."""
    return float(np.median(np.diff(positions))) if len(positions) > 1 else None


def find_faults(
    positions: Sequence[float], *, thickness: float | None, declared: float | None
) -> tuple[Note, ...]:
    """Notes on missing slices: single gaps, regular gaps, varying distances.

    `positions` are sorted and distinct, in mm; `declared` is the spacing that the header gives.
    """
    if (usual := find_spacing(positions)) is None:
        return ()
    return (*_regular(usual, thickness, declared), *_irregular(positions, usual))


def _regular(usual: float, thickness: float | None, declared: float | None) -> list[Note]:
    """Gaps between all slices: some were left out, or the scanner never took them."""
    if declared and usual > GAP * declared:
        share = round(100 * (1 - declared / usual))
        text = (
            f"Regular gaps: slices lie {usual:.4g} mm apart, and the DICOM header gives a spacing of "
            f"{declared:.4g} mm; about {share} % of the slices are missing."
        )
        values = {"usual": _round(usual), "declared": _round(declared), "share": share}
        return [Note("regular_gaps_declared", text, values)]
    if thickness and usual > GAP * thickness:
        share = round(100 * (1 - thickness / usual))
        text = (
            f"Regular gaps: slices of {thickness:.4g} mm lie {usual:.4g} mm apart; "
            f"{share} % of the lungs is not seen."
        )
        values = {"usual": _round(usual), "thickness": _round(thickness), "share": share}
        return [Note("regular_gaps", text, values)]
    return []


def _irregular(positions: Sequence[float], usual: float) -> list[Note]:
    steps = list(pairwise(positions))
    gaps = [(low, high) for low, high in steps if high - low > GAP * usual]
    notes = [_note_gaps(gaps, usual)] if gaps else []
    rest = [high - low for low, high in steps if high - low <= GAP * usual]
    if rest and max(rest) > UNEVEN * min(rest) and max(rest) - min(rest) > 2 * SAME_MM:
        text = f"Distances of neighbouring slices vary from {min(rest):.4g} to {max(rest):.4g} mm."
        notes.append(Note("uneven", text, {"min": _round(min(rest)), "max": _round(max(rest))}))
    return notes


def _note_gaps(gaps: Sequence[tuple[float, float]], usual: float) -> Note:
    places = ", ".join(f"{low:.1f} to {high:.1f}" for low, high in gaps[:3])
    more = f" and {len(gaps) - 3} more" if len(gaps) > 3 else ""
    lacking = sum(round((high - low) / usual) - 1 for low, high in gaps)
    text = (
        f"Gaps: about {lacking} slice{'' if lacking == 1 else 's'} missing at {places} mm{more}, "
        f"where {usual:.4g} mm is usual."
    )
    signs = ", ".join(f"{low:.1f} \N{RIGHTWARDS ARROW} {high:.1f}" for low, high in gaps[:3])
    shown = f"{signs} \N{HORIZONTAL ELLIPSIS}" if more else signs
    return Note("gaps", text, {"n": lacking, "places": shown, "usual": _round(usual)})


def _round(value: float) -> float:
    """To four digits, as it is reported."""
    return float(f"{value:.4g}")
