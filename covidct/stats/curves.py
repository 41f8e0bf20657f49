"""Curves of probabilities: ROC and reliability, and the ECE that chance alone would show."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike
from sklearn.metrics import roc_curve

from covidct.stats.estimate import exact_share
from covidct.stats.resampling import Floats
from covidct.stats.scores import BINS, bin_indices, check_labels, check_probabilities
from covidct.types import Estimate


@dataclass(frozen=True)
class Bin:
    """Slices with a probability in (low, high]: its mean, and the share that had COVID-19."""

    low: float
    high: float
    probability: float
    observed: Estimate


def expect_ece(probabilities: ArrayLike, *, seed: int = 0, draws: int = 500) -> float | None:
    """The ECE to expect of (n,) slices by chance alone, were their probabilities perfect; None without any.

    Labels are drawn as the probabilities say, each slice for itself: an ECE below this says no more than one
    at it. Source: Vaicenavicius et al., AISTATS 2019 (consistency resampling).
    """
    p = check_probabilities(probabilities)
    if not p.size:
        return None
    random, inside = np.random.default_rng(seed), bin_indices(p)[:, None] == np.arange(BINS)
    residuals = (random.random((draws, p.size)) < p) - p
    return float(np.abs(residuals @ inside).sum(axis=1).mean() / p.size)


def roc_points(labels: ArrayLike, probabilities: ArrayLike) -> tuple[Floats, Floats]:
    """1 - specificity and sensitivity, (k,) each and rising. Raises ValueError with one class only."""
    y, p = check_labels(labels), check_probabilities(probabilities)
    if y.all() or not y.any():
        raise ValueError("an ROC curve needs slices of both classes; these have one")
    false_positive_rate, sensitivity, _ = roc_curve(y, p)
    return np.asarray(false_positive_rate), np.asarray(sensitivity)


def reliability(labels: ArrayLike, probabilities: ArrayLike) -> tuple[Bin, ...]:
    """The occupied ones of the ECE's bins, with exact intervals that take each slice as independent."""
    y, p = check_labels(labels), check_probabilities(probabilities)
    inside = bin_indices(p)
    edges, found = np.linspace(0, 1, BINS + 1), [inside == i for i in range(BINS)]
    return tuple(
        Bin(float(low), float(high), float(p[own].mean()), exact_share(int(y[own].sum()), int(own.sum())))
        for own, (low, high) in zip(found, pairwise(edges), strict=True)
        if own.any()
    )
