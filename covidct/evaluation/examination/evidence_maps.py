"""The evidence maps of slices with masks, together: pointing, overlap, and what shuffled weights do to them.

Knows maps and what `pointing` measures of one. The check with shuffled weights: Adebayo et al., "Sanity
Checks for Saliency Maps" (NeurIPS 2018): a map that stays as it was shows the slice, not what the network
learned.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import spearmanr

from covidct.evaluation.examination.examined_slice import ExaminedSlice
from covidct.evaluation.examination.graph_surgery import count_layers, shuffle_weights
from covidct.evaluation.examination.pointing import (
    Guess,
    Inside,
    Pointing,
    guess,
    has_place,
    measure_inside,
    measure_pointing,
    to_cells,
)
from covidct.inference.session import Session
from covidct.stats.means import estimate_mean, estimate_share
from covidct.types import Box, Estimate, Evidence

POINTING_TARGET, INSIDE_TARGET = 0.80, 0.90
# What is shuffled, from the evidence backwards: shares of the layers.
DEPTHS = {"last layer": 1e-9, "second half": 0.5, "all layers": 1.0}
DRAWS = 5  # disorders, over which the figures are means
MIN_CELLS = 5  # of lung: fewer have no order worth comparing
POINTINGS = ("hit", "near", "iou", "auc")
GUESSES = ("hit", "near", "depth_hit", "depth_near", "iou")
NO_PLACE = "not applicable: a map of one cell has no positions"


@dataclass(frozen=True)
class Shuffled:
    """One slice's maps with weights shuffled, means over disorders; None where there is nothing to say.

    `correlation` is the rank correlation with the trained map, in [-1, 1]; the others are as in `Pointing`.
    """

    correlation: float | None
    hit: float | None
    near: float | None
    iou: float | None
    auc: float | None


@dataclass(frozen=True)
class Explained:
    """What was measured of one slice's map; `pointing` and `guess` only where there are lesions."""

    source: str
    patient: str
    inside: Inside | None
    pointing: Pointing | None
    guess: Guess | None
    shuffled: Mapping[str, Shuffled]


@dataclass(frozen=True)
class Explanation:
    """The figures of one source: `slices` with masks, `with_lesions` of them with lesions.

    `figures`, `chances` and, by what was shuffled, `shuffled` hold estimates by name.
    """

    source: str
    slices: int
    with_lesions: int
    groups: int
    figures: Mapping[str, Estimate]
    chances: Mapping[str, Estimate]
    shuffled: Mapping[str, Mapping[str, Estimate]]


def to_shuffled(graph: bytes, *, draws: int = DRAWS) -> dict[str, list[Session]]:
    """Sessions of the graph in several disorders, by what was shuffled; none for a graph without layers."""
    if not count_layers(graph):
        return {}
    return {
        name: [Session(shuffle_weights(graph, share=share, seed=seed)) for seed in range(draws)]
        for name, share in DEPTHS.items()
    }


def explain_slice(
    session: Session, examined: ExaminedSlice, *, trained: Session, shuffled: Mapping[str, Sequence[Session]]
) -> Explained:
    """Measure a slice with masks of lungs and lesions.

    `session` answers as people get it; the `shuffled` graphs are compared with the `trained` one they were
    made from.
    """
    outputs = session.run(examined.pixels[None])
    evidence, box = outputs.evidence[0], to_box(outputs.box[0])
    sick = examined.lesions is not None and bool(examined.lesions.any())
    return Explained(
        source=examined.source,
        patient=examined.patient,
        inside=measure_inside(evidence, box, examined),
        pointing=measure_pointing(evidence, box, examined) if sick else None,
        guess=guess(examined) if sick else None,
        shuffled=_compare(examined, trained, shuffled) if sick else {},
    )


def to_box(values: Iterable[float]) -> Box:
    """Four numbers as a box."""
    left, top, right, bottom = (float(value) for value in values)
    return left, top, right, bottom


def to_explanations(explained: Sequence[Explained]) -> tuple[Explanation, ...]:
    """The figures of every source."""
    return tuple(
        _measure(source, [one for one in explained if one.source == source])
        for source in dict.fromkeys(one.source for one in explained)
    )


def correlate(before: Evidence, after: Evidence, box: Box, examined: ExaminedSlice) -> float | None:
    """Spearman's rank correlation of two maps over the cells that are lung.

    Over all cells, a map that is nothing outside the lungs would resemble any other such map. None where
    there are few cells of lung, or all the same.
    """
    assert examined.lungs is not None
    cells = to_cells(box, before.shape, examined.lungs.shape)
    counts = np.bincount(cells[cells >= 0], minlength=before.size)
    lung = np.bincount(cells[(cells >= 0) & examined.lungs], minlength=before.size) > counts / 2
    pair = before.ravel()[lung], after.ravel()[lung]
    if lung.sum() < MIN_CELLS or any(np.ptp(values) == 0 for values in pair):
        return None
    return float(spearmanr(*pair).statistic)


def _compare(
    examined: ExaminedSlice, trained: Session, shuffled: Mapping[str, Sequence[Session]]
) -> dict[str, Shuffled]:
    slices = examined.pixels[None]
    outputs = trained.run(slices)
    before, box = outputs.evidence[0], to_box(outputs.box[0])
    if not has_place(before):
        return {}
    found = {}
    for name, sessions in shuffled.items():
        # The finder's weights stay, and so does the box.
        maps = [session.run(slices).evidence[0] for session in sessions]
        points = [measure_pointing(after, box, examined) for after in maps]
        found[name] = Shuffled(
            correlation=_mean([correlate(before, after, box, examined) for after in maps]),
            **{name: _mean([getattr(one, name) for one in points]) for name in POINTINGS},
        )
    return found


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None


def _measure(source: str, explained: Sequence[Explained]) -> Explanation:
    sick = [one for one in explained if one.pointing is not None]
    names = dict.fromkeys(name for one in sick for name in one.shuffled)
    return Explanation(
        source=source,
        slices=len(explained),
        with_lesions=len(sick),
        groups=len({one.patient for one in explained}),
        figures={
            **{name: _estimate(sick, lambda one: one.pointing, name) for name in POINTINGS},
            "inside": _estimate(sick, lambda one: one.inside, "share"),
            "inside_near": _estimate(sick, lambda one: one.inside, "near"),
        },
        chances={
            **{name: _estimate(sick, lambda one: one.guess, name) for name in GUESSES},
            "inside": _estimate(sick, lambda one: one.inside, "chance"),
        },
        shuffled={name: _shuffled(sick, name) for name in names},
    )


def _shuffled(sick: Sequence[Explained], name: str) -> dict[str, Estimate]:
    return {
        field: _estimate(sick, lambda one: one.shuffled[name], field) for field in ("correlation", *POINTINGS)
    }


def _estimate(sick: Sequence[Explained], pick: Callable[[Explained], object], name: str) -> Estimate:
    """The mean of a field over slices where there is something to say; if all are 0 or 1, it is a share."""
    found = [(value, one.patient) for one in sick if (value := getattr(pick(one), name, None)) is not None]
    if sick and not found:
        return Estimate(None, None, None, 0, NO_PLACE if _is_placeless(sick) else "undefined: no evidence")
    values = np.array([value for value, _ in found], np.float64)
    is_share = bool(np.isin(values, (0.0, 1.0)).all())
    return (estimate_share if is_share else estimate_mean)(values, [name for _, name in found])


def _is_placeless(sick: Sequence[Explained]) -> bool:
    return all(one.inside is None for one in sick)
