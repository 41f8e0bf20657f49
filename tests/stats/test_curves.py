from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from sklearn.calibration import calibration_curve

from covidct.stats.curves import reliability, roc_points
from covidct.stats.metrics import evaluate_scores
from covidct.stats.resampling import ONCE, Resampling
from figures.samples import HAND_LABELS, HAND_SCORES, Sample, samples


@given(samples())
@settings(max_examples=20, deadline=None)
def test_reliability_is_scikit_learns_curve_and_sums_to_the_ece(sample: Sample) -> None:
    labels, probabilities, groups = sample
    assume(0 < sum(labels) < len(labels))
    bins = reliability(labels, probabilities)
    observed, predicted = calibration_curve(labels, probabilities, n_bins=10, strategy="uniform")
    assert [b.observed.value for b in bins] == pytest.approx(list(observed))
    assert [b.probability for b in bins] == pytest.approx(list(predicted))
    assert sum(b.observed.n for b in bins) == len(labels)
    gaps = sum(b.observed.n * abs((b.observed.value or 0) - b.probability) for b in bins)
    found = evaluate_scores(labels, probabilities, groups, threshold=0.5, resampling=ONCE)
    assert found.metrics["ece"].value == pytest.approx(gaps / len(labels))


def test_bins_take_their_upper_edge_and_zero() -> None:
    bins = reliability([0, 0, 0, 1], [0.0, 0.1, 0.11, 1.0])
    assert [(b.low, b.observed.n) for b in bins] == [(0.0, 2), (0.1, 1), (0.9, 1)]


def test_ece_interval_reaches_zero_for_a_calibrated_model() -> None:
    random, labels, hits = np.random.default_rng(5), np.repeat([1, 0], 75), 0
    for _ in range(30):
        # With these densities, 2p and 2(1 - p), a probability of p is right p of the times.
        p = np.where(labels == 1, random.beta(2, 1, 150), random.beta(1, 2, 150))
        found = evaluate_scores(labels, p, range(150), threshold=0.5, resampling=Resampling(200))
        hits += found.metrics["ece"].low == 0
    assert hits >= 26


def test_roc_points() -> None:
    fpr, sensitivity = roc_points(HAND_LABELS, HAND_SCORES)
    assert (fpr[0], sensitivity[0], fpr[-1], sensitivity[-1]) == (0, 0, 1, 1)
    assert np.trapezoid(sensitivity, fpr) == pytest.approx(20 / 24)
    with pytest.raises(ValueError, match="both classes"):
        roc_points([1, 1], [0.1, 0.2])
