from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from covidct.stats.estimate import exact_interval
from covidct.stats.means import (
    bootstrap_share,
    estimate_figure,
    estimate_mean,
    estimate_median,
    estimate_share,
)


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


def test_a_share_of_independent_slices_has_the_textbook_interval() -> None:
    flags = [at < 200 for at in range(400)]
    share = estimate_share(flags, [f"{at}" for at in range(400)])
    assert (share.value, share.n) == (0.5, 400)
    assert share.low == pytest.approx(0.451, abs=0.01)
    assert share.high == pytest.approx(0.549, abs=0.01)


def test_slices_of_one_patient_are_drawn_together() -> None:
    values = np.repeat([0.0, 1.0, 0.0, 1.0, 1.0, 0.0], 50)
    by_patient = estimate_mean(values, [f"{i // 50}" for i in range(300)])
    by_slice = estimate_mean(values, [f"{i}" for i in range(300)])
    assert by_patient.low is not None
    assert by_slice.low is not None
    assert by_patient.low < by_slice.low - 0.1


def test_a_share_never_seen_gets_the_exact_interval_over_patients() -> None:
    found = estimate_share(np.zeros(12, bool), [f"{i // 2}" for i in range(12)])
    assert (found.low, found.high) == exact_interval(0, 6)
    assert found.n == 12


def test_nan_is_left_out_and_one_patient_has_no_interval() -> None:
    found = estimate_median([1.0, np.nan, 3.0], ["a", "b", "a"])
    assert (found.value, found.low, found.n) == (1.0, None, 2)
    assert found.reason == "no interval: one patient only"


def test_patients_who_are_all_alike_have_no_interval() -> None:
    found = estimate_share([True, False] * 3, ["a", "a", "b", "b", "c", "c"])
    assert (found.value, found.low, found.reason) == (0.5, None, "no interval: the same in every resample")


def test_nothing_is_undefined() -> None:
    assert estimate_mean([], []).reason == "undefined: no slices"
    assert estimate_share([], []).value is None
    assert np.isnan(bootstrap_share([], [])).all()


def test_other_lengths_are_refused() -> None:
    with pytest.raises(ValueError, match="one shape"):
        estimate_mean([1.0], ["a", "b"])


@settings(deadline=None, max_examples=30)
@given(st.lists(st.tuples(st.booleans(), st.integers(0, 5)), min_size=1, max_size=60))
def test_the_interval_holds_the_share_or_says_why_there_is_none(rows: list[tuple[bool, int]]) -> None:
    share = estimate_share([flag for flag, _ in rows], [f"{group}" for _, group in rows])
    assert share.value is not None
    if share.low is None or share.high is None:
        assert share.reason
    else:
        assert 0 <= share.low <= share.value <= share.high <= 1


def test_a_figure_that_is_undefined_says_so() -> None:
    estimate = estimate_figure(5, lambda drawn: float("nan"))
    assert estimate.value is None
    assert estimate.reason


def test_a_figure_is_resampled_by_patient() -> None:
    values = np.arange(100.0)
    estimate = estimate_figure(100, lambda drawn: float(values[drawn].mean()))
    assert estimate.value == 49.5
    assert estimate.low == pytest.approx(43.9, abs=1)
    assert estimate.high == pytest.approx(55.1, abs=1)
