"""From the exported graph's logits to probabilities and an operating point.

The temperature comes from the `calibrate` split, threshold and band from `tune`; slices are
weighted so that every source and both labels count. Temperature scaling: Guo et al., ICML 2017.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import expit
from sklearn.metrics import log_loss, roc_curve

from covidct.train.balance import to_weights
from covidct.types import OperatingPoint

Floats = NDArray[np.float64]
Labels = NDArray[np.int64]
Bools = NDArray[np.bool_]
# Never below 1: within known sources a model may look too modest, in a new hospital it will not be.
TEMPERATURES = (1.0, 10.0)
DECIDED_ACCURACY = 0.90  # outside the band at least this share of answers should be right
WIDEST = 0.20  # share of slices that may stay undecided for it
STEP = 0.005
NARROWEST = 0.05  # half a band's width: so near the threshold, another scanner decides, not the lung


def fit_temperature(logits: Floats, labels: Labels, weights: Floats) -> float:
    """The temperature, in [1, 10], under which `labels` are least surprising."""

    def surprise(log_temperature: float) -> float:
        probabilities = expit(logits / np.exp(log_temperature))
        return float(log_loss(labels, probabilities, sample_weight=weights, labels=[0, 1]))

    low, high = np.log(TEMPERATURES)
    return float(np.exp(minimize_scalar(surprise, bounds=(low, high), method="bounded").x))


def choose_balanced(probabilities: Floats, labels: Labels, sources: Sequence[str]) -> OperatingPoint:
    """The threshold with the largest sum of sensitivity and specificity, and its band.

    Every source and both labels weigh in (`to_weights`); both labels are needed. `sensitivity` and
    `specificity` of the answer are the plain ones over all slices.
    """
    weights = to_weights(labels, sources)
    false, true, thresholds = roc_curve(labels, probabilities, sample_weight=weights)
    # The first threshold is infinite: nobody positive.
    best = 1 + int(np.argmax((true - false)[1:]))
    below = probabilities[probabilities < thresholds[best]]
    # Half way to the next lower score: both sides of it are equally far off.
    threshold = float(thresholds[best] + below.max()) / 2 if below.size else float(thresholds[best])
    called = probabilities >= threshold
    return OperatingPoint(
        name="balanced",
        threshold=threshold,
        band=choose_band(probabilities, labels, sources, threshold=threshold),
        sensitivity=float(called[labels == 1].mean()),
        specificity=float((~called[labels == 0]).mean()),
    )


def choose_band(
    probabilities: Floats, labels: Labels, sources: Sequence[str], *, threshold: float
) -> tuple[float, float]:
    """The narrowest band about the threshold outside which 90 % of answers are right in every source.

    The source where the model does worst is the one most like a new hospital, so it decides. The
    band is never narrower than 0.05 either side, and stops widening before more than a fifth of the
    slices (by weight) would stay undecided.
    """
    weights = to_weights(labels, sources)
    right = (probabilities >= threshold) == (labels == 1)
    distance = np.abs(probabilities - threshold)
    members = [np.array(sources) == source for source in sorted(set(sources))]
    width = NARROWEST
    for wider in np.arange(NARROWEST + STEP, 0.5, STEP):
        if _worst(right, weights, members, decided=distance > width) >= DECIDED_ACCURACY:
            break
        if weights[distance <= wider].sum() > WIDEST:
            break
        width = float(wider)
    return max(0.0, threshold - width), min(1.0, threshold + width)


def _worst(right: Bools, weights: Floats, members: Sequence[Bools], *, decided: Bools) -> float:
    """Accuracy on the decided slices of the source where it is lowest; 1 where nothing is decided."""
    shares = [
        float(np.average(right[member & decided], weights=weights[member & decided]))
        for member in members
        if (member & decided).any()
    ]
    return min(shares, default=1.0)
