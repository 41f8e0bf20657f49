"""Scored slices: what a bundle answered for labelled slices, and what that measures, overall and by source.

Knows rows and `metrics`. Knows nothing of bundles, files or plots.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from covidct.data.split import is_stand_in
from covidct.evaluation.operating_points import AtPoint, measure_point
from covidct.stats.curves import expect_ece
from covidct.stats.metrics import Evaluation, evaluate_calls, evaluate_scores
from covidct.stats.resampling import Floats, Ints, Resampling
from covidct.types import Decision, OperatingPoint


@dataclass(frozen=True)
class Scored:
    """One labelled slice with its answer.

    `label` is 1 for COVID-19 and 0 for everything else; `patient` is an id within its `source`, or the group
    that stands in for one where none is known, or empty; `probability` is the calibrated one in [0, 1];
    `decision` a word of `Decision`, None where none was made.
    """

    path: str
    label: int
    source: str
    patient: str
    probability: float
    decision: str | None = None


@dataclass(frozen=True)
class Tally:
    """Slices by truth: with COVID-19, and others."""

    covid: int
    other: int

    @property
    def n(self) -> int:
        """All of them."""
        return self.covid + self.other


@dataclass(frozen=True)
class Decisions:
    """How often each decision was made; `decided` measures those that were positive or negative."""

    positive: Tally
    negative: Tally
    indeterminate: Tally
    decided: Evaluation

    @property
    def n(self) -> int:
        """Slices with a decision."""
        return self.positive.n + self.negative.n + self.indeterminate.n

    @property
    def indeterminate_share(self) -> float:
        """In [0, 1]."""
        return self.indeterminate.n / self.n


@dataclass(frozen=True)
class Section:
    """The slices of one source, or of all, and their figures.

    `patients` counts those whose ids are known, `unidentified` the slices without, which are resampled in
    groups of neighbouring numbers, or one by one. `decisions` is None where no slice has one. `notes` are
    sentences for the reader. `points` are figures at each operating point that was asked for; `chance_ece`
    is the ECE that perfect probabilities would show.
    """

    name: str
    rows: tuple[Scored, ...]
    evaluation: Evaluation
    decisions: Decisions | None
    patients: int
    unidentified: int
    notes: tuple[str, ...]
    points: tuple[AtPoint, ...] = ()
    chance_ece: float | None = None

    @property
    def labels(self) -> Ints:
        """Labels (n,) int64, 1 is COVID-19."""
        return np.array([row.label for row in self.rows], dtype=np.int64)

    @property
    def probabilities(self) -> Floats:
        """Probabilities of COVID-19 (n,) float64 in [0, 1]."""
        return np.array([row.probability for row in self.rows], dtype=np.float64)

    @property
    def stand_ins(self) -> int:
        """How many groups of slices without ids count as a patient each."""
        return self.evaluation.patients - self.patients

    @property
    def has_both_classes(self) -> bool:
        """Whether there is something to discriminate."""
        return 0 < self.evaluation.positives < self.evaluation.n


def to_sections(
    rows: Sequence[Scored],
    *,
    threshold: float,
    resampling: Resampling,
    points: Sequence[OperatingPoint] = (),
    prevalences: Sequence[float] = (),
) -> tuple[Section, ...]:
    """Measure all slices ("overall"), then each source's in the order of their names.

    `threshold` is that of the calls; `points` are measured besides, with PPV and NPV at the `prevalences`.
    Raises ValueError without rows, for a decision that is none, and as `metrics.evaluate_scores`.
    """
    if not rows:
        raise ValueError("no scored slices: there is nothing to measure")
    for row in rows:
        if row.decision is not None and row.decision not in list(Decision):
            raise ValueError(f"{row.path}: decision {row.decision!r} is not one of {', '.join(Decision)}")
    parts = {"overall": tuple(rows)}
    for source in sorted({row.source for row in rows}):
        parts[f"source {source}"] = tuple(row for row in rows if row.source == source)
    sections = (
        _measure(name.removeprefix("source "), part, threshold, resampling) for name, part in parts.items()
    )
    return tuple(_add_points(section, points, prevalences, resampling) for section in sections)


def to_groups(rows: Iterable[Scored]) -> Ints:
    """Group of each slice, (n,) int64: its patient within its source, or itself where no patient is known."""
    codes: dict[object, int] = {}
    keys = ((row.source, row.patient) if row.patient else i for i, row in enumerate(rows))
    return np.array([codes.setdefault(key, len(codes)) for key in keys], dtype=np.int64)


def _add_points(
    section: Section, points: Sequence[OperatingPoint], prevalences: Sequence[float], resampling: Resampling
) -> Section:
    groups, slices = to_groups(section.rows), (section.labels, section.probabilities)
    measured = [
        measure_point(point, *slices, groups, prevalences=prevalences, resampling=resampling)
        for point in points
    ]
    return replace(section, points=tuple(measured))


def _measure(name: str, rows: tuple[Scored, ...], threshold: float, resampling: Resampling) -> Section:
    evaluation = evaluate_scores(
        [row.label for row in rows],
        [row.probability for row in rows],
        to_groups(rows),
        threshold=threshold,
        resampling=resampling,
    )
    known = [row for row in rows if row.patient and not is_stand_in(row.patient)]
    patients = len({(row.source, row.patient) for row in known})
    return Section(
        name=name,
        rows=rows,
        evaluation=evaluation,
        decisions=_decisions(rows, resampling),
        patients=patients,
        unidentified=len(rows) - len(known),
        notes=_notes(evaluation, len(rows) - len(known), groups=evaluation.patients - patients),
        chance_ece=expect_ece([row.probability for row in rows], seed=resampling.seed),
    )


def _decisions(rows: Sequence[Scored], resampling: Resampling) -> Decisions | None:
    if all(row.decision is None for row in rows):
        return None
    decided = [row for row in rows if row.decision in (Decision.POSITIVE, Decision.NEGATIVE)]
    return Decisions(
        positive=_tally(rows, Decision.POSITIVE),
        negative=_tally(rows, Decision.NEGATIVE),
        indeterminate=_tally(rows, Decision.INDETERMINATE),
        decided=evaluate_calls(
            [row.label for row in decided],
            [row.decision == Decision.POSITIVE for row in decided],
            to_groups(decided),
            resampling,
        ),
    )


def _tally(rows: Sequence[Scored], decision: Decision) -> Tally:
    labels = [row.label for row in rows if row.decision == decision]
    return Tally(covid=sum(labels), other=len(labels) - sum(labels))


def _notes(evaluation: Evaluation, unidentified: int, *, groups: int) -> tuple[str, ...]:
    notes = []
    whole = unidentified == evaluation.n
    missing = "no patient ids" if whole else f"no patient ids for {unidentified} of {evaluation.n} slices"
    if evaluation.positives == 0:
        notes.append("no COVID-19 slices: specificity only, AUC is undefined")
    if evaluation.positives == evaluation.n:
        notes.append("COVID-19 slices only: sensitivity only, AUC is undefined")
    if groups < unidentified:
        notes.append(f"{missing}: neighbours in number count as one patient, {groups} in all")
    elif unidentified:
        notes.append(f"{missing}: intervals {'over slices, ' if whole else ''}too narrow")
    return tuple(notes)
