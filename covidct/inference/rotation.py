"""Whether a slice seems turned by 90 degrees: the lungs are one above the other, not side by side.

Judged by the evidence of a network whose evidence is inside the lungs only, so that it shows where they are;
`studies/orientation.py` measures how often that fails. Knows maps. Knows nothing of pixels or headers.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from covidct.inference.gate import find_quantile
from covidct.types import Box, Evidence

FAINTEST = 0.05  # of the strong evidence: below, a cell is no lung
MIN_DIP = -0.3  # how much fuller the middle column may be than the middle row


def is_turned(evidence: Evidence, box: Box, *, shape: tuple[int, int]) -> bool:
    """Whether lungs seem turned by 90 degrees.

    `evidence` is (h, w) float32 over the part `box` of a slice of `shape` (H, W). False where there is none.
    """
    left, top, right, bottom = box
    height, width = (bottom - top) * shape[0], (right - left) * shape[1]
    strength = np.abs(evidence)  # what speaks against disease lies on lungs as well
    lung = strength > FAINTEST * max(find_quantile(strength, 0.9), 1e-3)
    if width >= height or not lung.any():
        return False
    return _find_dip(lung.sum(axis=0)) - _find_dip(lung.sum(axis=1)) > MIN_DIP


def _find_dip(counts: NDArray[np.int_]) -> float:
    """The least in the middle fifth as a share of what either half reaches: near 0 between two lungs."""
    size = len(counts)
    middle = counts[size * 2 // 5 : max(size * 3 // 5, size * 2 // 5 + 1)].min()
    halves = min(counts[: max(size // 2, 1)].max(), counts[size // 2 :].max())
    return float(middle / max(1, halves))
