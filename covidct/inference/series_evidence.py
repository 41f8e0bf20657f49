"""What the slices of a series say together, before calibration: three numbers like a slice's, and extent.

A logit of the series is that of its k-th highest slice, k a tenth of the slices answered and at least three:
what a tenth of the lung reaches. So neither the order of slices nor their number moves it, and fewer false
slices than k, however sure, change nothing. How typical it looks is averaged over what is opaque, and the
extent over the lungs. Knows only the arithmetic, which answers and calibration share.
"""

from __future__ import annotations

from collections.abc import Sequence

from covidct.types import Opacity

SHARE = 10  # one slice in so many
MIN_ANSWERED = 3


def rank_of(answered: int) -> int:
    """Which of the answered slices represents the series; the highest is 1."""
    return max(MIN_ANSWERED, -(-answered // SHARE))


def find_ranked(values: Sequence[float]) -> float:
    """The value of rank `rank_of` of at least MIN_ANSWERED ones. Raises ValueError for fewer.

    Does not depend on their order, and does not fall when one of them rises.
    """
    if len(values) < MIN_ANSWERED:
        raise ValueError(f"{len(values)} slices, but {MIN_ANSWERED} are needed")
    return sorted(values, reverse=True)[rank_of(len(values)) - 1]


def join_opacities(slices: Sequence[Opacity]) -> Opacity:
    """The opacity of a series, not calibrated, from those of its answered slices (at least MIN_ANSWERED).

    Slices are assumed to be equally spaced, so areas of lung add up to its volume.
    """
    lungs = [one.lung for one in slices]
    opaque = [one.extent * one.lung for one in slices]
    return Opacity(
        logit=find_ranked([one.logit for one in slices]),
        typical=_average([one.typical for one in slices], opaque),
        extent=_average([one.extent for one in slices], lungs),
        lung=sum(lungs) / len(lungs),
    )


def _average(values: Sequence[float], weights: Sequence[float]) -> float:
    """The weighted mean; the plain one where nothing weighs."""
    if not (total := sum(weights)):
        return sum(values) / len(values)
    return sum(value * weight for value, weight in zip(values, weights, strict=True)) / total
