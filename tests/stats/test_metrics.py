from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from sklearn.metrics import balanced_accuracy_score, brier_score_loss, f1_score

from covidct.stats import metrics
from covidct.stats.estimate import exact_interval
from covidct.stats.metrics import Confusion, Evaluation, evaluate_calls, evaluate_scores
from covidct.stats.resampling import ONCE, Resampling
from covidct.stats.scores import ranked
from covidct.types import Estimate
from figures.samples import HAND_LABELS, HAND_SCORES, Sample, samples

RATES = {
    "sensitivity",
    "specificity",
    "ppv",
    "npv",
    "accuracy",
    "balanced_accuracy",
    "f1_positive",
    "f1_negative",
}
ALL = RATES | {"auc", "average_precision", "brier", "ece"}


def make_scores(n: int, *, patients: int, seed: int = 0) -> Sample:
    random = np.random.default_rng(seed)
    groups = random.integers(0, patients, n)
    labels = groups % 2
    logits = 1.2 * (2 * labels - 1) + random.normal(0, 1.3, n)
    return labels.tolist(), (1 / (1 + np.exp(-logits))).tolist(), groups.tolist()


def value_of(evaluation: Evaluation, name: str) -> float:
    value = evaluation.metrics[name].value
    assert value is not None
    return value


def width_of(estimate: Estimate) -> float:
    assert estimate.low is not None
    assert estimate.high is not None
    return estimate.high - estimate.low


def test_hand_worked_values() -> None:
    evaluation = evaluate_scores(HAND_LABELS, HAND_SCORES, range(10), threshold=0.5)
    assert evaluation.confusion == Confusion(tn=4, fp=2, fn=1, tp=3)
    assert (evaluation.n, evaluation.positives, evaluation.patients) == (10, 4, 10)
    assert set(evaluation.metrics) == ALL
    expected = {
        "sensitivity": 3 / 4,
        "specificity": 4 / 6,
        "ppv": 3 / 5,
        "npv": 4 / 5,
        "accuracy": 7 / 10,
        "balanced_accuracy": (3 / 4 + 4 / 6) / 2,
        "f1_positive": 6 / 9,
        "f1_negative": 8 / 11,
        # Pairs: 0.9, 0.8 and 0.7 beat all six, 0.2 beats two.
        "auc": 20 / 24,
        # Found at ranks 1, 2, 3 and 8.
        "average_precision": (1 + 1 + 1 + 4 / 8) / 4,
        "brier": (0.01 + 0.04 + 0.09 + 0.64 + 0.36 + 0.25 + 0.16 + 0.09 + 0.01 + 0.01) / 10,
        # Only the two slices at 0.1 share a bin.
        "ece": (0.1 + 0.2 + 0.3 + 0.8 + 0.6 + 0.5 + 0.4 + 0.3 + 0.2) / 10,
    }
    for name, value in expected.items():
        assert value_of(evaluation, name) == pytest.approx(value), name


def test_denominators() -> None:
    evaluation = evaluate_scores(HAND_LABELS, HAND_SCORES, range(10), threshold=0.5)
    n = {name: estimate.n for name, estimate in evaluation.metrics.items()}
    assert n == dict.fromkeys(ALL, 10) | {"sensitivity": 4, "specificity": 6, "ppv": 5, "npv": 5}


def test_threshold_itself_is_positive() -> None:
    assert evaluate_scores([1], [0.5], ["a"], threshold=0.5).confusion.tp == 1


@given(samples(), st.integers(0, 10).map(lambda k: k / 10))
@settings(max_examples=20, deadline=None)
def test_agrees_with_scikit_learn(sample: Sample, threshold: float) -> None:
    labels, probabilities, groups = sample
    assume(0 < sum(labels) < len(labels))
    called = np.asarray(probabilities) >= threshold
    evaluation = evaluate_scores(labels, probabilities, groups, threshold=threshold, resampling=Resampling(5))
    assert value_of(evaluation, "f1_positive") == pytest.approx(f1_score(labels, called, zero_division=0))
    negative = f1_score(labels, called, pos_label=0, zero_division=0)
    assert value_of(evaluation, "f1_negative") == pytest.approx(negative)
    assert value_of(evaluation, "brier") == pytest.approx(brier_score_loss(labels, probabilities))
    balanced = balanced_accuracy_score(labels, called)
    assert value_of(evaluation, "balanced_accuracy") == pytest.approx(balanced)


