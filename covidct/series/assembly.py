"""The instances of one SeriesInstanceUID -> a series from feet to head, or why they are not one.

Knows which slices form a stack that can get one answer. Knows nothing of files, pixels or of other series of
the study.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass, replace

from covidct.images.dicom_header import RADIOGRAPHS
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
from covidct.series.non_slices import (
    LOCALISER,
    MIN_SLICES,
    NonSlices,
    is_localiser,
    is_same_size,
    name_derived,
    set_aside,
)
from covidct.series.passes import Pass, choose_pass
from covidct.series.types import Described, Instance, RefusedSeries, Series, name_series
from covidct.types import Note, Reason


@dataclass(frozen=True)
class Assembled:
    """A series, or why there is none, and the instances that are answered singly."""

    series: Series | RefusedSeries
    loose: tuple[Instance, ...] = ()


class _Refusal(Exception):
    """Why a series is none."""

    def __init__(self, reason: Reason, what: str):
        super().__init__(what)
        self.reason = reason


def assemble(uid: str, instances: Sequence[Described], *, notes: Sequence[Note] = ()) -> Assembled:
    """Sort the instances of a series along its normal, and say what is wrong with it, after `notes`.

    The order in which they are given does not matter. Refused series keep all instances, unsorted; those that
    make no stack (too few, or of mixed geometry) may still be slices, and are loose as well.
    """
    taken, twice = _drop_copies(sorted(instances, key=_key))
    slices, asides = set_aside(taken)
    loose = [*twice, *(item for aside in asides for item in aside.items)]
    notes = [
        *notes,
        *_count(twice, "twice", "is in it twice", "are in it twice"),
        *map(_note_aside, asides),
    ]
    try:
        _check_kind(slices)
        chosen = _choose_pass(slices)
        stack, displaced = _stack(chosen)
    except _Refusal as refusal:
        series = _to_series(uid, instances, [item.instance for item in slices], notes)
        message = f"{series.path}: series {name_series(series)}: {refusal}"
        return Assembled(RefusedSeries(series, refusal.reason, message), _instances([*loose, *slices]))
    notes += _note_pass(chosen)
    notes += _count(displaced, "displaced", "is where another is", "are where others are")
    slices = [item for _, item in chosen.slices]
    notes += find_faults(
        [item.position_mm or 0.0 for item in stack],
        thickness=slices[0].acquisition.slice_thickness_mm,
        declared=slices[0].declared_spacing_mm,
    )
    notes += _note_mixture(slices)
    return Assembled(_to_series(uid, slices, stack, notes), _instances([*loose, *chosen.rest, *displaced]))


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
        reason = Reason.RADIOGRAPH if modality in RADIOGRAPHS else Reason.NOT_CT
        raise _Refusal(reason, f"not a CT (Modality {modality}); give a CT series")
    if any(map(is_localiser, slices)):
        raise _Refusal(
            Reason.LOCALISER, "a localiser, not axial slices; give the series that it was made for"
        )
    if what := next(filter(None, map(name_derived, slices)), None):
        raise _Refusal(Reason.DERIVED, f"a projection or rendering ({what}); give the slices themselves")
    if len(slices) < MIN_SLICES:
        what = f"{len(slices)} slice{'' if len(slices) == 1 else 's'}"
        raise _Refusal(
            Reason.TOO_FEW_SLICES, f"{what}, and {MIN_SLICES} make a series; give the whole series"
        )


def _choose_pass(slices: Sequence[Described]) -> Pass:
    """One whole pass, its slices sorted from feet to head."""
    normal = _check_geometry(slices)
    places = ((find_position(item.position, normal), at, item) for at, item in enumerate(slices))
    chosen = choose_pass([(position, item) for position, _, item in sorted(places, key=lambda one: one[:2])])
    if chosen is None:
        what = "slices at the same position, and no element says which belong together"
        raise _Refusal(Reason.MIXED_GEOMETRY, f"{what}; give a series of one scan")
    return chosen


def _stack(chosen: Pass) -> tuple[list[Instance], list[Described]]:
    """Instances from feet to head, and those that lie where another does."""
    # The turn of one for all: a hair's breadth must not tell them apart.
    turn = min((item for _, item in chosen.slices), key=_key).instance.turn
    stack: list[Instance] = []
    displaced: list[Described] = []
    for position, item in chosen.slices:
        if stack and position - (stack[-1].position_mm or 0.0) < SAME_MM:
            displaced.append(item)
        else:
            stack.append(replace(item.instance, position_mm=position, turn=turn))
    if len(stack) < MIN_SLICES:
        raise _Refusal(Reason.MIXED_GEOMETRY, "slices at the same position; give a series of one scan")
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
    if other := next((item for item in slices if not is_same_size(slices[0], item)), None):
        what = " and ".join(sorted({_name_size(slices[0]), _name_size(other)}))
        raise _Refusal(
            Reason.MIXED_GEOMETRY, f"slices of different sizes or PixelSpacing ({what}); part them"
        )
    return known[0]


def _name_size(item: Described) -> str:
    acquisition = item.acquisition
    spacing = " x ".join(f"{value:g}" for value in acquisition.pixel_spacing_mm or ())
    size = f"{acquisition.rows} x {acquisition.columns}"
    return f"{size}, {spacing} mm" if spacing else size


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


def _note_aside(found: NonSlices) -> Note:
    if found.what == LOCALISER:
        return _count(found.items, "localisers", "is a localiser", "are localisers")[0]
    one, many = (f"{words} of the stack ({found.what})" for words in ("is not a slice", "are not slices"))
    (note,) = _count(found.items, "aside", one, many)
    return replace(note, values={**note.values, "what": found.what})


def _note_pass(chosen: Pass) -> list[Note]:
    what = f"{chosen.keyword} {chosen.found}"
    one, many = (f"{verb} of another pass or reconstruction ({what})" for verb in ("is", "are"))
    notes = _count(chosen.rest, "other_pass", one, many)
    return [replace(note, values={**note.values, "what": what}) for note in notes]


def _count(items: Sequence[Described], code: str, one: str, many: str) -> list[Note]:
    if not items:
        return []
    what = f"{len(items)} instances {many}: listed separately"
    if len(items) == 1:
        what = f"1 instance {one}: listed separately"
    return [Note(code, f"{what}, not counted here.", {"n": len(items)})]


def _instances(items: Iterable[Described]) -> tuple[Instance, ...]:
    return tuple(item.instance for item in items)
