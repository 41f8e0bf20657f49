"""Means, shares, medians and other figures of numbers, with 95 % intervals over patients.

Knows numbers and who they belong to. Knows nothing of what they measure; `metrics` measures labels against
probabilities.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from covidct.stats.estimate import exact_interval, percentile_interval
from covidct.stats.resampling import RESAMPLING, Floats, Ints, Resampling, draw_weights, to_codes
from covidct.types import Estimate

# (resampled weights of values in rising order (r, n), those values (n,)) -> (r,)
Statistic = Callable[[Floats, Floats], Floats]


def estimate_mean(values: ArrayLike, groups: Sequence[str], resampling: Resampling = RESAMPLING) -> Estimate:
    """The mean of values (n,), NaN left out; `groups` (n,) are the patients.

    Percentiles over resampled patients. Raises ValueError for other lengths.
    """
    return _estimate(_means, *_sort(values, groups), resampling)


def estimate_median(
    values: ArrayLike, groups: Sequence[str], resampling: Resampling = RESAMPLING
) -> Estimate:
    """The median of values (n,), the lower one of two, NaN left out; else as `estimate_mean`."""
    return _estimate(_medians, *_sort(values, groups), resampling)


def estimate_share(flags: ArrayLike, groups: ArrayLike, resampling: Resampling = RESAMPLING) -> Estimate:
    """How many of the slices are so: flags (n,) bool; else as `estimate_mean`.

    A share of 0 or 1 gets the exact interval (Clopper-Pearson) over patients, as no resample can show what
    was never seen.
    """
    values, codes = _sort(np.asarray(flags, bool), groups)
    found = _estimate(_means, values, codes, resampling)
    if found.value not in (0.0, 1.0):
        return found
    patients = int(codes.max()) + 1
    return Estimate(found.value, *exact_interval(round(found.value) * patients, patients), found.n)


def bootstrap_share(flags: ArrayLike, groups: ArrayLike, resampling: Resampling = RESAMPLING) -> Floats:
    """`estimate_share` over resampled patients, (resamples,); NaN without slices."""
    values, codes = _sort(np.asarray(flags, bool), groups)
    return _bootstrap(_means, values, codes, resampling)


def estimate_figure(
    n: int, measure: Callable[[NDArray[np.intp]], float], resampling: Resampling = RESAMPLING
) -> Estimate:
    """A figure of n patients with one value each: `measure` takes the indices (n,) of those drawn."""
    value = measure(np.arange(n))
    if np.isnan(value):
        return Estimate(None, None, None, n, "undefined: it needs both classes and two values")
    rows = (row for weights in draw_weights(np.arange(n), resampling=resampling) for row in weights)
    drawn = np.array([measure(np.repeat(np.arange(n), row.astype(np.int64))) for row in rows])
    if np.isnan(drawn).all():
        return Estimate(value, None, None, n, "no interval: undefined in the resamples")
    return Estimate(value, *percentile_interval(value, drawn), n)


def _sort(values: ArrayLike, groups: ArrayLike) -> tuple[Floats, Ints]:
    """The known values (n,), rising, and their patients as numbers."""
    numbers, names = np.asarray(values, np.float64), np.asarray(groups)
    if numbers.ndim != 1 or numbers.shape != names.shape:
        raise ValueError(f"values {numbers.shape} and groups {names.shape} must have one shape, (n,)")
    known = ~np.isnan(numbers)
    order = np.argsort(numbers[known], kind="stable")
    return numbers[known][order], to_codes(names[known][order])


def _estimate(statistic: Statistic, values: Floats, codes: Ints, resampling: Resampling) -> Estimate:
    n = int(values.size)
    if not n:
        return Estimate(None, None, None, 0, "undefined: no slices")
    value = float(statistic(np.ones((1, n)), values)[0])
    if not codes.any():
        return Estimate(value, None, None, n, "no interval: one patient only")
    drawn = _bootstrap(statistic, values, codes, resampling)
    if np.ptp(drawn) == 0:
        return Estimate(value, None, None, n, "no interval: the same in every resample")
    return Estimate(value, *percentile_interval(value, drawn), n)


def _bootstrap(statistic: Statistic, values: Floats, codes: Ints, resampling: Resampling) -> Floats:
    if not values.size:
        return np.full(resampling.resamples, np.nan)
    weights = draw_weights(codes, resampling=resampling)
    return np.concatenate([statistic(drawn[:, codes], values) for drawn in weights])


def _means(weights: Floats, values: Floats) -> Floats:
    means: Floats = weights @ values / weights.sum(axis=1)
    return means


def _medians(weights: Floats, values: Floats) -> Floats:
    reached = np.cumsum(weights, axis=1)
    return np.asarray(values[np.argmax(reached >= reached[:, -1:] / 2, axis=1)], np.float64)
