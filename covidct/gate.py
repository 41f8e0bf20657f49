"""Whether a slice may be answered for at all.

So far only what is plainly no image of anything is refused. Knows pixels; knows nothing of models.
"""

from __future__ import annotations

import numpy as np

from covidct.types import GateResult, Pixels, Reason

SMALLEST = 32  # pixels: below, no lung structure is left to see
FLATTEST = 4  # grey levels between the 1st and the 99th percentile


def check_slice(pixels: Pixels) -> GateResult:
    """Verdict on (H, W) uint8, display."""
    height, width = pixels.shape
    if min(height, width) < SMALLEST:
        return GateResult(
            False,
            Reason.TOO_SMALL,
            f"{width} x {height} pixels; {SMALLEST} x {SMALLEST} are needed, give the original slice",
        )
    # A coarse grid is enough to see that nothing is there, and costs nothing beside the network.
    low, high = np.percentile(pixels[:: max(1, height // 96), :: max(1, width // 96)], (1, 99))
    if high - low < FLATTEST:
        return GateResult(False, Reason.BLANK, "one grey level only; check the window or the export")
    return GateResult(True)
