"""Two slices that are alike, and how; clusters of slices that are alike, directly or over others."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components


class Likeness(StrEnum):
    """The same pixels; the same picture, changed; or pictures as alike as neighbours in one series."""

    EXACT = "exact"
    COPY = "copy"
    NEIGHBOUR = "neighbour"


@dataclass(frozen=True)
class Match:
    """A pair of slices by their places, `first` below `second`; `correlation` in [-1, 1]."""

    first: int
    second: int
    likeness: Likeness
    correlation: float


def to_clusters(n: int, matches: Iterable[Match], *, likeness: Likeness) -> NDArray[np.int64]:
    """The cluster of each of n slices, (n,) from 0 in the order in which they first appear.

    Joined are matches of `likeness` and of whatever is closer: EXACT joins identical pictures alone,
    NEIGHBOUR all. Raises ValueError where a match names a slice that is not there.
    """
    closeness = list(Likeness)
    weakest = closeness.index(likeness)
    pairs = [(one.first, one.second) for one in matches if closeness.index(one.likeness) <= weakest]
    first, second = np.array(pairs, np.int64).reshape(-1, 2).T
    graph = coo_array((np.ones(len(pairs), bool), (first, second)), shape=(n, n))
    codes = connected_components(graph, directed=False)[1] if n else np.zeros(0)
    return np.asarray(codes, np.int64)
