"""Slices as arrays, checked, and their metrics over resampled patients: for all resamples at once.

Every metric of calls and calibration is a ratio of sums over slices, so a resample needs no more than
each patient's sums and how often the patient was drawn. Knows nothing of intervals.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from covidct.stats.resampling import Bools, Floats, Ints, Resampling, draw_weights, to_codes

BINS = 10
# Defined with one class alone; all others would be trivial there (a PPV of 0 without any COVID-19).
ONE_CLASS = ("sensitivity", "specificity", "accuracy", "brier")


@dataclass(frozen=True)
class Scores:
    """Slices as arrays, (n,) each: `labels` bool, `called` positive bool, `groups` int from 0, the patients.

    `probabilities` float64 in [0, 1] is None where there are calls only.
    """

    labels: Bools
    called: Bools
    groups: Ints
    probabilities: Floats | None = None

    def patients(self, chosen: Bools | None = None) -> int:
        """Count the patients of all slices, or of the chosen (n,)."""
        return int(np.unique(self.groups if chosen is None else self.groups[chosen]).size)


def to_scores(labels: ArrayLike, probabilities: ArrayLike, groups: ArrayLike, *, threshold: float) -> Scores:
    """Check slices (n,) and call those positive whose probability reaches `threshold`. Raises ValueError."""
    p = check_probabilities(probabilities)
    if not 0 <= threshold <= 1:
        raise ValueError(f"threshold is {threshold}: it must be in [0, 1]")
    return _join(labels, p >= threshold, groups, p)


def to_calls(labels: ArrayLike, called: ArrayLike, groups: ArrayLike) -> Scores:
    """Check slices (n,) that were called positive or not. Raises ValueError."""
    return _join(labels, np.asarray(called, dtype=bool), groups)


def _join(labels: ArrayLike, called: Bools, groups: ArrayLike, p: Floats | None = None) -> Scores:
    y, names = check_labels(labels), np.asarray(groups)
    lengths = {"labels": y.shape, "scores": called.shape, "groups": names.shape}
    if len(set(lengths.values())) > 1:
        raise ValueError(f"labels, scores and groups must have one shape, (n,), not {lengths}")
    if names.size and names.dtype.kind not in "iuSU":
        raise ValueError("groups must be integers or strings, one for each slice, none missing")
    return Scores(y, called, to_codes(names), p)


def check_labels(labels: ArrayLike) -> Bools:
    """Labels (n,) of 0 and 1 as bool. Raises ValueError."""
    values = np.asarray(labels)
    if values.ndim != 1:
        raise ValueError(f"labels have shape {values.shape}: it must be (n,)")
    if values.size and (values.dtype.kind not in "iub" or not np.isin(values, (0, 1)).all()):
        raise ValueError("labels must be integers: 1 for COVID-19, 0 for everything else")
    return values.astype(bool)


def check_probabilities(probabilities: ArrayLike) -> Floats:
    """Probabilities (n,) in [0, 1] as float64. Raises ValueError."""
    values = np.asarray(probabilities, dtype=np.float64)
    if values.ndim != 1:
        raise ValueError(f"probabilities have shape {values.shape}: it must be (n,)")
    wrong = ~((values >= 0) & (values <= 1))
    if wrong.any():
        i = int(np.argmax(wrong))
        raise ValueError(f"probability {values[i]} at index {i}: it must be in [0, 1]")
    return values


def resample(scores: Scores, resampling: Resampling) -> dict[str, Floats]:
    """Every metric over resampled patients, (resamples,) each; NaN where a resample leaves it undefined.

    `ece_noise` comes with them: how far the bins' residuals move from those of all slices, in the ECE's sum.
    """
    totals = np.zeros((scores.patients(), 5 + BINS))
    np.add.at(totals, scores.groups, summands(scores))
    residuals = _residuals(totals.sum(axis=0))
    parts = []
    for weights in draw_weights(scores.groups, scores.labels, resampling=resampling):
        drawn = weights @ totals
        part = ratios(drawn) | {"ece_noise": np.abs(_residuals(drawn) - residuals).sum(axis=-1)}
        if scores.probabilities is not None:
            part |= ranked(scores.labels, scores.probabilities, weights[:, scores.groups])
        parts.append(part)
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def summands(scores: Scores) -> Floats:
    """What each slice adds, (n, 5 + bins): to tn, fp, fn, tp, the squared error and its bin's residual."""
    y, calls = scores.labels, scores.called
    p = calls.astype(float) if scores.probabilities is None else scores.probabilities
    residuals = (y - p)[:, None] * (bin_indices(p)[:, None] == np.arange(BINS))
    cells = np.stack([~y & ~calls, ~y & calls, y & ~calls, y & calls, (y - p) ** 2], axis=1)
    return np.concatenate([cells, residuals], axis=1)