@given(samples())
@settings(max_examples=20, deadline=None)
def test_resampled_ranks_are_weighted_scikit_learn(sample: Sample) -> None:
    labels, probabilities, _ = sample
    y, p = np.asarray(labels, dtype=bool), np.asarray(probabilities)
    weights = np.random.default_rng(0).integers(0, 3, (4, y.size)).astype(float)
    ours = ranked(y, p, weights)
    for row, auc, precision in zip(weights, ours["auc"], ours["average_precision"], strict=True):
        drawn = np.repeat(np.arange(y.size), row.astype(int))
        if drawn.size:
            assert (auc, precision) == pytest.approx(metrics.discrimination(y[drawn], p[drawn]), nan_ok=True)


@given(samples())
@settings(max_examples=20, deadline=None)
def test_auc_ignores_monotone_transforms(sample: Sample) -> None:
    labels, probabilities, groups = sample
    assume(0 < sum(labels) < len(labels))
    bent = [p**3 / 2 + 0.25 for p in probabilities]
    before = evaluate_scores(labels, probabilities, groups, threshold=0.5, resampling=Resampling(50)).metrics
    after = evaluate_scores(labels, bent, groups, threshold=0.5, resampling=Resampling(50)).metrics
    assert before["auc"] == after["auc"]
    assert before["average_precision"] == after["average_precision"]


@given(samples(), st.floats(0, 1))
@settings(max_examples=30, deadline=None)
def test_intervals_hold_the_value_and_reasons_are_given(sample: Sample, threshold: float) -> None:
    evaluation = evaluate_scores(*sample, threshold=threshold, resampling=Resampling(40))
    for name, metric in evaluation.metrics.items():
        assert (metric.value is None) <= (metric.low is None)
        assert (metric.low is None) == (metric.high is None) == (metric.reason is not None), name
        if metric.value is not None and metric.low is not None and metric.high is not None:
            assert 0 <= metric.low <= metric.value <= metric.high <= 1, name
            assert metric.low < metric.high, name


@given(samples())
@settings(max_examples=20, deadline=None)
def test_swapping_classes_swaps_the_rates(sample: Sample) -> None:
    labels, probabilities, groups = sample
    # Away from the threshold, which belongs to the positive side.
    assume(0.5 not in probabilities)
    here = evaluate_scores(labels, probabilities, groups, threshold=0.5, resampling=ONCE).metrics
    mirrored = ([1 - y for y in labels], [1 - p for p in probabilities], groups)
    there = evaluate_scores(*mirrored, threshold=0.5, resampling=ONCE).metrics
    for one, other in (("sensitivity", "specificity"), ("ppv", "npv"), ("f1_positive", "f1_negative")):
        assert (here[one].value, here[one].n) == (there[other].value, there[other].n)
        assert (here[other].value, here[other].n) == (there[one].value, there[one].n)
    assert (here["auc"].value or 0) == pytest.approx(there["auc"].value or 0)


def test_copies_of_a_slice_are_no_evidence() -> None:
    labels, probabilities, _ = make_scores(60, patients=60)
    alone = evaluate_scores(labels, probabilities, range(60), threshold=0.5, resampling=Resampling(500))
    patients = np.repeat(np.arange(60), 8)
    copies = (np.repeat(labels, 8), np.repeat(probabilities, 8))
    by_patient = evaluate_scores(*copies, patients, threshold=0.5, resampling=Resampling(500))
    by_slice = evaluate_scores(*copies, range(480), threshold=0.5, resampling=Resampling(500))
    for name in ALL - {"ece"}:
        assert by_patient.metrics[name].value == pytest.approx(alone.metrics[name].value)
        assert width_of(by_patient.metrics[name]) == pytest.approx(width_of(alone.metrics[name]))
        assert width_of(by_patient.metrics[name]) > 2 * width_of(by_slice.metrics[name])


