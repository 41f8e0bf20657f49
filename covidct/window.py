"""Hounsfield units -> display grey levels.

Knows the windows that a chest CT is read in and one formula. Knows nothing of files or DICOM: a plain array
of Hounsfield units goes through the same arithmetic as a CT object.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from covidct.types import Pixels

LUNG_CENTRE = -600.0
LUNG_WIDTH = 1500.0
# Centre and width in HU, by the name that a reader chooses them by. The model sees the lung window alone.
WINDOWS: Mapping[str, tuple[float, float]] = MappingProxyType(
    {"lung": (LUNG_CENTRE, LUNG_WIDTH), "soft": (40.0, 400.0), "bone": (400.0, 1800.0)}
)


def to_display(hu: NDArray[Any], *, centre: float = LUNG_CENTRE, width: float = LUNG_WIDTH) -> Pixels:
    """Show Hounsfield units through a window.

    Takes `hu` of any shape, integer or float, finite; gives uint8 of that shape in [0, 255]. The formula is
    LINEAR_EXACT of DICOM PS3.3 C.11.2.1.3.2, `(hu - centre) / width + 0.5`, clipped and rounded: -1350 HU
    is 0 and 150 HU is 255 in the lung window. (LINEAR, C.11.2.1.2.1, is at most one grey level away; it
    subtracts half a unit and one unit for integers on film and has no meaning for float arrays.)

    Raises ValueError for a width that is not above 0.
    """
    if not width > 0:
        raise ValueError(f"window width {width} must be above 0 HU")
    # float64: an int32 or float64 array far from the window must not lose the half that rounding looks at.
    grey = (np.asarray(hu, dtype=np.float64) - (centre - width / 2)) * 255 / width
    return np.asarray(np.rint(np.clip(grey, 0, 255)), dtype=np.uint8)
