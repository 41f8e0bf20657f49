"""Bootstrap over patients: the basis of every interval here.

Knows which patient each slice belongs to. Knows nothing of metrics.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

# Resamples times slices held at once: some 16 MB an array.
CHUNK = 2_000_000


@dataclass(frozen=True)
class Resampling:
    """How often patients are resampled, and from which seed. Raises ValueError below 1."""

    resamples: int = 2000
    seed: int = 0

    def __post_init__(self) -> None:
        """Check the number."""
        if self.resamples < 1:
            raise ValueError(f"resamples is {self.resamples}: it must be 1 or more")


RESAMPLING = Resampling()
# Where values alone are asked for: an interval of one resample says nothing.
ONCE = Resampling(1)


def to_codes(groups: ArrayLike) -> Ints:
    """The patient of each slice (n,), as numbers from 0."""
    return np.unique(np.asarray(groups), return_inverse=True)[1].astype(np.int64)


def draw_weights(groups: Ints, positives: Bools | None = None, *, resampling: Resampling) -> Iterator[Floats]:
    """How often each patient is drawn, (r, patients) at a time until all resamples are done.

    `groups` (n,) are the patients of the slices, as numbers from 0. Patients are drawn with replacement, all
    slices of one together, as slices of one patient are no independent evidence; given which slices show
    COVID-19, `positives` (n,), within two strata, patients with such a slice and patients without, so that
    both classes stay present. (Where one class occurs only in patients who have both, it can still vanish.)
    Source: Efron & Tibshirani 1993; whole clusters: Field & Welsh 2007.
    """
    random = np.random.default_rng(resampling.seed)
    patients = int(groups.max()) + 1 if groups.size else 0
    covid = np.bincount(groups, weights=positives, minlength=patients) > 0
    step = max(1, CHUNK // max(1, groups.size))
    for start in range(0, resampling.resamples, step):
        weights = np.zeros((min(step, resampling.resamples - start), patients))
        for stratum in (covid, ~covid):
            if size := int(stratum.sum()):
                weights[:, stratum] = random.multinomial(size, np.full(size, 1 / size), len(weights))
        yield weights