def test_resampling_is_seeded() -> None:
    sample = make_scores(80, patients=30)
    seeds = (Resampling(seed=seed) for seed in (1, 1, 2))
    first, again, other = (evaluate_scores(*sample, threshold=0.5, resampling=one) for one in seeds)
    assert first == again
    assert first != other
    assert first.metrics["auc"].value == other.metrics["auc"].value


def test_chunks_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    sample = make_scores(50, patients=20)
    monkeypatch.setattr("covidct.stats.resampling.CHUNK", 50 * 7)
    draws = metrics.bootstrap(*sample, threshold=0.5, resampling=Resampling(100))
    assert all(values.shape == (100,) for values in draws.values())
    assert np.mean(draws["auc"]) == pytest.approx(metrics.discrimination(*sample[:2])[0], abs=0.02)


def test_both_classes_stay_in_every_resample() -> None:
    draws = metrics.bootstrap([1, 1, 0, 0, 0], [0.9, 0.2, 0.3, 0.6, 0.1], list("aabcd"), threshold=0.5)
    assert not np.isnan(draws["auc"]).any()


def test_patients_with_slices_of_both_classes() -> None:
    labels = [1, 1, 0, 0] * 5
    scores = [0.9, 0.4, 0.3, 0.6, 0.8, 0.7, 0.2, 0.1, 0.95, 0.35, 0.5, 0.05] + [0.6, 0.8, 0.3, 0.1] * 2
    evaluation = evaluate_scores(labels, scores, np.repeat(list("abcde"), 4), threshold=0.5)
    assert evaluation.patients == 5
    assert evaluation.metrics["auc"].low is not None


def test_auc_interval_is_near_hanley_and_mcneil() -> None:
    labels, probabilities, _ = make_scores(400, patients=400)
    auc = evaluate_scores(labels, probabilities, range(400), threshold=0.5).metrics["auc"]
    a, positives = auc.value or 0, sum(labels)
    q1, q2 = a / (2 - a) - a * a, 2 * a * a / (1 + a) - a * a
    negatives = 400 - positives
    variance = (a * (1 - a) + (positives - 1) * q1 + (negatives - 1) * q2) / (positives * negatives)
    assert width_of(auc) == pytest.approx(2 * 1.96 * math.sqrt(variance), rel=0.2)


def test_calls_alone_have_no_ranks() -> None:
    scores = evaluate_scores(HAND_LABELS, HAND_SCORES, range(10), threshold=0.5)
    calls = evaluate_calls(HAND_LABELS, [p >= 0.5 for p in HAND_SCORES], range(10))
    assert set(calls.metrics) == RATES
    assert calls.metrics == {name: scores.metrics[name] for name in RATES}
    assert calls.confusion == scores.confusion


# What cannot be measured.


def test_no_positives() -> None:
    evaluation = evaluate_scores([0] * 6, [0.1, 0.2, 0.7, 0.3, 0.4, 0.1], list("aabbcc"), threshold=0.5)
    defined = {name for name, metric in evaluation.metrics.items() if metric.value is not None}
    assert defined == {"specificity", "accuracy", "brier"}
    assert evaluation.metrics["specificity"].low is not None
    assert evaluation.metrics["auc"].reason == "undefined: no COVID-19 slices"
    assert evaluation.metrics["sensitivity"].n == 0


def test_positives_only() -> None:
    evaluation = evaluate_scores([1] * 3, [0.9, 0.8, 0.2], list("abc"), threshold=0.5)
    defined = {name for name, metric in evaluation.metrics.items() if metric.value is not None}
    assert defined == {"sensitivity", "accuracy", "brier"}
    assert evaluation.metrics["auc"].reason == "undefined: COVID-19 slices only"


def test_nothing_called_positive() -> None:
    found = evaluate_scores([1, 1, 0, 0], [0.1, 0.2, 0.1, 0.3], list("abcd"), threshold=0.5).metrics
    assert found["ppv"] == Estimate(None, None, None, 0, "undefined: no slice was called positive")
    assert found["f1_positive"].value == 0
    assert found["sensitivity"].value == 0


def test_nothing_called_negative() -> None:
    found = evaluate_scores([1, 1, 0, 0], [0.9, 0.8, 0.9, 0.7], list("abcd"), threshold=0.5).metrics
    assert found["npv"] == Estimate(None, None, None, 0, "undefined: no slice was called negative")


