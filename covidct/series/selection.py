"""Which series of a study to read, where several could be.

The rule, first to last: what names the chest before what names nothing, and that before what names another
part of the body; slices of 1 to 5 mm before others, since thinner ones are noise and thicker ones blur
lesions away; a lung or soft kernel before one for bones; then the thinnest; then lung before soft; then the
most slices. Knows what headers say, which may be wrong: the gate looks at the pixels.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable

from covidct.series.assembly import name_series
from covidct.series.values import RefusedSeries, Series
from covidct.types import Reason

FINEST_MM, COARSEST_MM = 1.0, 5.0
_CHEST = re.compile(r"chest|thorax|lung|pulmo|torax|poumon|brust", re.IGNORECASE)
_ELSEWHERE = re.compile(
    r"head|brain|skull|neck|abd|pelvis|spine|knee|foot|ankle|hip|shoulder|hand|wrist|elbow|leg|cardi|heart|coronar",
    re.IGNORECASE,
)
# Kernels as vendors call them: Siemens B60f, Bl57, Br64; Canon FC51; Philips YC, L; GE LUNG. And for bones:
# GE BONE, BONEPLUS; Siemens Hr; Philips YD, D; Canon FC30.
_LUNG = re.compile(r"lung|^(b[67]\d|bl\d\d|br[67]\d|bv[67]\d|fc5\d|fc8\d|yc|yb|l$)", re.IGNORECASE)
_BONE = re.compile(r"bone|^(fc3\d|hr|ub|yd|d$)", re.IGNORECASE)


def choose(series: Iterable[Series]) -> tuple[list[Series], list[RefusedSeries]]:
    """One series of each study, in the order in which studies come, and the others with the reason why not.

    A series that names no study is one of its own.
    """
    studies: dict[str, list[Series]] = defaultdict(list)
    for item in series:
        studies[item.acquisition.study_uid or item.uid].append(item)
    chosen: list[Series] = []
    others: list[RefusedSeries] = []
    for candidates in studies.values():
        best, *rest = sorted(candidates, key=to_rank)
        chosen.append(best)
        others += [_refuse(item, best) for item in rest]
    return chosen, others


def to_rank(series: Series) -> tuple[int, bool, bool, float, bool, int, str]:
    """What series of a study are sorted by, the first of them to be read."""
    acquisition = series.acquisition
    thickness = acquisition.slice_thickness_mm or acquisition.spacing_mm or COARSEST_MM
    kernel = acquisition.kernel or acquisition.series_description or ""
    return (
        _body(series),
        not FINEST_MM <= thickness <= COARSEST_MM,
        bool(_BONE.search(kernel)),
        thickness,
        not _LUNG.search(kernel),
        -len(series.instances),
        series.uid,
    )


def _body(series: Series) -> int:
    """0 for the chest, 1 where nothing is named, 2 for another part of the body."""
    acquisition = series.acquisition
    for named in (acquisition.body_part, acquisition.series_description, acquisition.study_description):
        if named and _CHEST.search(named):
            return 0
    parts = (acquisition.body_part, acquisition.series_description)
    return 2 if any(named and _ELSEWHERE.search(named) for named in parts) else 1


_WHY = (
    "it names the chest",
    f"its slices are {FINEST_MM:g} to {COARSEST_MM:g} mm thick",
    "its kernel is not one for bones",
    "its slices are thinner",
    "its kernel is one for lungs",
    "it has more slices",
    "its SeriesInstanceUID comes first, all else being the same",
)


def _refuse(series: Series, best: Series) -> RefusedSeries:
    pairs = zip(_WHY, to_rank(series), to_rank(best), strict=True)
    why = next(sentence for sentence, own, other in pairs if own != other)
    message = (
        f"{series.path}: series {name_series(series)}: not read, but series {name_series(best)} of the same "
        f"study: {why}; --all-series reads both"
    )
    return RefusedSeries(series, Reason.NOT_CHOSEN, message)
