"""Intervals of the audit's own figures: bootstrap over patients, exact where nothing varies."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from covidct.stats.metrics import Estimate, exact_interval
from covidct.stats.resampling import Floats

RESAMPLES = 1000
TAIL = 2.5
# Draws held at once: some 8 MB.
CHUNK = 1_000_000


def estimate_share(flags: ArrayLike, groups: Sequence[str]) -> Estimate:
    """The share of flags (n,) bool that are set, over resampled groups (n,); exact at 0 and 1, by group."""
    values = np.asarray(flags, dtype=bool)
    if not values.size:
        return Estimate(None, None, None, 0, "undefined: no slices")
    codes = np.unique(np.asarray(groups), return_inverse=True)[1]
    n, share = int(codes.max()) + 1, float(values.mean())
    if share in (0.0, 1.0):
        return Estimate(share, *exact_interval(n if share else 0, n), values.size)
    set_of, size_of = np.bincount(codes, values, n), np.bincount(codes, minlength=n)
    shares = np.concatenate([(drawn @ set_of) / (drawn @ size_of) for drawn in _draws(n)])
    return _estimate(share, shares, values.size)


def estimate_by_patient(n: int, measure: Callable[[NDArray[np.intp]], float]) -> Estimate:
    """A figure of n patients, with `measure` taking the indices (n,) of those drawn."""
    value = measure(np.arange(n))
    if np.isnan(value):
        return Estimate(None, None, None, n, "undefined: it needs both classes and two values")
    rng = np.random.default_rng(0)
    drawn = np.array([measure(rng.integers(0, n, n)) for _ in range(RESAMPLES)])
    return _estimate(value, drawn[~np.isnan(drawn)], n)


def _draws(n: int) -> Iterator[Floats]:
    """How often each of n groups is drawn, (r, n) at a time until all resamples are done."""
    rng = np.random.default_rng(0)
    step = max(1, CHUNK // n)
    for start in range(0, RESAMPLES, step):
        yield rng.multinomial(n, np.full(n, 1 / n), min(step, RESAMPLES - start)).astype(np.float64)


def _estimate(value: float, draws: Floats, n: int) -> Estimate:
    if not draws.size:
        return Estimate(value, None, None, n, "no interval: undefined in the resamples")
    low, high = np.percentile(draws, (TAIL, 100 - TAIL))
    return Estimate(value, min(float(low), value), max(float(high), value), n)
