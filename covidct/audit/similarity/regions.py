"""Vectors in regions, so that a query is compared with those of the regions nearest to it alone.

An inverted file (Sivic & Zisserman 2003; Jégou et al. 2011) with about as many regions as the root of n: time
grows as n to the power of 1.5. Knows vectors of length 1. Knows nothing of slices.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from sklearn.cluster import MiniBatchKMeans

Vectors = NDArray[np.float32]

# Regions that each view of a query is compared with.
PROBES = 8
# What is compared with nothing: less similar than anything.
UNSEEN = -2.0


@dataclass(frozen=True)
class Regions:
    """Targets (n, k) in regions: `centres` (c, k) float32, and the places of the targets in each."""

    targets: Vectors = field(repr=False)
    centres: Vectors = field(repr=False)
    members: tuple[NDArray[np.int64], ...] = field(repr=False)

    def compare(self, seen: Vectors) -> NDArray[np.float32]:
        """The greatest similarity of views (v, b, k) of b queries to each target, (b, n).

        `UNSEEN` for targets of no region that is near to a view of the query.
        """
        views, queries, width = seen.shape
        flat = seen.transpose(1, 0, 2).reshape(-1, width)
        probes = min(PROBES, len(self.members))
        near = np.argpartition(-(flat @ self.centres.T), probes - 1, axis=1)[:, :probes]
        order = np.argsort(near, axis=None, kind="stable")
        ends = np.searchsorted(near.ravel()[order], np.arange(len(self.members) + 1))
        best = np.full((queries, len(self.targets)), UNSEEN, np.float32)
        for members, low, high in zip(self.members, ends, ends[1:], strict=False):
            if low == high or not len(members):
                continue
            rows = order[low:high] // probes
            asked = rows // views
            first = np.flatnonzero(np.diff(asked, prepend=-1))
            similar = np.maximum.reduceat(flat[rows] @ self.targets[members].T, first, axis=0)
            best[asked[first][:, None], members] = similar
        return best


def divide(targets: Vectors) -> Regions:
    """Targets (n, k) divided by k-means; the same targets are divided alike."""
    count = max(1, round(len(targets) ** 0.5))
    means = MiniBatchKMeans(count, random_state=0, n_init=1, max_iter=20).fit(targets)
    members = tuple(np.flatnonzero(means.labels_ == region) for region in range(count))
    return Regions(targets, means.cluster_centers_.astype(np.float32), members)
