from __future__ import annotations

import numpy as np
import pytest

from covidct.stats.metrics import exact_interval
from covidct.stats.spread import estimate_mean, estimate_median


def test_mean_and_median_with_intervals() -> None:
    values = np.random.default_rng(0).normal(3, 1, 400)
    groups = [f"{i}" for i in range(400)]
    mean, median = estimate_mean(values, groups), estimate_median(values, groups)
    assert mean.value == pytest.approx(values.mean())
    assert mean.low is not None
    assert mean.high is not None
    # The standard error is 0.05.
    assert mean.high - mean.low == pytest.approx(4 * 0.05, rel=0.2)
    assert median.value == np.sort(values)[199]
    assert median.n == 400


def test_slices_of_one_patient_are_drawn_together() -> None:
    values = np.repeat([0.0, 1.0, 0.0, 1.0, 1.0, 0.0], 50)
    by_patient = estimate_mean(values, [f"{i // 50}" for i in range(300)])
    by_slice = estimate_mean(values, [f"{i}" for i in range(300)])
    assert by_patient.low is not None
    assert by_slice.low is not None
    assert by_patient.low < by_slice.low - 0.1


def test_a_share_never_seen_gets_the_exact_interval_over_patients() -> None:
    found = estimate_mean(np.zeros(12, bool), [f"{i // 2}" for i in range(12)])
    assert (found.low, found.high) == exact_interval(0, 6)
    assert found.n == 12


def test_nan_is_left_out_and_one_patient_has_no_interval() -> None:
    found = estimate_median([1.0, np.nan, 3.0], ["a", "b", "a"])
    assert (found.value, found.low, found.n) == (1.0, None, 2)
    assert found.reason == "no interval: one patient only"


def test_nothing_is_undefined() -> None:
    assert estimate_mean([], []).reason == "undefined: no slices"


def test_other_lengths_are_refused() -> None:
    with pytest.raises(ValueError, match="one shape"):
        estimate_mean([1.0], ["a", "b"])
