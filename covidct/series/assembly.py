"""The instances of one SeriesInstanceUID -> a series from feet to head, or why it is none.

Knows what makes a stack of slices that can be answered for as one. Knows nothing of files, pixels or of other
series of the study.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass, replace

from covidct.series.geometry import (
    SAME_MM,
    are_parallel,
    find_faults,
    find_normal,
    find_position,
    find_spacing,
    is_axial,
    name_plane,
)
from covidct.series.values import Described, Instance, RefusedSeries, Series
from covidct.types import Note, Reason

LEAST = 3  # slices that make a series
_LOCALISERS = frozenset(("LOCALIZER", "SCOUT", "TOPOGRAM"))
# Values of ImageType (PS3.3 C.8.16.1.3 and vendors' own) of pictures made by calculation over many slices.
_PROJECTED = ("MIP", "MINIP", "MIN_IP", "MAX_IP", "MAXIP", "MEAN_IP", "PROJECTION", "PROJECTION IMAGE")
_RENDERED = ("VRT", "SSD", "3D", "VOLUME", "VOLUME_RENDERED", "SURFACE_RENDERED", "SUBTRACTION", "DOSE_INFO")
_DERIVED = frozenset((*_PROJECTED, *_RENDERED))
_RADIOGRAPHS = frozenset(("CR", "DX", "MG", "RF", "RG", "XA", "PX", "IO"))


@dataclass(frozen=True)
class Assembled:
    """A series or why there is none, and the instances that stand for themselves."""

    series: Series | RefusedSeries
    loose: tuple[Instance, ...] = ()


class _Refusal(Exception):
    """Why a series is none."""

    def __init__(self, reason: Reason, what: str):
        super().__init__(what)
        self.reason = reason


def assemble(uid: str, instances: Sequence[Described]) -> Assembled:
    """Sort the instances of a series along its normal, and say what is wrong with it.

    The order in which they are given does not matter. Refused series keep all instances, unsorted; those that
    make no stack (too few, or of mixed geometry) may still be slices, and are loose as well.
    """
    taken, twice = _drop_copies(sorted(instances, key=_key))
    localisers = [item for item in taken if _LOCALISERS & set(item.image_type)]
    slices = [item for item in taken if item not in localisers] or taken
    loose = [*twice, *(localisers if slices is not taken else [])]
    notes = [
        *_count(twice, "twice", "is in it twice", "are in it twice"),
        *_count(localisers, "localisers", "is a localiser", "are localisers"),
    ]
    try:
        _check_kind(slices)
        stack, displaced = _stack(slices)
    except _Refusal as refusal:
        series = _to_series(uid, instances, [item.instance for item in slices], notes)
        message = f"{series.path}: series {name_series(series)}: {refusal}"
        return Assembled(RefusedSeries(series, refusal.reason, message), _instances([*loose, *slices]))
    notes += _count(displaced, "displaced", "lies where another does", "lie where others do")
    positions = [item.position_mm or 0.0 for item in stack]
    first = slices[0]
    notes += find_faults(
        positions, thickness=first.acquisition.slice_thickness_mm, declared=first.declared_spacing_mm
    )
    notes += _note_mixture(slices)
    return Assembled(_to_series(uid, instances, stack, notes), _instances([*loose, *displaced]))


def name_series(series: Series) -> str:
    """What people call a series: its number and description, where it has them."""
    number, description = series.acquisition.series_number, series.acquisition.series_description
    parts = ["" if number is None else str(number), repr(description) if description else ""]
    return " ".join(part for part in parts if part) or series.uid


def _key(item: Described) -> tuple[object, ...]:
    """An order that does not depend on the names of files, as far as the objects go.

    Of copies the largest comes first, and is the one that counts: one that was cut off is smaller.
    """
    uid, frame = item.instance.sop_instance_uid or "", item.instance.frame or 0
    return (*item.order, uid, frame, item.position, -item.size)


def _drop_copies(instances: Sequence[Described]) -> tuple[list[Described], list[Described]]:
    """Part instances into those to keep and exact copies: one SOPInstanceUID, frame and place."""
    seen: set[Hashable] = set()
    kept: list[Described] = []
    twice: list[Described] = []
    for item in instances:
        identity = (item.instance.sop_instance_uid, item.instance.frame, item.position)
        copy = bool(item.instance.sop_instance_uid and item.position) and identity in seen
        (twice if copy else kept).append(item)
        seen.add(identity)
    return kept, twice


def _check_kind(slices: Sequence[Described]) -> None:
    """Raise where the headers say that these are no slices of a CT."""
    modalities = {item.acquisition.modality for item in slices} - {"CT", None}
    if modalities:
        modality = sorted(map(str, modalities))[0]
        reason = Reason.RADIOGRAPH if modality in _RADIOGRAPHS else Reason.NOT_CT
        raise _Refusal(reason, f"not a CT (Modality {modality}); give a CT series")
    types = {value for item in slices for value in item.image_type}
    if types & _LOCALISERS:
        raise _Refusal(Reason.LOCALISER, "a localiser, no axial slices; give the series it was made for")
    if types & _DERIVED:
        what = ", ".join(sorted(types & _DERIVED))
        raise _Refusal(
            Reason.DERIVED, f"a projection or rendering (ImageType {what}); give the slices themselves"
        )
    if len(slices) < LEAST:
        what = f"{len(slices)} slice{'' if len(slices) == 1 else 's'}"
        raise _Refusal(Reason.TOO_FEW_SLICES, f"{what}, and {LEAST} make a series; give the whole series")


def _stack(slices: Sequence[Described]) -> tuple[list[Instance], list[Described]]:
    """Instances sorted from feet to head, and those that lie where another does."""
    normal = _check_geometry(slices)
    placed = sorted(
        ((find_position(item.position, normal), at, item) for at, item in enumerate(slices)),
        key=lambda place: place[:2],
    )
    stack: list[Instance] = []
    displaced: list[Described] = []
    for position, _, item in placed:
        if stack and position - (stack[-1].position_mm or 0.0) < SAME_MM:
            displaced.append(item)
        else:
            # The turn of the first for all: a hair's breadth must not tell them apart.
            stack.append(replace(item.instance, position_mm=position, turn=slices[0].instance.turn))
    if len(stack) < LEAST:
        raise _Refusal(Reason.MIXED_GEOMETRY, "slices that lie in the same place; give a series of one scan")
    return stack, displaced


def _check_geometry(slices: Sequence[Described]) -> tuple[float, float, float]:
    """The common normal. Raises where there is none."""
    normals = [find_normal(item.orientation) if item.orientation else None for item in slices]
    known = [normal for normal in normals if normal is not None]
    if len(known) < len(slices) or not all(item.position for item in slices):
        what = "slices without ImagePositionPatient or ImageOrientationPatient; their order is not known"
        raise _Refusal(Reason.MIXED_GEOMETRY, what)
    if not all(are_parallel(known[0], normal) for normal in known):
        raise _Refusal(
            Reason.MIXED_GEOMETRY, "slices of different orientations; give them as series of their own"
        )
    if not is_axial(known[0]):
        raise _Refusal(Reason.NOT_AXIAL, f"{name_plane(known[0])} slices; give the axial series")
    shapes = {_shape(item) for item in slices}
    if len(shapes) > 1:
        what = " and ".join(sorted(f"{rows} x {columns}" for rows, columns, *_ in shapes)[:2])
        raise _Refusal(
            Reason.MIXED_GEOMETRY, f"slices of different sizes or PixelSpacing ({what}); part them"
        )
    return known[0]


def _shape(item: Described) -> tuple[int | None, int | None, *tuple[float, ...]]:
    spacing = item.acquisition.pixel_spacing_mm or ()
    return item.acquisition.rows, item.acquisition.columns, *(round(value, 2) for value in spacing)


def _to_series(
    uid: str, instances: Sequence[Described], stack: Sequence[Instance], notes: Sequence[Note]
) -> Series:
    first = min(instances, key=_key)
    positions = [item.position_mm for item in stack if item.position_mm is not None]
    acquisition = replace(first.acquisition, spacing_mm=find_spacing(positions))
    return Series(uid, first.given, acquisition, tuple(stack), tuple(notes))


def _note_mixture(slices: Sequence[Described]) -> list[Note]:
    """Notes on what should be one value in a series and is several."""
    asked: tuple[tuple[str, Callable[[Described], object]], ...] = (
        ("SliceThickness", lambda item: item.acquisition.slice_thickness_mm),
        ("ConvolutionKernel", lambda item: item.acquisition.kernel),
        ("StudyInstanceUID", lambda item: item.acquisition.study_uid),
    )
    notes = []
    for keyword, get in asked:
        values = Counter(_tell(get(item)) for item in slices)
        if len(values) > 1:
            found = ", ".join(sorted(values)[:3])
            notes.append(Note("varies", f"{keyword} varies: {found}.", {"keyword": keyword, "found": found}))
    return notes


def _tell(value: object) -> str:
    """A value of a header, in no language."""
    return "\N{EN DASH}" if value is None else f"{value:g}" if isinstance(value, float) else str(value)


def _count(items: Sequence[Described], code: str, one: str, many: str) -> list[Note]:
    if not items:
        return []
    what = f"{len(items)} instances {many}: listed on their own"
    if len(items) == 1:
        what = f"1 instance {one}: listed on its own"
    return [Note(code, f"{what}, not counted here.", {"n": len(items)})]


def _instances(items: Iterable[Described]) -> tuple[Instance, ...]:
    return tuple(item.instance for item in items)
