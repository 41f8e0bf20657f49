"""A calibration for one hospital, and how well such a one does there.

Patients are dealt into folds, and each fold is measured with a calibration made from the others, so no figure
rests on a patient that the calibration had seen. Beside it stands the calibration that the bundle had. Knows
logits, labels and patients. Knows nothing of bundles, files and graphs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from covidct.errors import ManifestError
from covidct.evaluation.calibration.fit import PREVALENCE, Scale, Slices, calibrate
from covidct.evaluation.operating_points import to_flags
from covidct.inference.prevalence import shift_probability
from covidct.stats.curves import expect_ece
from covidct.stats.estimate import percentile_interval
from covidct.stats.means import estimate_share
from covidct.stats.metrics import bootstrap, bootstrap_calls, evaluate_scores
from covidct.stats.resampling import RESAMPLING, Bools, Floats, Ints, Resampling
from covidct.types import Estimate, OperatingPoint

FOLDS = 10
# Of either label. Nine are the fewest by which a set made to hold the truth nine times in ten can rule
# anything out, and a tenth is always set apart.
PATIENTS = 10
# Figures of an operating point, and the label of the slices that each is about, None for all.
ABOUT: Mapping[str, int | None] = {
    "sensitivity": 1,
    "specificity": 0,
    "coverage_positive": 1,
    "coverage_negative": 0,
    "indeterminate": None,
}


@dataclass(frozen=True)
class Calibration:
    """What turns logits into answers; probabilities hold at `prevalence`, in (0, 1)."""

    scale: Scale
    points: tuple[OperatingPoint, ...]
    prevalence: float = PREVALENCE


@dataclass(frozen=True)
class Answers:
    """What is said of slices (n,): `probabilities` in [0, 1], and by point and figure (n,) whether it is so.

    Of sensitivity and specificity whether the call is right, of a coverage whether the prediction set holds
    the truth, of indeterminate whether it holds both labels.
    """

    probabilities: Floats
    flags: Mapping[str, Mapping[str, Bools]]


@dataclass(frozen=True)
class Figures:
    """What answers measure: `ece` and `brier` at the mix of the slices, and shares by point and figure."""

    ece: Estimate
    brier: Estimate
    points: Mapping[str, Mapping[str, Estimate]]


@dataclass(frozen=True)
class Difference:
    """After less before, with a 95 % interval over patients, drawn alike for both."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Comparison:
    """The calibration that was, and the one that would be, on the same slices.

    Counts are (with COVID-19, without); a patient with slices of both labels counts in both. `auc` is that
    of the logits, which no calibration changes; `chance_ece` what perfect probabilities would show.
    `brier` and `accuracy` are what changes: the lower the better, and, of the balanced accuracy of the
    first operating point, the higher.
    """

    slices: tuple[int, int]
    patients: tuple[int, int]
    auc: Estimate
    chance_ece: float | None
    before: Figures
    after: Figures
    brier: Difference
    accuracy: Difference

    @property
    def is_better(self) -> bool:
        """Whether probabilities are closer to the truth; the interval says whether that may be chance."""
        return self.brier.value < 0


def fit_site(slices: Slices) -> Calibration:
    """The calibration that ships: scale, limits and thresholds from all slices together.

    Sets keep their promise for patients like these, as limits go by rank and no scale changes ranks; what
    the points say of sensitivity, specificity and coverage is measured on what made them.
    """
    return Calibration(*calibrate(slices, slices))


def compare(slices: Slices, before: Calibration, resampling: Resampling = RESAMPLING) -> Comparison:
    """Measure `before`, and calibrations made from the other folds, on all slices. Needs both labels."""
    original, refitted = (
        answer(before, slices),
        answer_by_folds(slices, deal_folds(slices, seed=resampling.seed)),
    )
    labels, patients = slices.labels, np.array(slices.patients)
    shown = [
        _to_mix(original.probabilities, labels, before.prevalence),
        _to_mix(refitted.probabilities, labels),
    ]
    scored = [(labels, p, patients) for p in shown]
    found = [evaluate_scores(*one, threshold=0.5, resampling=resampling).metrics for one in scored]
    drawn = [bootstrap(*one, threshold=0.5, resampling=resampling)["brier"] for one in scored]
    first = [
        next(iter(answers.flags.values()))["sensitivity"] == (labels == 1) for answers in (original, refitted)
    ]
    calls = [bootstrap_calls(labels, called, patients, resampling)["balanced_accuracy"] for called in first]
    values = [_to_accuracy(called, labels) for called in first]
    figures = [
        Figures(metrics["ece"], metrics["brier"], _measure(answers, slices, resampling))
        for metrics, answers in zip(found, (original, refitted), strict=True)
    ]
    return Comparison(
        slices=(int(labels.sum()), int((1 - labels).sum())),
        patients=count_patients(slices),
        auc=found[0]["auc"],
        chance_ece=expect_ece(shown[1], seed=resampling.seed),
        before=figures[0],
        after=figures[1],
        brier=_to_difference([float(np.mean((p - labels) ** 2)) for p in shown], drawn),
        accuracy=_to_difference(values, calls),
    )