def test_no_slices() -> None:
    evaluation = evaluate_scores([], [], [], threshold=0.5)
    assert evaluation.confusion == Confusion(0, 0, 0, 0)
    assert {metric.reason for metric in evaluation.metrics.values()} == {"undefined: no slices"}
    assert all(metric.value is None for metric in evaluate_calls([], [], []).metrics.values())


def test_single_patient_has_no_interval() -> None:
    found = evaluate_scores([1, 1, 0, 0, 0], [0.9, 0.4, 0.3, 0.6, 0.1], list("abccc"), threshold=0.5).metrics
    assert found["specificity"].value == pytest.approx(2 / 3)
    assert found["specificity"].low is None
    assert found["specificity"].reason == "no interval: one patient only without COVID-19"
    assert found["auc"].reason == found["specificity"].reason


def test_a_perfect_rate_is_not_certain() -> None:
    # Three positive patients with two slices each, all found: as good as three of three.
    labels, scores = [1] * 6 + [0] * 4, [0.9] * 6 + [0.6, 0.2, 0.3, 0.1]
    found = evaluate_scores(labels, scores, list("aabbccdefg"), threshold=0.5).metrics
    assert (found["sensitivity"].low, found["sensitivity"].high) == exact_interval(3, 3)
    assert found["sensitivity"].n == 6


def test_perfect_separation_has_no_auc_interval() -> None:
    found = evaluate_scores([1, 1, 0, 0], [0.9, 0.8, 0.2, 0.1], list("abcd"), threshold=0.5).metrics
    assert found["auc"] == Estimate(1.0, None, None, 4, "no interval: the same in every resample")


def test_value_of_few_patients_is_said_to_be_so() -> None:
    labels, scores = [1] * 4 + [0] * 4, [0.9, 0.1, 0.1, 0.1, 0.6, 0.1, 0.1, 0.1]
    found = evaluate_scores(labels, scores, range(8), threshold=0.5).metrics
    assert found["ppv"] == Estimate(0.5, None, None, 2, "no interval: undefined in too many resamples")


# Wrong input.


@pytest.mark.parametrize(
    ("labels", "probabilities", "groups", "message"),
    [
        ([0, 1], [0.5], ["a", "b"], "one shape"),
        ([0, 1], [0.5, 0.5], ["a"], "one shape"),
        ([0, 2], [0.5, 0.5], ["a", "b"], "labels must be integers"),
        ([0.0, 1.0], [0.5, 0.5], ["a", "b"], "labels must be integers"),
        (["covid", "other"], [0.5, 0.5], ["a", "b"], "labels must be integers"),
        ([0, 1], [0.5, float("nan")], ["a", "b"], "probability nan at index 1"),
        ([0, 1], [-0.1, 0.5], ["a", "b"], r"probability -0\.1 at index 0"),
        ([0, 1], [0.5, 1.1], ["a", "b"], r"probability 1\.1 at index 1"),
        ([0, 1], [0.5, 0.5], ["a", None], "groups must be integers or strings"),
        ([0, 1], [0.5, 0.5], [0.0, float("nan")], "groups must be integers or strings"),
        ([[0, 1]], [0.5, 0.5], ["a", "b"], "labels have shape"),
        ([0, 1], [[0.5, 0.5]], ["a", "b"], "probabilities have shape"),
    ],
)
def test_wrong_input(labels: list[int], probabilities: list[float], groups: list[str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        evaluate_scores(labels, probabilities, groups, threshold=0.5)


@pytest.mark.parametrize("threshold", [-0.1, 1.1, float("nan")])
def test_wrong_threshold(threshold: float) -> None:
    with pytest.raises(ValueError, match="threshold is"):
        evaluate_scores([0, 1], [0.1, 0.9], ["a", "b"], threshold=threshold)


def test_wrong_resamples() -> None:
    with pytest.raises(ValueError, match="resamples is 0"):
        evaluate_scores([0, 1], [0.1, 0.9], ["a", "b"], threshold=0.5, resampling=Resampling(0))


# Exact intervals.
