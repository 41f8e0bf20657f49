"""Means, shares and medians of figures by slice, with 95 % intervals over patients.

Knows numbers and who they belong to. Knows nothing of what they measure; `metrics` measures labels against
probabilities.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import ArrayLike

from covidct.stats.metrics import TAIL, Estimate, exact_interval
from covidct.stats.resampling import Floats, Ints, Scores, patient_weights

RESAMPLES = 2000
# (resampled weights of values in rising order (r, n), those values (n,)) -> (r,)
Statistic = Callable[[Floats, Floats], Floats]


def estimate_mean(values: ArrayLike, groups: Sequence[str], *, seed: int = 0) -> Estimate:
    """The mean of values (n,), NaN left out; of bools their share. `groups` (n,) are the patients.

    Percentiles over resampled patients; a share of 0 or 1 gets the exact interval (Clopper-Pearson) over
    patients, as no resample can show what was never seen. Raises ValueError for other lengths.
    """
    given = np.asarray(values)
    return _estimate(given.astype(np.float64), groups, _means, seed=seed, share=given.dtype == bool)


def estimate_median(values: ArrayLike, groups: Sequence[str], *, seed: int = 0) -> Estimate:
    """The median of values (n,), the lower one of two, NaN left out; else as `estimate_mean`."""
    return _estimate(np.asarray(values, np.float64), groups, _medians, seed=seed, share=False)


def _estimate(
    values: Floats, groups: Sequence[str], statistic: Statistic, *, seed: int, share: bool
) -> Estimate:
    names = np.asarray(groups, dtype=np.str_)
    if values.ndim != 1 or values.shape != names.shape:
        raise ValueError(f"values {values.shape} and groups {names.shape} must have one shape, (n,)")
    known = ~np.isnan(values)
    order = np.argsort(values[known], kind="stable")
    values, names = values[known][order], names[known][order]
    if not values.size:
        return Estimate(None, None, None, 0, "undefined: no slices")
    codes: Ints = np.unique(names, return_inverse=True)[1].astype(np.int64)
    patients, n = int(codes.max()) + 1, int(values.size)
    value = float(statistic(np.ones((1, n)), values)[0])
    if patients == 1:
        return Estimate(value, None, None, n, "no interval: one patient only")
    if share and value in (0.0, 1.0):
        return Estimate(value, *exact_interval(round(value) * patients, patients), n)
    nobody = np.zeros(n, bool)
    drawn = np.concatenate(
        [
            statistic(weights[:, codes], values)
            for weights in patient_weights(Scores(nobody, nobody, codes), seed=seed, resamples=RESAMPLES)
        ]
    )
    low, high = (float(quantile) for quantile in np.quantile(drawn, (TAIL, 1 - TAIL)))
    return Estimate(value, min(low, value), max(high, value), n)


def _means(weights: Floats, values: Floats) -> Floats:
    means: Floats = weights @ values / weights.sum(axis=1)
    return means


def _medians(weights: Floats, values: Floats) -> Floats:
    reached = np.cumsum(weights, axis=1)
    return np.asarray(values[np.argmax(reached >= reached[:, -1:] / 2, axis=1)], np.float64)