def ratios(totals: Floats) -> dict[str, Floats]:
    """Metrics of summed slices, (..., 5 + bins) -> (...) each in [0, 1]; NaN where undefined.

    The Brier score is Brier's of 1950 for the probability of COVID-19. ECE: Naeini et al. 2015, with the ten
    equal-width bins of Guo et al. 2017: a bin's share of slices times its gap is the absolute sum of its
    residuals over n. Fixed edges keep ties together, and resamples and sources comparable. It errs upwards
    where slices are few.
    """
    tn, fp, fn, tp, squared = np.moveaxis(totals[..., :5], -1, 0)
    n = tn + fp + fn + tp
    sensitivity, specificity = _divide(tp, tp + fn), _divide(tn, tn + fp)
    metrics = {
        "sensitivity": sensitivity,
        "specificity": specificity,
        "ppv": _divide(tp, tp + fp),
        "npv": _divide(tn, tn + fn),
        "accuracy": _divide(tn + tp, n),
        "balanced_accuracy": (sensitivity + specificity) / 2,
        "f1_positive": _divide(2 * tp, 2 * tp + fp + fn),
        "f1_negative": _divide(2 * tn, 2 * tn + fp + fn),
        "brier": _divide(squared, n),
        "ece": np.abs(_residuals(totals)).sum(axis=-1),
    }
    both = (tp + fn > 0) & (tn + fp > 0)
    return {name: v if name in ONE_CLASS else np.where(both, v, np.nan) for name, v in metrics.items()}


def ranked(labels: Bools, probabilities: Floats, weights: Floats) -> dict[str, Floats]:
    """AUC and average precision with slices' weights (r, n), (r,) each: scikit-learn's, all rows at once."""
    if not labels.size:
        return {name: np.full(len(weights), np.nan) for name in ("auc", "average_precision")}
    order = np.argsort(-probabilities, kind="stable")
    last_of_ties = np.append(np.diff(probabilities[order]) != 0, True)
    weights, y = weights[:, order], labels[order]
    tp = np.cumsum(weights * y, axis=1)[:, last_of_ties]
    fp = np.cumsum(weights * ~y, axis=1)[:, last_of_ties]
    found = np.diff(tp, axis=1, prepend=0)
    below = fp[:, -1:] - fp + np.diff(fp, axis=1, prepend=0) / 2
    positives, negatives = tp[:, -1], fp[:, -1]
    precision = np.nan_to_num(_divide(tp, tp + fp))
    average = _divide((found * precision).sum(axis=1), positives)
    return {
        "auc": _divide((found * below).sum(axis=1), positives * negatives),
        "average_precision": np.where(negatives > 0, average, np.nan),
    }


def _residuals(totals: Floats) -> Floats:
    """Each bin's share of slices times its gap between truth and probability, (..., bins)."""
    return _divide(totals[..., 5:], totals[..., :4].sum(axis=-1, keepdims=True))


def bin_indices(probabilities: Floats) -> Ints:
    """Index of the bin (low, high] of each probability, (n,); 0 itself is in the first."""
    edges = np.linspace(0, 1, BINS + 1)
    return np.searchsorted(edges[1:-1], probabilities)


def _divide(numerator: Floats, denominator: Floats) -> Floats:
    """Divide where there is something to divide by; NaN elsewhere."""
    some = denominator > 0
    return np.where(some, numerator / np.where(some, denominator, 1), np.nan)
