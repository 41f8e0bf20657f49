from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binom, binomtest

from covidct.stats.estimate import exact_interval


@pytest.mark.parametrize(("successes", "n"), [(0, 10), (1, 10), (7, 10), (10, 10), (45, 60), (1, 1)])
def test_exact_interval_is_scipys(successes: int, n: int) -> None:
    known = binomtest(successes, n).proportion_ci(0.95, method="exact")
    assert exact_interval(successes, n) == pytest.approx((known.low, known.high))


def test_exact_interval_known_values() -> None:
    # Rule of three's exact form; and Clopper and Pearson's own 3 of 10.
    assert exact_interval(0, 10) == pytest.approx((0, 1 - 0.025**0.1))
    assert exact_interval(3, 10) == pytest.approx((0.0667, 0.6525), abs=1e-4)


@pytest.mark.parametrize("p", [0.05, 0.3, 0.5, 0.9])
def test_exact_interval_covers(p: float) -> None:
    n = 25
    covered = [low <= p <= high for low, high in (exact_interval(k, n) for k in range(n + 1))]
    assert float(binom.pmf(np.arange(n + 1), n, p) @ np.asarray(covered)) >= 0.95


def test_exact_interval_of_nothing() -> None:
    assert exact_interval(0, 0) == (0, 1)


@pytest.mark.parametrize(("successes", "n"), [(-1, 10), (11, 10), (1, 0)])
def test_exact_interval_wrong_input(successes: int, n: int) -> None:
    with pytest.raises(ValueError, match="successes of"):
        exact_interval(successes, n)
