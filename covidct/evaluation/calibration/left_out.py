"""Answers for sources left out, which calibration uses: of slices, and of the series they belong to.

A whole series is a patient with WHOLE slices or more, sampled at several spacings. For all others, the slices
that there are form a pseudo-series: a published figure shows the typical slice, and a label of the patient
may be wrong for one slice, but hardly for three. Lungs known to be clear look alike, so BLOCK slices of
different patients form one pseudo-series.

Knows answers and rows. Knows nothing of files or of what is fitted.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from covidct.data.manifest import Row
from covidct.data.teaching import Teaching, find_values
from covidct.evaluation.calibration.fit import Slices
from covidct.inference.series_evidence import MIN_ANSWERED, find_ranked, join_opacities
from covidct.stats.resampling import Bools, Floats
from covidct.types import Opacity

DOUBTED = 0.5  # from there on a label says too little of its slice to calibrate on
WHOLE = 20  # slices with lungs
SPACINGS = (1, 2, 4)
BLOCK = 20
SLICE, SERIES, PSEUDO = "slice", "series", "pseudo-series"


@dataclass(frozen=True)
class LeftOut:
    """The answers of models for n slices, or n series, from sources that they had not seen.

    `answers` has the logits, labels and where they come from. `opacities` are not calibrated, and empty for a
    graph of one question. `clear` (n,) marks lungs known to show no opacity; `doubt` (n,) float64, in [0, 1],
    is how far to doubt each label. `kinds` says what each is.
    """

    answers: Slices
    opacities: tuple[Opacity, ...]
    clear: Bools
    doubt: Floats
    kinds: tuple[str, ...]

    def choose(self, chosen: Bools) -> LeftOut:
        """Those where `chosen` (n,) is true."""
        places = np.flatnonzero(chosen).tolist()
        return LeftOut(
            self.answers.choose(chosen),
            tuple(self.opacities[at] for at in places) if self.opacities else (),
            self.clear[chosen],
            self.doubt[chosen],
            tuple(self.kinds[at] for at in places),
        )

    @property
    def known(self) -> LeftOut:
        """Those with a label that is not too much in doubt."""
        return self.choose((self.answers.labels == 0) | (self.doubt < DOUBTED))


def to_left_out(
    answers: Slices, opacities: Sequence[Opacity], rows: Sequence[Row], teaching: Teaching
) -> LeftOut:
    """Slices with what a recipe knows of their rows."""
    clear = (find_values(rows, teaching.normal) == 1) & (answers.labels == 0)
    doubt = find_values(rows, teaching.doubt).astype(np.float64)
    return LeftOut(answers, tuple(opacities), clear, doubt, (SLICE,) * len(rows))


def to_series(slices: LeftOut, rows: Sequence[Row]) -> LeftOut:
    """The series and pseudo-series of slices; `rows` are theirs, those of a series from end to end."""
    made: list[tuple[str, list[int]]] = []
    clear: dict[str, list[int]] = defaultdict(list)
    for places in _group_patients(slices):
        row = rows[places[0]]
        if row.patient_id and len(places) >= WHOLE:
            made += [(SERIES, places[start::step]) for step in SPACINGS for start in range(step)]
        elif slices.clear[places[0]]:
            clear[row.source] += places
        elif _is_told(slices, places):
            made.append((PSEUDO, places))
    blocks = (places[at : at + BLOCK] for places in clear.values() for at in range(0, len(places), BLOCK))
    return _join(slices, [*made, *((PSEUDO, block) for block in blocks)])


def _group_patients(slices: LeftOut) -> list[list[int]]:
    """Places of the slices of each patient; apart where label or knowledge of them differ."""
    answers = slices.answers
    groups: dict[tuple[object, ...], list[int]] = defaultdict(list)
    for at, name in enumerate(
        zip(answers.sources, answers.patients, answers.labels.tolist(), slices.clear.tolist(), strict=True)
    ):
        groups[name].append(at)
    return list(groups.values())


def _is_told(slices: LeftOut, places: Sequence[int]) -> bool:
    """Whether the label of these slices holds for a series of them."""
    return len(places) >= MIN_ANSWERED or not slices.doubt[list(places)].any()


def _join(slices: LeftOut, made: Sequence[tuple[str, list[int]]]) -> LeftOut:
    """What the slices of each series say together; of fewer than MIN_ANSWERED each counts so often."""
    first = [places[0] for _, places in made]
    spread = [places * (MIN_ANSWERED if len(places) < MIN_ANSWERED else 1) for _, places in made]
    answers = slices.answers
    return LeftOut(
        Slices(
            np.array([find_ranked(answers.logits[places].tolist()) for places in spread]),
            answers.labels[first],
            [answers.sources[at] for at in first],
            [answers.patients[at] for at in first],
        ),
        tuple(join_opacities([slices.opacities[at] for at in places]) for places in spread)
        if slices.opacities
        else (),
        slices.clear[first],
        np.zeros(len(first)),
        tuple(kind for kind, _ in made),
    )
