"""Reference outputs: what a bundle's graphs said of the project's phantoms where it was made.

The same phantoms are drawn again anywhere, so an installation can be checked without data.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from covidct.images.hounsfield import to_display
from covidct.images.phantoms.landscape import draw_picture
from covidct.images.phantoms.slice import Phantom, draw_phantom
from covidct.inference.session import Session
from covidct.types import Pixels, Precision

SIZE = 256
SEEDS = (1, 11, 13)
# Of the logit. Float differs by rounding only; int8 also by how a CPU's kernels round.
TOLERANCES = {"float": 1e-2, "int8": 0.5}
MAX_TOLERANCE = 1.0  # beyond it anything would pass


def draw_references() -> dict[str, Pixels]:
    """Phantoms by name, each (256, 256) uint8 display."""
    slices = {
        f"{kind.value}-{seed}": to_display(draw_phantom(kind, seed=seed, size=SIZE))
        for kind in Phantom
        for seed in SEEDS
    }
    return slices | {"picture-0": draw_picture(seed=0, size=SIZE)}


def to_reference(sessions: Mapping[Precision, Session]) -> dict[str, Any]:
    """Logits of every phantom under each precision, as `reference.json` holds them."""
    slices = draw_references()
    return {
        "size": SIZE,
        "tolerances": TOLERANCES,
        "logits": {name: _to_logits(session, slices) for name, session in sessions.items()},
    }


def check_reference(
    sessions: Mapping[Precision, Session], reference: Mapping[str, Any]
) -> dict[Precision, float]:
    """By precision, how far logits are here from the recorded ones at most, as a share of the tolerance.

    Raises KeyError, TypeError or ValueError for an invalid reference.
    """
    slices = draw_references()
    apart: dict[Precision, float] = {}
    for name, session in sessions.items():
        recorded, tolerance = reference["logits"][name], reference["tolerances"][name]
        if not 0 < tolerance <= MAX_TOLERANCE or not all(map(math.isfinite, recorded.values())):
            raise ValueError(f"{name}: needs finite logits, and a tolerance of at most {MAX_TOLERANCE}")
        given = _to_logits(session, slices)
        apart[name] = max(abs(given[phantom] - recorded[phantom]) for phantom in recorded) / tolerance
    return apart


def _to_logits(session: Session, slices: Mapping[str, Pixels]) -> dict[str, float]:
    return {
        name: round(float(session.run(np.ascontiguousarray(pixels)[None]).logit[0]), 5)
        for name, pixels in slices.items()
    }
