"""What each slice or series of a pool of sources counts, and quantiles under such weights.

Knows the arithmetic only.
"""

from __future__ import annotations

import numpy as np

from covidct.evaluation.calibration.fit import Slices
from covidct.stats.resampling import Floats


def to_pool_weights(pool: Slices) -> Floats:
    """Weights (n,), half of them of each label, in that every source alike, in that every patient."""
    sources, patients = np.array(pool.sources), np.array(pool.patients)
    weights = np.zeros(len(pool.labels))
    for label in (0, 1):
        names = sorted(set(sources[pool.labels == label].tolist()))
        for name in names:
            own = (sources == name) & (pool.labels == label)
            _, place, count = np.unique(patients[own], return_inverse=True, return_counts=True)
            share = 1 / count[place]
            weights[own] = 0.5 * share / share.sum() / len(names)
    return weights


def find_quantile(values: Floats, weights: Floats, share: float) -> float:
    """The largest value with at most that share of the weight below it."""
    order = np.argsort(values)
    below = np.cumsum(weights[order]) - weights[order]
    # Rounding must not cost a rank.
    at = int(np.searchsorted(below / weights.sum(), share + 1e-9, side="right")) - 1
    return float(values[order][max(at, 0)])
