"""How good the answers are: discrimination, calls and calibration, each with a 95 % interval.

The positive class is COVID-19 (label 1); a slice is called positive where probability >= threshold.
What these slices cannot measure is None with the reason, never a zero and never a warning.
Knows arrays and patients. Knows nothing of models, files or plots. Needs scikit-learn and SciPy, which
come with the `audit` extra: no part of prediction imports this module.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import rankdata
from sklearn.metrics import average_precision_score, confusion_matrix, roc_auc_score

from covidct.stats.estimate import TAIL, exact_interval, percentile_interval
from covidct.stats.resampling import RESAMPLING, Bools, Floats, Resampling
from covidct.stats.scores import (
    Scores,
    check_labels,
    check_probabilities,
    ratios,
    resample,
    summands,
    to_calls,
    to_scores,
)
from covidct.types import Estimate

PROPORTIONS = ("sensitivity", "specificity", "ppv", "npv", "accuracy")
# With more undefined resamples than this, the value hangs on two or three patients.
UNDEFINED_SHARE = 0.05


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


def evaluate_scores(
    labels: ArrayLike,
    probabilities: ArrayLike,
    groups: ArrayLike,
    *,
    threshold: float,
    resampling: Resampling = RESAMPLING,
) -> Evaluation:
    """Measure probabilities, and the calls at `threshold`.

    `labels` (n,) int or bool, 1 is COVID-19; `probabilities` (n,) float in [0, 1]; `groups` (n,) int or str,
    the slice's patient (a slice whose patient is not known is a group of its own); `threshold` in [0, 1].
    Raises ValueError for other shapes, lengths and ranges, and for NaN.
    """
    return _evaluate(to_scores(labels, probabilities, groups, threshold=threshold), resampling)


def evaluate_calls(
    labels: ArrayLike, called: ArrayLike, groups: ArrayLike, resampling: Resampling = RESAMPLING
) -> Evaluation:
    """Measure calls alone: `called` (n,) bool, True for positive. Else as `evaluate_scores`."""
    return _evaluate(to_calls(labels, called, groups), resampling)


def estimate_auc(
    labels: ArrayLike, scores: ArrayLike, groups: ArrayLike, resampling: Resampling = RESAMPLING
) -> Estimate:
    """The AUC of scores (n,) on any scale, the higher the likelier COVID-19. Else as `evaluate_scores`."""
    # Ranks: an AUC asks for no more, and logits beyond any float's sigmoid keep their order.
    ranks = rankdata(scores) / max(1, np.size(scores))
    return evaluate_scores(labels, ranks, groups, threshold=0.5, resampling=resampling).metrics["auc"]


def bootstrap(
    labels: ArrayLike,
    probabilities: ArrayLike,
    groups: ArrayLike,
    *,
    threshold: float,
    resampling: Resampling = RESAMPLING,
) -> dict[str, Floats]:
    """Every metric over resampled patients, (resamples,) each, NaN where a resample leaves it undefined.

    As `scores.resample` and `resampling.draw_weights` say. Raises as `evaluate_scores`.
    """
    return resample(to_scores(labels, probabilities, groups, threshold=threshold), resampling)


def bootstrap_calls(
    labels: ArrayLike, called: ArrayLike, groups: ArrayLike, resampling: Resampling = RESAMPLING
) -> dict[str, Floats]:
    """As `bootstrap`, of calls alone: `called` (n,) bool, True for positive."""
    return resample(to_calls(labels, called, groups), resampling)


def discrimination(labels: ArrayLike, probabilities: ArrayLike) -> tuple[float, float]:
    """Area under the ROC curve and average precision; NaN with one class only."""
    y, p = check_labels(labels), check_probabilities(probabilities)
    if y.all() or not y.any():
        return float("nan"), float("nan")
    return float(roc_auc_score(y, p)), float(average_precision_score(y, p))


def confusion(labels: ArrayLike, called: ArrayLike) -> Confusion:
    """Count slices by truth and call, (n,) int or bool each."""
    y, calls = check_labels(labels), np.asarray(called, dtype=bool)
    if not y.size:
        return Confusion(0, 0, 0, 0)
    return Confusion(*(int(count) for count in confusion_matrix(y, calls, labels=[False, True]).ravel()))


def _evaluate(scores: Scores, resampling: Resampling) -> Evaluation:
    values = {name: float(value) for name, value in ratios(summands(scores).sum(axis=0)).items()}
    if scores.probabilities is None:
        del values["brier"], values["ece"]
    else:
        auc, precision = discrimination(scores.labels, scores.probabilities)
        values = {"auc": auc, "average_precision": precision} | values
    draws = resample(scores, resampling)
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
    interval = _within(value, draws["ece_noise"]) if name == "ece" else percentile_interval(value, defined)
    return Estimate(value, *interval, n)


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
