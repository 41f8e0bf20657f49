"""From the exported graph's logits to probabilities, prediction sets and operating points.

Probabilities: a slope and an intercept (Platt 1999), here temperature and shift. Sets: split conformal
prediction by class (Vovk 2012; Sadinle, Lei & Wasserman, JASA 2019). Both come from the `calibrate` split,
thresholds from `tune`.

What the sets promise: of patients who are like those of `calibrate`, and drawn as they were, a random slice
keeps its true label in at least 1 - alpha of the cases of either class. Slices of one patient are not
exchangeable, patients are; so each patient counts once, however many slices there are (Lee, Barber & Willett
2023; Dunn, Wasserman & Ramdas 2023), and with one slice a patient the limit is the usual score of rank
ceil((n + 1)(1 - alpha)). It is no promise for one patient, nor for another hospital: what is left of it there
is measured, not proved.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit
from sklearn.metrics import roc_curve

from covidct.data.balance import to_weights
from covidct.types import OperatingPoint

Floats = NDArray[np.float64]
Labels = NDArray[np.int64]
Bools = NDArray[np.bool_]
# Of the mix that the weights make: inside every source as many positives as negatives.
PREVALENCE = 0.5
# Reciprocal of the temperature; beyond, the logits say nothing, or leave nothing to doubt.
SLOPES = (0.1, 10.0)
# Of COVID-19, and of everything else: how often a prediction set may miss the truth.
ALPHA = (0.10, 0.10)
SENSITIVE_ALPHA = (0.05, 0.10)
SENSITIVITY = 0.95  # of the operating point high_sensitivity, at the least


@dataclass(frozen=True)
class Slices:
    """Slices (n,): `logits` float64, `labels` int64, 1 is COVID-19, `sources`, and `patients`.

    Patient ids are unique over all sources; without an id, slices with neighbouring numbers count as a
    patient.
    """

    logits: Floats
    labels: Labels
    sources: Sequence[str]
    patients: Sequence[str]

    def choose(self, chosen: Bools) -> Slices:
        """Those where `chosen` (n,) is true."""
        sources, patients = np.array(self.sources)[chosen], np.array(self.patients)[chosen]
        return Slices(self.logits[chosen], self.labels[chosen], sources.tolist(), patients.tolist())


@dataclass(frozen=True)
class Scale:
    """Probability = sigmoid((logit - shift) / temperature)."""

    temperature: float
    shift: float

    def to_probabilities(self, logits: Floats) -> Floats:
        """Probabilities (n,) in [0, 1]."""
        return np.asarray(expit((logits - self.shift) / self.temperature), np.float64)


def calibrate(spared: Slices, tune: Slices) -> tuple[Scale, tuple[OperatingPoint, ...]]:
    """Scale and operating points, *balanced* and *high_sensitivity*, from `calibrate` and `tune`.

    Splits too small to spare slices of both labels are calibrated on `tune`, where nothing is promised any
    more: thresholds and limits then come from the same slices. `tune` needs both labels.
    """
    known = choose_known(spared if len(set(spared.labels.tolist())) == 2 else tune)
    scale = fit_scale(known)
    return scale, (choose_balanced(known, tune, scale), choose_sensitive(known, tune, scale))


def choose_known(slices: Slices) -> Slices:
    """The slices to calibrate on: of sources with both labels, or all where no source has them.

    A source with one label cannot show what a logit means, as there every logit means that label. If counted,
    it would move the intercept, and with it every probability; and its easy slices (screening scans) would
    narrow the prediction sets of all others.
    """
    labels, sources = slices.labels, np.array(slices.sources)
    both = [name for name in set(slices.sources) if len(set(labels[sources == name].tolist())) == 2]
    return slices.choose(np.isin(sources, both)) if both else slices


def fit_scale(slices: Slices, weights: Floats | None = None) -> Scale:
    """The scale under which the labels are least surprising; every source and both labels weigh in.

    `weights` (n,), or those of `to_weights`, with as much of each label.

    Against overconfidence, labels are not treated as certain: with n patients of a class the target is (n +
    1) / (n + 2), Platt's rule with patients in place of slices, as slices of one patient are one observation.
    So a sure model that was right on twenty patients is believed to 95 %, not to 100 %, and logits that
    separate the classes have a finite slope. A model that was trained to modesty (label smoothing) may get
    surer.
    """
    patients = [_count_patients(slices, label) for label in (0, 1)]
    target = np.where(slices.labels == 1, (patients[1] + 1) / (patients[1] + 2), 1 / (patients[0] + 2))
    logits = slices.logits
    weights = _to_even_weights(slices) if weights is None else weights

    def surprise(line: Floats) -> float:
        scaled = line[0] * logits + line[1]
        return float(np.sum(weights * (np.logaddexp(0, scaled) - target * scaled)))

    slope, intercept = minimize(surprise, (1.0, 0.0), bounds=(SLOPES, (None, None))).x
    return Scale(temperature=float(1 / slope), shift=float(-intercept / slope))


def find_limits(
    probabilities: Floats, labels: Labels, patients: Sequence[str], *, alpha: tuple[float, float]
) -> tuple[float, float]:
    """From which probability on COVID-19 stays plausible, and up to which everything else, in [0, 1].

    With fewer patients of a class than 1 / alpha - 1 nothing can be promised but that it always stays.
    """
    names, ill = np.array(patients), labels == 1
    low = -_find_quantile(-probabilities[ill], names[ill].tolist(), alpha=alpha[0])
    high = _find_quantile(probabilities[~ill], names[~ill].tolist(), alpha=alpha[1])
    return max(0.0, low), min(1.0, high)


def choose_balanced(known: Slices, tune: Slices, scale: Scale) -> OperatingPoint:
    """The threshold with the largest sum of sensitivity and specificity on `tune`.

    Every source and both labels weigh in (`to_weights`).
    """
    probabilities = scale.to_probabilities(tune.logits)
    weights = to_weights(tune.labels, tune.sources)
    false, true, thresholds = roc_curve(tune.labels, probabilities, sample_weight=weights)
    # The first threshold is infinite: nobody positive.
    best = 1 + int(np.argmax((true - false)[1:]))
    threshold = halve_gap(probabilities, float(thresholds[best]))
    limits = find_limits(scale.to_probabilities(known.logits), known.labels, known.patients, alpha=ALPHA)
    return _to_point("balanced", threshold, limits, tune, probabilities, alpha=ALPHA)


def choose_sensitive(known: Slices, tune: Slices, scale: Scale) -> OperatingPoint:
    """The highest threshold that keeps a sensitivity of 95 % on `tune`, over all sources by weight.

    Not in every source by itself: there a single patient would often decide. Where the threshold lies below
    the limit of COVID-19, the limit follows: that widens the band and can only add to the coverage.
    """
    probabilities = scale.to_probabilities(tune.logits)
    ill = tune.labels == 1
    order = np.argsort(-probabilities[ill])
    weights = to_weights(tune.labels, tune.sources)[ill][order]
    found = np.cumsum(weights) / weights.sum()
    last = int(np.searchsorted(found, SENSITIVITY - 1e-9))
    threshold = halve_gap(probabilities, float(probabilities[ill][order][last]))
    low, high = find_limits(
        scale.to_probabilities(known.logits), known.labels, known.patients, alpha=SENSITIVE_ALPHA
    )
    limits = (min(low, threshold), high)
    return _to_point("high_sensitivity", threshold, limits, tune, probabilities, alpha=SENSITIVE_ALPHA)


def _to_point(
    name: str,
    threshold: float,
    limits: tuple[float, float],
    tune: Slices,
    probabilities: Floats,
    *,
    alpha: tuple[float, float],
) -> OperatingPoint:
    """The point with its threshold moved into the band, so that decision and set cannot contradict.

    Between limits that cross neither class would be plausible, and a set empty. There the likelier side of
    the threshold is kept, and the band is the threshold alone; that, too, can only add to the coverage.
    """
    low, high = limits
    threshold = float(np.clip(threshold, min(low, high), max(low, high)))
    band = (low, high) if low <= high else (threshold, threshold)
    ill, called = tune.labels == 1, probabilities >= threshold
    held = np.where(ill, probabilities >= band[0], probabilities <= band[1])
    return OperatingPoint(
        name=name,
        threshold=threshold,
        band=band,
        sensitivity=float(called[ill].mean()),
        specificity=float((~called[~ill]).mean()),
        alpha=alpha,
        coverage=(float(held[ill].mean()), float(held[~ill].mean())),
    )


def _find_quantile(odd: Floats, patients: Sequence[str], *, alpha: float) -> float:
    """The least score below or at which 1 - alpha of the weight lies; infinite where there is none.

    `odd` (n,) is how unlike its class a slice looks. Every patient weighs 1 / (patients + 1), shared among
    the slices, and so does the patient to come, of whom nothing is known.
    """
    slices = Counter(patients)
    order = np.argsort(odd)
    weights = np.array([1 / slices[name] for name in patients], np.float64)[order]
    # Rounding must not cost a rank.
    at = int(np.searchsorted(np.cumsum(weights), (1 - alpha) * (len(slices) + 1) - 1e-9))
    return float(odd[order][at]) if at < odd.size else float(np.inf)


def _count_patients(slices: Slices, label: int) -> int:
    return len({name for name, own in zip(slices.patients, slices.labels, strict=True) if own == label})


def _to_even_weights(slices: Slices) -> Floats:
    """Weights (n,), half of them of each label, whatever the sources."""
    weights = to_weights(slices.labels, slices.sources)
    ill = slices.labels == 1
    even: Floats = np.where(ill, weights / weights[ill].sum(), weights / weights[~ill].sum()) / 2
    return even


def halve_gap(probabilities: Floats, threshold: float) -> float:
    """Half way to the next lower score: both sides of it are equally far off."""
    below = probabilities[probabilities < threshold]
    return (threshold + float(below.max())) / 2 if below.size else threshold
