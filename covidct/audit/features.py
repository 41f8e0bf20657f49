"""What the checks need of a slice's pixels: vectors for the shortcut probes, and signs of its modality."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from covidct.types import Pixels


@dataclass(frozen=True)
class Features:
    """`vectors`: probe name -> (k,) float32, the same k for every slice."""

    vectors: Mapping[str, NDArray[np.float32]] = field(compare=False, repr=False)


def measure_features(pixels: Pixels, *, colour: float) -> Features:
    """Measure a slice (H, W) uint8; `colour` is the share of its pixels that are not grey."""
    raise NotImplementedError
