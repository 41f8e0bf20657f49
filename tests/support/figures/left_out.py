"""Answers on sources left out, made up: clear lungs, other diseases and COVID-19, well apart."""

from __future__ import annotations

import numpy as np

from covidct.evaluation.calibration.fit import Slices
from covidct.evaluation.calibration.left_out import SLICE, LeftOut
from covidct.types import Opacity

GROUPS = ("clear", "other", "covid")
# Of each group: the logits of the two questions.
LOGITS = {"clear": (-2.0, -1.0), "other": (2.0, 0.0), "covid": (2.0, 3.0)}


def make_left_out(
    *, sources: tuple[str, ...] = ("a", "b", "c"), count: int = 40, spread: float = 0.5, kind: str = SLICE
) -> LeftOut:
    """So many of each group in each source, each of a patient of its own."""
    rng = np.random.default_rng(0)
    named = [(source, group, at) for source in sources for group in GROUPS for at in range(count)]
    drawn = [np.array(LOGITS[group]) + spread * rng.normal(size=2) for _, group, _ in named]
    return LeftOut(
        Slices(
            np.array([float(logits.sum()) for logits in drawn]),
            np.array([int(group == "covid") for _, group, _ in named]),
            [source for source, _, _ in named],
            [f"{source}-{group}-{at}" for source, group, at in named],
        ),
        tuple(Opacity(float(logits[0]), float(logits[1]), 0.1) for logits in drawn),
        np.array([group == "clear" for _, group, _ in named]),
        np.zeros(len(named)),
        (kind,) * len(named),
    )
