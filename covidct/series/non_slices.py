"""The instances of a series -> those that may be slices of its stack, and those that clearly are not.

An object of another kind must not get a series refused: scouts, dose reports, plans and pictures of the
screen share the SeriesInstanceUID of slices. Knows headers. Knows nothing of order or of pixels.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from covidct.images.image_type import find_derived, find_localiser
from covidct.series.geometry import are_parallel, find_normal, find_position, is_axial
from covidct.series.types import Described

MIN_SLICES = 3  # slices that make a series
LOCALISER = "localiser"
SAME_SPACING = 1e-3  # relative
FAR = 10  # usual distances, and ...
FAR_MM = 50.0  # ... so many mm at least: what lies farther from the stack than both is no slice of it


@dataclass(frozen=True)
class NonSlices:
    """Instances that are not slices of the stack; `what` is the keyword of the element that says so."""

    what: str
    items: tuple[Described, ...]


def set_aside(instances: Sequence[Described]) -> tuple[list[Described], list[NonSlices]]:
    """Separate slices from other instances; all count as slices if none would be left."""
    # Here, not above: who reads pictures shall not pay for importing pydicom.
    from covidct.images.dicom_header import CT_CLASSES

    kept, asides = list(instances), list[NonSlices]()
    tests: tuple[tuple[str, Callable[[list[Described]], list[Described]]], ...] = (
        ("Modality", _of(lambda item: item.acquisition.modality in ("CT", None))),
        ("SOPClassUID", _of(lambda item: item.instance.sop_class_uid in (None, *CT_CLASSES))),
        (LOCALISER, _of(lambda item: not is_localiser(item))),
        ("ImageType", _of(lambda item: not name_derived(item))),
        ("ImagePositionPatient", _placed),
        ("ImageOrientationPatient", _alike_in_orientation),
        ("Rows", _alike_in_size),
        ("ImagePositionPatient", _near),
    )
    for what, keep in tests:
        left = keep(kept)
        if left and len(left) < len(kept):
            stay = set(map(id, left))
            asides.append(NonSlices(what, tuple(item for item in kept if id(item) not in stay)))
            kept = left
    return kept, asides


def is_localiser(item: Described) -> bool:
    """Whether an instance is a localiser, as its ImageType says."""
    return find_localiser(item.image_type) is not None


def name_derived(item: Described) -> str | None:
    """What says that an instance is a projection or rendering; None where nothing does."""
    return find_derived(item.image_type, item.acquisition.series_description or "")


def is_same_size(one: Described, other: Described) -> bool:
    """Whether two slices have the same pixels: number, and size within a thousandth where both say it."""
    first, second = one.acquisition, other.acquisition
    if (first.rows, first.columns) != (second.rows, second.columns):
        return False
    pairs = zip(first.pixel_spacing_mm or (), second.pixel_spacing_mm or (), strict=False)
    return all(abs(a - b) <= SAME_SPACING * max(abs(a), abs(b)) for a, b in pairs)


def _of(is_kept: Callable[[Described], bool]) -> Callable[[list[Described]], list[Described]]:
    return lambda items: [item for item in items if is_kept(item)]


def _placed(items: list[Described]) -> list[Described]:
    """Those that say where they lie, where they are the most."""
    return _most(items, [item for item in items if item.position and _normal(item)])


def _alike_in_orientation(items: list[Described]) -> list[Described]:
    """The axial ones, and of these the most that are parallel."""
    normals = {id(item): normal for item in items if (normal := _normal(item))}
    if len(normals) < len(items):
        return items
    axial = [item for item in items if is_axial(normals[id(item)])]
    some = axial if len(axial) >= MIN_SLICES else items
    return _most_alike(some, lambda one, other: are_parallel(normals[id(one)], normals[id(other)]))


def _alike_in_size(items: list[Described]) -> list[Described]:
    return _most_alike(items, is_same_size)


def _near(items: list[Described]) -> list[Described]:
    """All but the few that lie far from the others, such as a slice for the timing of contrast."""
    normal = _normal(items[0])
    if normal is None or not all(item.position for item in items):
        return items
    placed = sorted(((find_position(item.position, normal), at) for at, item in enumerate(items)))
    steps = [after - before for (before, _), (after, _) in pairwise(placed)]
    real = [step for step in steps if step > 0]
    far = max(FAR * float(np.median(real)), FAR_MM) if real else 0.0
    groups = [[placed[0][1]]] if placed else []
    for step, (_, at) in zip(steps, placed[1:], strict=True):
        if step > far > 0:
            groups.append([])
        groups[-1].append(at)
    largest = sorted(max(groups, key=lambda group: len(list(group))))
    few = len(items) - len(largest)
    return (
        [items[at] for at in largest] if few * 10 <= len(items) or few < MIN_SLICES <= len(largest) else items
    )


def _most_alike(items: list[Described], are_alike: Callable[[Described, Described], bool]) -> list[Described]:
    """The group of those like each other that is more than half of all; all where there is none."""
    for item in items[: len(items) // 2 + 1]:
        alike = [other for other in items if are_alike(item, other)]
        if 2 * len(alike) > len(items):
            return _most(items, alike)
    return items


def _most(items: list[Described], some: list[Described]) -> list[Described]:
    return some if len(some) >= MIN_SLICES and 2 * len(some) > len(items) else items


def _normal(item: Described) -> tuple[float, float, float] | None:
    return find_normal(item.orientation) if item.orientation else None