def with_figures(calibration: Calibration, figures: Figures) -> Calibration:
    """The same, with the figures from the folds instead of those on the fitted slices."""
    return replace(
        calibration,
        points=tuple(_with_figures(point, figures.points[point.name]) for point in calibration.points),
    )


def check_enough(slices: Slices, *, where: str) -> None:
    """Raise ManifestError for slices of too few patients to calibrate and to measure on."""
    ill, well = count_patients(slices)
    if min(ill, well) < PATIENTS:
        raise ManifestError(
            f"{where}: {ill} patients with COVID-19 and {well} without, and calibration needs {PATIENTS} of "
            "each: prediction sets at 90 % need nine, and a tenth is held out to measure on. Label slices of "
            "more patients; rows without patient_id count ten neighbours as one patient, so fill in that "
            "column where it is known"
        )


def count_patients(slices: Slices) -> tuple[int, int]:
    """Patients who have slices with COVID-19, and who have slices without."""
    pairs = set(zip(slices.patients, slices.labels.tolist(), strict=True))
    ill = sum(label for _, label in pairs)
    return ill, len(pairs) - ill


def deal_folds(slices: Slices, *, seed: int) -> Ints:
    """The fold of each slice, (n,) from 0 to 9: patients whole, labels and sources spread evenly.

    Patients with both labels are dealt between those with one, so that each label's patients follow one
    another and no fold gets more than a tenth of them, rounded up.
    """
    names = sorted(set(slices.patients))
    chance = dict(zip(names, np.random.default_rng(seed).permutation(len(names)).tolist(), strict=True))
    said: dict[str, set[int]] = {name: set() for name in names}
    for name, label in zip(slices.patients, slices.labels.tolist(), strict=True):
        said[name].add(label)
    home = dict(zip(slices.patients, slices.sources, strict=True))
    order = sorted(names, key=lambda name: (min(said[name]) + max(said[name]), home[name], chance[name]))
    fold = {name: place % FOLDS for place, name in enumerate(order)}
    return np.array([fold[name] for name in slices.patients], np.int64)


def answer(calibration: Calibration, slices: Slices) -> Answers:
    """The answers of one calibration for slices."""
    probabilities, ill = calibration.scale.to_probabilities(slices.logits), slices.labels == 1
    flags = {}
    for point in calibration.points:
        right = (probabilities >= point.threshold) == ill
        sets = to_flags(point, slices.labels, probabilities)
        calls = {"sensitivity": right, "specificity": right}
        flags[point.name] = {name: calls[name] if name in calls else sets[name][0] for name in ABOUT}
    return Answers(probabilities, flags)


def answer_by_folds(slices: Slices, folds: Ints) -> Answers:
    """What is said of each fold (n,) by the calibration that was made from all others."""
    chosen = [folds == fold for fold in np.unique(folds)]
    parts = [answer(fit_site(slices.choose(~own)), slices.choose(own)) for own in chosen]
    back = np.argsort(np.concatenate([np.flatnonzero(own) for own in chosen]))
    flags = {
        point: {name: np.concatenate([part.flags[point][name] for part in parts])[back] for name in ABOUT}
        for point in parts[0].flags
    }
    return Answers(np.concatenate([part.probabilities for part in parts])[back], flags)


def _measure(answers: Answers, slices: Slices, resampling: Resampling) -> dict[str, dict[str, Estimate]]:
    patients = np.array(slices.patients)
    about = {
        name: np.ones_like(slices.labels, bool) if label is None else slices.labels == label
        for name, label in ABOUT.items()
    }
    return {
        point: {
            name: estimate_share(flags[name][chosen], patients[chosen], resampling)
            for name, chosen in about.items()
        }
        for point, flags in answers.flags.items()
    }


def _to_mix(probabilities: Floats, labels: Ints, prevalence: float = PREVALENCE) -> Floats:
    """Probabilities (n,) at the share of COVID-19 among these slices: else their mix would count as error."""
    share = float(labels.mean())
    shifted = (shift_probability(float(p), prevalence=share, calibrated_at=prevalence) for p in probabilities)
    return np.fromiter(shifted, np.float64, probabilities.size)


def _to_accuracy(called: Bools, labels: Ints) -> float:
    """Balanced accuracy."""
    return float(called[labels == 1].mean() + (~called[labels == 0]).mean()) / 2


def _to_difference(values: list[float], drawn: list[Floats]) -> Difference:
    value = values[1] - values[0]
    return Difference(value, *percentile_interval(value, drawn[1] - drawn[0]))


def _with_figures(point: OperatingPoint, figures: Mapping[str, Estimate]) -> OperatingPoint:
    shares = {name: estimate.value for name, estimate in figures.items()}
    known = {name: value for name, value in shares.items() if value is not None}
    return replace(
        point,
        sensitivity=known["sensitivity"],
        specificity=known["specificity"],
        coverage=(known["coverage_positive"], known["coverage_negative"]),
    )
