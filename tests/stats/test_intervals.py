from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from covidct.stats.intervals import estimate_by_patient, estimate_share


def test_a_share_of_independent_slices_has_the_textbook_interval() -> None:
    flags = [at < 200 for at in range(400)]
    share = estimate_share(flags, [f"{at}" for at in range(400)])
    assert (share.value, share.n) == (0.5, 400)
    assert share.low == pytest.approx(0.451, abs=0.01)
    assert share.high == pytest.approx(0.549, abs=0.01)


def test_slices_of_one_patient_widen_the_interval() -> None:
    flags = np.repeat([True, False] * 10, 20)
    alone = estimate_share(flags, [f"{at}" for at in range(400)])
    joined = estimate_share(flags, [f"{at // 20}" for at in range(400)])
    assert joined.low is not None
    assert alone.low is not None
    assert joined.low < alone.low - 0.1


def test_none_of_forty_patients_is_an_exact_interval() -> None:
    share = estimate_share([False] * 80, [f"{at // 2}" for at in range(80)])
    assert (share.value, share.low) == (0, 0)
    assert share.high == pytest.approx(0.088, abs=0.001)


def test_no_slices_have_no_share() -> None:
    assert estimate_share([], []).value is None


@settings(deadline=None, max_examples=30)
@given(st.lists(st.tuples(st.booleans(), st.integers(0, 5)), min_size=1, max_size=60))
def test_the_interval_holds_the_share(rows: list[tuple[bool, int]]) -> None:
    share = estimate_share([flag for flag, _ in rows], [f"{group}" for _, group in rows])
    assert share.value is not None
    assert share.low is not None
    assert share.high is not None
    assert 0 <= share.low <= share.value <= share.high <= 1


def test_a_figure_that_is_undefined_says_so() -> None:
    estimate = estimate_by_patient(5, lambda drawn: float("nan"))
    assert estimate.value is None
    assert estimate.reason


def test_a_figure_is_resampled_by_patient() -> None:
    values = np.arange(100.0)
    estimate = estimate_by_patient(100, lambda drawn: float(values[drawn].mean()))
    assert estimate.value == 49.5
    assert estimate.low == pytest.approx(43.9, abs=1)
    assert estimate.high == pytest.approx(55.1, abs=1)
