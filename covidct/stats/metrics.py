"""How good the answers are: discrimination, calls and calibration, each with a 95 % interval.

The positive class is COVID-19 (label 1); a slice is called positive where probability >= threshold.
What these slices cannot measure is None with the reason, never a zero and never a warning.
Knows arrays and patients. Knows nothing of models, files or plots. Needs scikit-learn and SciPy, which
come with the `train` extra: no part of prediction imports this module.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import beta
from sklearn.metrics import average_precision_score, confusion_matrix, roc_auc_score, roc_curve

from covidct.stats.resampling import BINS, Bools, Floats, Scores, bin_indices, ratios, resample, summands

TAIL = 0.025
PROPORTIONS = ("sensitivity", "specificity", "ppv", "npv", "accuracy")
# With more undefined resamples than this, the value hangs on two or three patients.
UNDEFINED_SHARE = 0.05


@dataclass(frozen=True)
class Estimate:
    """A metric with its 95 % interval, all in [0, 1] (the size of a prediction set in [1, 2]).

    `value` is None where the metric is undefined, `low` and `high` where there is no honest interval;
    `reason` then says why. `n` is the number of slices it is measured on (its denominator).
    """

    value: float | None
    low: float | None
    high: float | None
    n: int
    reason: str | None = None

    def to_text(self, digits: int = 2) -> str:
        """As people read it: `0.93 (0.90–0.95)`, `0.93` without an interval, `–` where undefined."""
        if self.value is None:
            return "–"
        if self.low is None or self.high is None:
            return f"{self.value:.{digits}f}"
        return f"{self.value:.{digits}f} ({self.low:.{digits}f}–{self.high:.{digits}f})"


@dataclass(frozen=True)
class Confusion:
    """Slices by truth and call."""

    tn: int
    fp: int
    fn: int
    tp: int


@dataclass(frozen=True)
class Evaluation:
    """What was measured on `n` slices of `patients` patients; `positives` of the slices have COVID-19.

    `metrics` has sensitivity, specificity, ppv, npv, accuracy, balanced_accuracy, f1_positive, f1_negative;
    of probabilities also auc, average_precision, brier and ece.
    """

    n: int
    positives: int
    patients: int
    confusion: Confusion
    metrics: Mapping[str, Estimate]


@dataclass(frozen=True)
class Bin:
    """Slices with a probability in (low, high]: its mean, and the share that had COVID-19."""

    low: float
    high: float
    probability: float
    observed: Estimate


def evaluate_scores(
    labels: ArrayLike,
    probabilities: ArrayLike,
    groups: ArrayLike,
    *,
    threshold: float,
    seed: int = 0,
    resamples: int = 2000,
) -> Evaluation:
    """Measure probabilities, and the calls that `threshold` makes of them.

    `labels` (n,) int or bool, 1 is COVID-19; `probabilities` (n,) float in [0, 1]; `groups` (n,) int or str,
    the slice's patient (a slice whose patient is not known is a group of its own); `threshold` in [0, 1].
    Raises ValueError for other shapes, lengths and ranges, and for NaN.
    """
    return _evaluate(_threshold(labels, probabilities, groups, threshold), seed, resamples)


def evaluate_calls(
    labels: ArrayLike, called: ArrayLike, groups: ArrayLike, *, seed: int = 0, resamples: int = 2000
) -> Evaluation:
    """Measure calls alone: `called` (n,) bool, True for positive. Else as `evaluate_scores`."""
    return _evaluate(_join(labels, np.asarray(called, dtype=bool), groups), seed, resamples)


def estimate_share(flags: ArrayLike, groups: ArrayLike, *, seed: int = 0, resamples: int = 2000) -> Estimate:
    """How many of the slices are so: `flags` (n,) bool. Else as `evaluate_scores`."""
    everyone = np.ones(np.asarray(flags).shape, np.int64)
    found = evaluate_calls(everyone, flags, groups, seed=seed, resamples=resamples)
    share = found.metrics["sensitivity"]
    return replace(share, reason=share.reason.removesuffix(" with COVID-19")) if share.reason else share


def expect_ece(probabilities: ArrayLike, *, seed: int = 0, draws: int = 500) -> float | None:
    """The ECE to expect of (n,) slices by chance alone, were their probabilities perfect; None without any.

    Labels are drawn as the probabilities say, each slice for itself: an ECE below this says no more than one
    at it. Source: Vaicenavicius et al., AISTATS 2019 (consistency resampling).
    """
    p = _check_probabilities(probabilities)
    if not p.size:
        return None
    random, inside = np.random.default_rng(seed), bin_indices(p)[:, None] == np.arange(BINS)
    residuals = (random.random((draws, p.size)) < p) - p
    return float(np.abs(residuals @ inside).sum(axis=1).mean() / p.size)


def bootstrap(
    labels: ArrayLike,
    probabilities: ArrayLike,
    groups: ArrayLike,
    *,
    threshold: float,
    seed: int = 0,
    resamples: int = 2000,
) -> dict[str, Floats]:
    """Every metric over resampled patients, (resamples,) each, NaN where a resample leaves it undefined.

    As `resampling.resample` and `resampling.patient_weights` say. Raises as `evaluate_scores`.
    """
    return resample(_threshold(labels, probabilities, groups, threshold), seed=seed, resamples=resamples)


def bootstrap_calls(
    labels: ArrayLike, called: ArrayLike, groups: ArrayLike, *, seed: int = 0, resamples: int = 2000
) -> dict[str, Floats]:
    """As `bootstrap`, of calls alone: `called` (n,) bool, True for positive."""
    scores = _join(labels, np.asarray(called, dtype=bool), groups)
    return resample(scores, seed=seed, resamples=resamples)


def bootstrap_share(flags: ArrayLike, groups: ArrayLike, *, seed: int = 0, resamples: int = 2000) -> Floats:
    """`estimate_share` over resampled patients, (resamples,)."""
    everyone = np.ones(np.asarray(flags).shape, np.int64)
    return bootstrap_calls(everyone, flags, groups, seed=seed, resamples=resamples)["sensitivity"]


def discrimination(labels: ArrayLike, probabilities: ArrayLike) -> tuple[float, float]:
    """Area under the ROC curve and average precision; NaN with one class only."""
    y, p = _check_labels(labels), _check_probabilities(probabilities)
    if y.all() or not y.any():
        return float("nan"), float("nan")
    return float(roc_auc_score(y, p)), float(average_precision_score(y, p))


def roc_points(labels: ArrayLike, probabilities: ArrayLike) -> tuple[Floats, Floats]:
    """1 - specificity and sensitivity, (k,) each and rising. Raises ValueError with one class only."""
    y, p = _check_labels(labels), _check_probabilities(probabilities)
    if y.all() or not y.any():
        raise ValueError("an ROC curve needs slices of both classes; these have one")
    false_positive_rate, sensitivity, _ = roc_curve(y, p)
    return np.asarray(false_positive_rate), np.asarray(sensitivity)


def confusion(labels: ArrayLike, called: ArrayLike) -> Confusion:
    """Count slices by truth and call, (n,) int or bool each."""
    y, calls = _check_labels(labels), np.asarray(called, dtype=bool)
    if not y.size:
        return Confusion(0, 0, 0, 0)
    return Confusion(*(int(count) for count in confusion_matrix(y, calls, labels=[False, True]).ravel()))


def reliability(labels: ArrayLike, probabilities: ArrayLike) -> tuple[Bin, ...]:
    """The occupied ones of the ECE's bins, with exact intervals that take each slice as independent."""
    y, p = _check_labels(labels), _check_probabilities(probabilities)
    inside = bin_indices(p)
    return tuple(
        Bin(float(low), float(high), float(p[inside == i].mean()), _proportion(y[inside == i]))
        for i, (low, high) in enumerate(pairwise(np.linspace(0, 1, BINS + 1)))
        if (inside == i).any()
    )


