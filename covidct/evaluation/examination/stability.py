"""Stability: how far an answer moves when the same slice is shown in another way.

Knows renders and decisions. A flip is a change between positive and negative; changes to and from
indeterminate are counted separately, as they mislead nobody.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from covidct.evaluation.examination.examined_slice import PHANTOM, ExaminedSlice
from covidct.evaluation.examination.renders import Kind, render_slice
from covidct.inference.config import Config
from covidct.inference.decision import decide
from covidct.inference.session import Session
from covidct.stats.means import estimate_median, estimate_share
from covidct.stats.resampling import Bools
from covidct.types import Decision, Estimate, OperatingPoint, Pixels

MEDIAN_TARGET, FLIP_TARGET = 0.05, 0.03
DECIDED = {Decision.POSITIVE, Decision.NEGATIVE}
ALL, REAL = "all renders", "real slices"


@dataclass(frozen=True)
class Answer:
    """What is made of a logit: a probability in [0, 1] and a decision."""

    probability: float
    decision: Decision


@dataclass(frozen=True)
class Trial:
    """One slice in one render, and the answer before and after."""

    path: str
    source: str
    patient: str
    kind: Kind
    render: str
    before: Answer
    after: Answer

    @property
    def change(self) -> float:
        """Of the probability, without its sign."""
        return abs(self.after.probability - self.before.probability)

    @property
    def is_flip(self) -> bool:
        """Whether positive became negative, or the other way round."""
        return {self.before.decision, self.after.decision} == DECIDED

    @property
    def is_doubt(self) -> bool:
        """Whether it became indeterminate, or ceased to be."""
        return (self.before.decision is Decision.INDETERMINATE) != (
            self.after.decision is Decision.INDETERMINATE
        )


@dataclass(frozen=True)
class Stability:
    """What `n` renders of `slices` slices do to the answers.

    `change` is the median change of the probability; `flips` and `doubts` are shares of the renders.
    """

    source: str
    kind: str
    render: str
    n: int
    slices: int
    change: Estimate
    flips: Estimate
    doubts: Estimate

    @property
    def holds(self) -> bool:
        """Whether both targets are met: a median of 0.05 at most, 3 % flipped at most."""
        moved, flipped = self.change.value, self.flips.value
        return moved is not None and flipped is not None and moved <= MEDIAN_TARGET and flipped <= FLIP_TARGET


def to_answer(logit: float, config: Config, point: OperatingPoint) -> Answer:
    """What a bundle makes of a logit."""
    found = decide(logit, np.zeros((1, 1), np.float32), config, point=point)
    return Answer(found.probability, found.decision)


def try_slice(
    session: Session, examined: ExaminedSlice, inside: Bools | None, *, config: Config, point: OperatingPoint
) -> list[Trial]:
    """Answer for a slice as it is and for all its renders; `inside` (H, W) is the outline of its lungs."""

    def answer(pixels: Pixels) -> Answer:
        return to_answer(float(session.run(pixels[None]).logit[0]), config, point)

    before = answer(examined.pixels)
    return [
        Trial(
            path=examined.path,
            source=examined.source,
            patient=examined.patient,
            kind=render.kind,
            render=render.name,
            before=before,
            after=answer(render.pixels),
        )
        for render in render_slice(examined, inside)
    ]


def to_stabilities(trials: Sequence[Trial]) -> tuple[Stability, ...]:
    """What renders do: to real slices of all sources by kind and by render, then to every source's by kind.

    Drawn slices are a source of their own and no part of the whole.
    """
    real = [trial for trial in trials if trial.source != PHANTOM]
    parts = [
        *_by_kind(REAL, real),
        *(
            _measure(REAL, trial.kind, trial.render, [one for one in real if one.render == trial.render])
            for trial in {trial.render: trial for trial in real}.values()
        ),
    ]
    for source in dict.fromkeys(trial.source for trial in trials):
        parts += _by_kind(source, [trial for trial in trials if trial.source == source])
    return tuple(parts)


def shortened(stabilities: Sequence[Stability]) -> list[Stability]:
    """What a reader needs: of all real slices every kind, of each source all its renders together."""
    kinds = [one for one in stabilities if not one.render]
    return [one for one in kinds if one.source == kinds[0].source or one.kind == ALL]


def _by_kind(source: str, trials: Sequence[Trial]) -> list[Stability]:
    """All renders together, then each kind; nothing without trials."""
    kinds = [kind for kind in Kind if any(trial.kind is kind for trial in trials)]
    apart = [_measure(source, kind, "", [trial for trial in trials if trial.kind is kind]) for kind in kinds]
    return [_measure(source, ALL, "", trials), *apart] if trials else []


def _measure(source: str, kind: str, render: str, trials: Sequence[Trial]) -> Stability:
    patients = [trial.patient for trial in trials]
    return Stability(
        source=source,
        kind=str(kind),
        render=render,
        n=len(trials),
        slices=len({trial.path for trial in trials}),
        change=estimate_median([trial.change for trial in trials], patients),
        flips=estimate_share([trial.is_flip for trial in trials], patients),
        doubts=estimate_share([trial.is_doubt for trial in trials], patients),
    )
