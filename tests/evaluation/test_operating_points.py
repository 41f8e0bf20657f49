from __future__ import annotations

import numpy as np
import pytest

from covidct.evaluation.operating_points import AtPoint, measure_point
from covidct.inference.prevalence import predictive_values
from covidct.stats.curves import expect_ece
from covidct.stats.estimate import exact_interval
from covidct.stats.means import estimate_share
from covidct.stats.resampling import Resampling
from figures.points import POINT


def measure(labels: list[int], probabilities: list[float], *, groups: list[int] | None = None) -> AtPoint:
    names = np.array(groups if groups is not None else range(len(labels)))
    return measure_point(
        POINT,
        np.array(labels),
        np.array(probabilities),
        names,
        prevalences=(0.05, 0.5),
        resampling=Resampling(400),
    )


def test_calls_coverage_and_sizes_are_counted() -> None:
    found = measure([1, 1, 1, 1, 0, 0, 0, 0], [0.9, 0.6, 0.45, 0.39, 0.61, 0.4, 0.1, 0.1]).figures
    values = {name: estimate.value for name, estimate in found.items()}
    assert values == {
        "sensitivity": 0.5,
        "specificity": 0.75,
        "coverage_positive": 0.75,
        "coverage_negative": 0.75,
        "set_size_positive": 1.5,
        "set_size_negative": 1.25,
        "indeterminate": 0.375,
    }
    assert [found[name].n for name in ("coverage_positive", "indeterminate")] == [4, 8]


def test_predictive_values_follow_from_the_rates() -> None:
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 1], 100)
    found = measure(labels.tolist(), np.clip(0.3 + 0.4 * labels + rng.normal(0, 0.3, 200), 0, 1).tolist())
    rates = [found.figures[name].value for name in ("sensitivity", "specificity")]
    for worth in found.worths:
        assert (worth.ppv.value, worth.npv.value) == pytest.approx(
            predictive_values(rates[0] or 0, rates[1] or 0, prevalence=worth.prevalence)
        )
        for one in (worth.ppv, worth.npv):
            assert one.low is not None
            assert one.high is not None
            assert one.value is not None
            assert one.low < one.value < one.high
    rare, even = found.worths
    assert (rare.ppv.value or 0) < (even.ppv.value or 0)
    assert (rare.npv.value or 0) > (even.npv.value or 0)


def test_a_rate_that_never_varies_stands_at_the_ends_of_its_exact_interval() -> None:
    labels = [1] * 20 + [0] * 20
    found = measure(labels, [0.9] * 10 + [0.1] * 10 + [0.1] * 20)
    ppv = found.worths[0].ppv
    assert (ppv.value, ppv.high) == (1, 1)
    low = exact_interval(20, 20)[0]
    sensitivity = found.figures["sensitivity"].low
    assert sensitivity is not None
    # No resample shows a false positive; that there are none is not known all the same.
    assert ppv.low == pytest.approx(predictive_values(sensitivity, low, prevalence=0.05)[0], abs=0.02)


def test_one_class_has_half_of_the_figures_and_says_why() -> None:
    found = measure([0] * 6, [0.1, 0.2, 0.3, 0.5, 0.9, 0.1])
    assert found.figures["coverage_positive"].reason == "undefined: no slices"
    assert found.figures["specificity"].value == pytest.approx(4 / 6)
    assert found.worths[0].ppv.reason == "undefined: no COVID-19 slices"


def test_one_patient_has_no_interval() -> None:
    found = measure([1, 1, 0, 0], [0.9, 0.3, 0.1, 0.5], groups=[0, 0, 0, 0])
    for one in (found.figures["coverage_positive"], found.figures["indeterminate"], found.worths[0].npv):
        assert one.value is not None
        assert one.low is None
        assert one.reason is not None
        assert one.reason.startswith("no interval")


def test_a_share_is_one_whatever_the_labels() -> None:
    share = estimate_share([True, False, True, True], ["a", "b", "c", "d"], Resampling(200))
    assert (share.value, share.n) == (0.75, 4)
    assert share.low is not None
    alone = estimate_share([True, False], ["a", "a"], Resampling(20))
    assert alone.reason == "no interval: one patient only"


def test_perfect_probabilities_show_an_ece_too() -> None:
    rng = np.random.default_rng(0)
    few, many = (expect_ece(rng.random(n)) for n in (50, 5000))
    assert few is not None
    assert many is not None
    # Ten bins of n / 10 slices: about 0.8 times the deviation of their means.
    assert few == pytest.approx(0.8 * np.sqrt(10 / 50 / 6), rel=0.15)
    assert many < few / 8
    assert expect_ece([]) is None
    assert expect_ece([0.0, 1.0]) == 0