def exact_interval(successes: int, n: int) -> tuple[float, float]:
    """The exact 95 % interval of a proportion; (0, 1) where n is 0, as nothing is known then.

    Source: Clopper & Pearson 1934. Raises ValueError for successes outside 0..n.
    """
    if not 0 <= successes <= n:
        raise ValueError(f"{successes} successes of {n}: they must be between 0 and n")
    low = 0.0 if successes == 0 else float(beta.ppf(TAIL, successes, n - successes + 1))
    high = 1.0 if successes == n else float(beta.ppf(1 - TAIL, successes + 1, n - successes))
    return low, high


def _proportion(labels: Bools) -> Estimate:
    return Estimate(float(labels.mean()), *exact_interval(int(labels.sum()), labels.size), labels.size)


def _evaluate(scores: Scores, seed: int, resamples: int) -> Evaluation:
    values = {name: float(value) for name, value in ratios(summands(scores).sum(axis=0)).items()}
    if scores.probabilities is None:
        del values["brier"], values["ece"]
    else:
        auc, precision = discrimination(scores.labels, scores.probabilities)
        values = {"auc": auc, "average_precision": precision} | values
    draws = resample(scores, seed=seed, resamples=resamples)
    return Evaluation(
        n=scores.labels.size,
        positives=int(scores.labels.sum()),
        patients=scores.patients(),
        confusion=confusion(scores.labels, scores.called),
        metrics={name: _estimate(name, value, draws, scores) for name, value in values.items()},
    )


