"""The weight of each slice, so that no source and no label outweighs the others.

Knows labels and sources. Knows nothing of pixels.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray


def to_weights(labels: ArrayLike, sources: Sequence[str]) -> NDArray[np.float64]:
    """Weights (N,), summing to 1, of slices with labels (N,) int and sources (N,).

    Every label of a source weighs as much as its other label, and a source in proportion to the square root
    of its size: no source drowns another, and inside each the label is a coin toss. A source with one label
    gets half the share, so that looking like that source says little about the label.
    """
    cells = list(zip(sources, np.asarray(labels).tolist(), strict=True))
    in_cell, in_source = Counter(cells), Counter(sources)
    weights = np.array([np.sqrt(in_source[cell[0]]) / in_cell[cell] for cell in cells], np.float64)
    balanced: NDArray[np.float64] = weights / weights.sum()
    return balanced
