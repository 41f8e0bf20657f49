"""The slices of a series that hold several reconstructions or passes -> one of them, whole.

One SeriesInstanceUID may cover two kernels, two breath-holds, phases of contrast or of the heart. If their
positions repeat or interleave, one pass is read; passes are never mixed. Knows the elements that separate
passes. Knows nothing of pixels.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

from covidct.series.geometry import SAME_MM
from covidct.series.kernels import is_for_bones, is_for_lungs
from covidct.series.non_slices import MIN_SLICES
from covidct.series.types import Described

# What tells passes apart, first to last (PS3.3 C.7.4.1, C.7.6.1, C.7.6.18, C.8.2.1).
INTERLEAVED = (
    "FrameOfReferenceUID",
    "ConvolutionKernel",
    "AcquisitionNumber",
    "ImageType",
    "EchoNumbers",
    "TemporalPositionIdentifier",
    "NominalPercentageOfCardiacPhase",
)
# These vary within one pass, too: they count only where places repeat.
REPEATED = (
    "SliceThickness",
    "TriggerTime",
    "ContrastBolusAgent",
    "KVP",
    "AcquisitionDateTime",
    "AcquisitionTime",
)
MARKS = (*INTERLEAVED, *REPEATED)
_NEARLY_AS_MANY = 0.8
FEW = 0.1  # of the slices: so many may be where others are, as copies under new UIDs, and be left out
_BY_NUMBER = "InstanceNumber"

# A slice, and where it lies along the normal of its series, in mm.
Placed = tuple[float, Described]


@dataclass(frozen=True)
class Pass:
    """One whole pass: `slices` to read; `rest` are of others, where `keyword` has the values `found`."""

    slices: list[Placed]
    rest: tuple[Described, ...] = ()
    keyword: str = ""
    found: str = ""


def choose_pass(placed: Sequence[Placed]) -> Pass | None:
    """One of the passes in a series, `placed` from feet to head; all slices if there is only one pass.

    None if positions repeat and nothing says which slices belong together.
    """
    chosen = Pass(list(placed))
    while (parts := _divide(chosen.slices)) is not None:
        keyword, groups = parts
        best = min(groups, key=lambda value: _rank(groups, value))
        rest = tuple(item for value, group in groups.items() if value != best for _, item in group)
        found = ", ".join(sorted(value or "\N{EN DASH}" for value in groups if value != best)[:3])
        chosen = Pass(groups[best], (*chosen.rest, *rest), chosen.keyword or keyword, chosen.found or found)
    repeated = _count_repeats(chosen.slices)
    return None if repeated >= MIN_SLICES and repeated > FEW * len(chosen.slices) else chosen


def _divide(placed: list[Placed]) -> tuple[str, dict[str, list[Placed]]] | None:
    """The first mark that tells passes apart, and the slices by its value; None where there is one pass."""
    repeats = _count_repeats(placed)
    for keyword in MARKS if repeats else INTERLEAVED:
        groups = _group(placed, [item.marks.get(keyword, "") for _, item in placed])
        if _are_passes(keyword, groups, repeats=repeats):
            return keyword, groups
    counted = _by_number(placed) if repeats else None
    return (_BY_NUMBER, counted) if counted else None


def _group(placed: Sequence[Placed], values: Sequence[str]) -> dict[str, list[Placed]]:
    groups: dict[str, list[Placed]] = defaultdict(list)
    for place, value in zip(placed, values, strict=True):
        groups[value].append(place)
    return dict(groups)


def _are_passes(keyword: str, groups: dict[str, list[Placed]], *, repeats: int) -> bool:
    """Whether the parts of a series are passes of it, and not stretches of one."""
    largest = max(map(len, groups.values()))
    if len(groups) < 2 or largest < MIN_SLICES:
        return False
    if repeats:
        return sum(map(_count_repeats, groups.values())) < repeats
    several = [group for group in groups.values() if len(group) > 1]
    if keyword == "FrameOfReferenceUID":  # places in two of them cannot be compared
        return len(several) > 1
    return any(_overlap(one, other) for one, other in combinations(several, 2))


def _overlap(one: Sequence[Placed], other: Sequence[Placed]) -> bool:
    """Whether the shorter of two stretches, each from feet to head, lies by more than half in the other."""
    common = min(one[-1][0], other[-1][0]) - max(one[0][0], other[0][0])
    return common > min(one[-1][0] - one[0][0], other[-1][0] - other[0][0]) / 2 > 0


def _by_number(placed: list[Placed]) -> dict[str, list[Placed]] | None:
    """Passes as InstanceNumber counts them: the first at each place, the second at each ...

    None where numbers are missing or stand twice, or where places have not as many slices each.
    """
    numbers = [item.order for _, item in placed]
    places = _number_places(placed)
    counts = Counter(places)
    if len(set(numbers)) < len(numbers) or len(set(counts.values())) > 1 or len(counts) < MIN_SLICES:
        return None
    met: Counter[int] = Counter()
    ranks: dict[int, int] = {}
    for at in sorted(range(len(placed)), key=lambda at: numbers[at]):
        met[places[at]] += 1
        ranks[at] = met[places[at]]
    return _group(placed, [str(ranks[at]) for at in range(len(placed))])


def _count_repeats(placed: Sequence[Placed]) -> int:
    """How many slices lie where another does."""
    return len(placed) - len(set(_number_places(placed)))


def _number_places(placed: Sequence[Placed]) -> list[int]:
    """Numbers of the places that slices, from feet to head, lie in; slices closer than SAME_MM share one."""
    numbers: list[int] = []
    start = -math.inf
    for position, _ in placed:
        if position - start >= SAME_MM:
            start = position
            numbers.append(numbers[-1] + 1 if numbers else 0)
        else:
            numbers.append(numbers[-1])
    return numbers


def _rank(groups: dict[str, list[Placed]], value: str) -> tuple[object, ...]:
    """What passes are sorted by: whole ones first, then as `selection` sorts series, then in time."""
    items = [item for _, item in groups[value]]
    kernel = items[0].acquisition.kernel or ""
    fewer = len(items) < _NEARLY_AS_MANY * max(map(len, groups.values()))
    order = min(item.order for item in items)
    return fewer, is_for_bones(kernel), not is_for_lungs(kernel), order, value