def _estimate(name: str, value: float, draws: Mapping[str, Floats], scores: Scores) -> Estimate:
    """Join a value with the interval that its resamples allow."""
    measured, drawn = _measured(name, scores), draws[name]
    n = int(measured.sum())
    if np.isnan(value):
        return Estimate(None, None, None, n, _why_undefined(name, scores))
    defined = drawn[~np.isnan(drawn)]
    constant = np.allclose(defined, value, rtol=0, atol=1e-9)
    if constant and name in PROPORTIONS and value in (0.0, 1.0):
        # Resampling cannot show what it has never seen: count the patients instead, one trial each.
        patients = scores.patients(measured)
        return Estimate(value, *exact_interval(round(value) * patients, patients), n)
    if reason := _why_no_interval(name, drawn, constant, scores):
        return Estimate(value, None, None, n, reason)
    interval = _within(value, draws["ece_noise"]) if name == "ece" else _percentiles(value, defined)
    return Estimate(value, *interval, n)


def _percentiles(value: float, draws: Floats) -> tuple[float, float]:
    """The percentile interval, stretched to the value where few patients leave it just outside."""
    low, high = (float(q) for q in np.quantile(draws, (TAIL, 1 - TAIL)))
    return min(low, value), max(high, value)


def _within(value: float, noise: Floats) -> tuple[float, float]:
    """As far as noise reaches to either side: the interval of an error that only counts upwards.

    A percentile interval of the ECE misses the truth nearly always, as noise lifts both the value and its
    resamples. But the bins' true residuals lie within the 95 % quantile of `noise` of the measured ones, and
    then, by the triangle inequality, so do the sums of their sizes.
    """
    reach = float(np.quantile(noise, 1 - 2 * TAIL))
    return max(value - reach, 0.0), min(value + reach, 1.0)


def _measured(name: str, scores: Scores) -> Bools:
    """Which slices count towards the metric, (n,)."""
    match name:
        case "sensitivity":
            return scores.labels
        case "specificity":
            return ~scores.labels
        case "ppv":
            return scores.called
        case "npv":
            return ~scores.called
        case _:
            return np.ones_like(scores.labels)


def _why_undefined(name: str, scores: Scores) -> str:
    if not scores.labels.size:
        return "undefined: no slices"
    if scores.labels.all():
        return "undefined: COVID-19 slices only"
    if not scores.labels.any():
        return "undefined: no COVID-19 slices"
    return f"undefined: no slice was called {'negative' if name == 'npv' else 'positive'}"


def _why_no_interval(name: str, draws: Floats, constant: bool, scores: Scores) -> str | None:
    if name != "specificity" and scores.patients(scores.labels) == 1:
        return "no interval: one patient only with COVID-19"
    if name != "sensitivity" and scores.patients(~scores.labels) == 1:
        return "no interval: one patient only without COVID-19"
    if np.isnan(draws).mean() > UNDEFINED_SHARE:
        return "no interval: undefined in too many resamples"
    return "no interval: the same in every resample" if constant else None


def _threshold(labels: ArrayLike, probabilities: ArrayLike, groups: ArrayLike, threshold: float) -> Scores:
    p = _check_probabilities(probabilities)
    if not 0 <= threshold <= 1:
        raise ValueError(f"threshold is {threshold}: it must be in [0, 1]")
    return _join(labels, p >= threshold, groups, p)


def _join(labels: ArrayLike, called: Bools, groups: ArrayLike, p: Floats | None = None) -> Scores:
    y, names = _check_labels(labels), np.asarray(groups)
    lengths = {"labels": y.shape, "scores": called.shape, "groups": names.shape}
    if len(set(lengths.values())) > 1:
        raise ValueError(f"labels, scores and groups must have one shape, (n,), not {lengths}")
    if names.size and names.dtype.kind not in "iuSU":
        raise ValueError("groups must be integers or strings, one for each slice, none missing")
    codes = np.unique(names, return_inverse=True)[1]
    return Scores(y, called, codes.astype(np.int64), p)


def _check_labels(labels: ArrayLike) -> Bools:
    values = np.asarray(labels)
    if values.ndim != 1:
        raise ValueError(f"labels have shape {values.shape}: it must be (n,)")
    if values.size and (values.dtype.kind not in "iub" or not np.isin(values, (0, 1)).all()):
        raise ValueError("labels must be integers: 1 for COVID-19, 0 for everything else")
    return values.astype(bool)


def _check_probabilities(probabilities: ArrayLike) -> Floats:
    values = np.asarray(probabilities, dtype=np.float64)
    if values.ndim != 1:
        raise ValueError(f"probabilities have shape {values.shape}: it must be (n,)")
    wrong = ~((values >= 0) & (values <= 1))
    if wrong.any():
        i = int(np.argmax(wrong))
        raise ValueError(f"probability {values[i]} at index {i}: it must be in [0, 1]")
    return values
