"""Whether values that a header calls Hounsfield units can be, or what a wrong rescale did to them.

Rewritten objects carry a rescale that no longer fits: applied twice, it puts air at -2000; lost, tissue at
1000; signed values read as unsigned are tens of thousands. Padding (one value, or one and the noise of lossy
compression around it), metal, and a field of view inside the body are accepted. Knows Hounsfield units. Knows
nothing of headers.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

SAMPLES = 65536  # pixels that are looked at, evenly spread
FEWEST = 1024  # fewer say nothing, and are too few for an answer
ABSURD_HU, ABSURD_SHARE = 32768, 0.001
DENSE_HU, AIR_HU, BELOW_AIR_HU = 700, -300, -1200
TISSUE_HU = (-200, 300)
# Shares of the pixels: dense in no slice of a body; dense where there is no air; below air.
DENSE, DENSE_WITHOUT_AIR, MIN_AIR, BELOW_AIR, MIN_TISSUE = 0.4, 0.1, 0.001, 0.05, 0.05


def find_implausible(hu: NDArray[Any]) -> str | None:
    """What is wrong with values of any shape, without padding; None where they can be Hounsfield units."""
    if hu.size < FEWEST:
        return None
    values = hu.ravel()[:: max(1, hu.size // SAMPLES)]
    dense = float((values > DENSE_HU).mean())
    if (np.abs(values) > ABSURD_HU).mean() > ABSURD_SHARE:
        return "tens of thousands, as if signed values were read as unsigned"
    if dense > DENSE:
        return f"{100 * dense:.0f} % of the pixels denser than bone marrow"
    if dense > DENSE_WITHOUT_AIR and (values < AIR_HU).mean() < MIN_AIR:
        return "no air, and tissue near 1000 instead of 0"
    if (values[values > values.min()] < BELOW_AIR_HU).sum() > BELOW_AIR * values.size:
        known = values[values >= BELOW_AIR_HU]
        low, high = TISSUE_HU
        if ((known > low) & (known < high)).sum() < MIN_TISSUE * known.size:
            return "air near -2000 instead of -1000"
    return None
