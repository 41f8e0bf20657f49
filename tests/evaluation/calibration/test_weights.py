from __future__ import annotations

import numpy as np
import pytest

from covidct.evaluation.calibration.fit import Slices
from covidct.evaluation.calibration.weights import find_quantile, to_pool_weights


def test_patients_weigh_alike_however_many_slices_they_have() -> None:
    pool = Slices(np.zeros(5), np.array([1, 1, 1, 1, 0]), ["a"] * 5, ["p", "p", "p", "q", "r"])
    np.testing.assert_allclose(to_pool_weights(pool), [1 / 12, 1 / 12, 1 / 12, 1 / 4, 1 / 2])


def test_sources_weigh_alike_within_a_label() -> None:
    pool = Slices(np.zeros(4), np.array([1, 1, 1, 0]), ["a", "a", "b", "b"], ["p", "q", "r", "s"])
    np.testing.assert_allclose(to_pool_weights(pool), [1 / 8, 1 / 8, 1 / 4, 1 / 2])


@pytest.mark.parametrize(("share", "value"), [(0.0, 1.0), (0.49, 1.0), (0.5, 2.0), (0.75, 3.0), (1.0, 3.0)])
def test_a_quantile_counts_weights(share: float, value: float) -> None:
    assert find_quantile(np.array([3.0, 1.0, 2.0]), np.array([1.0, 2.0, 1.0]), share) == value
