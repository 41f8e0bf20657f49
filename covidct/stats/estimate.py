"""How 95 % intervals are made, of resamples or of counts."""

from __future__ import annotations

import numpy as np
from scipy.stats import beta

from covidct.stats.resampling import Floats
from covidct.types import Estimate

TAIL = 0.025


def percentile_interval(value: float, draws: Floats) -> tuple[float, float]:
    """Percentiles of resamples (k,), NaN left out; stretched to a value that few patients leave outside."""
    low, high = (float(q) for q in np.nanquantile(draws, (TAIL, 1 - TAIL)))
    return min(low, value), max(high, value)


def exact_share(successes: int, n: int) -> Estimate:
    """A share of n independent ones, with its exact interval."""
    return Estimate(successes / n, *exact_interval(successes, n), n)


def exact_interval(successes: int, n: int) -> tuple[float, float]:
    """The exact 95 % interval of a proportion; (0, 1) where n is 0, as nothing is known then.

    Source: Clopper & Pearson 1934. Raises ValueError for successes outside 0..n.
    """
    if not 0 <= successes <= n:
        raise ValueError(f"{successes} successes of {n}: they must be between 0 and n")
    low = 0.0 if successes == 0 else float(beta.ppf(TAIL, successes, n - successes + 1))
    high = 1.0 if successes == n else float(beta.ppf(1 - TAIL, successes + 1, n - successes))
    return low, high
