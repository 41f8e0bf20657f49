"""A hospital as simulated logits."""

from __future__ import annotations

import numpy as np

from covidct.evaluation.calibration.fit import Slices


def simulate(*, shift: float, patients: int = 60, each: int = 3, seed: int = 0, own: float = 1.5) -> Slices:
    """A hospital where all logits are off by `shift`: half of the patients have COVID-19."""
    random = np.random.default_rng(seed)
    labels = np.repeat(np.arange(patients) % 2, each)
    logits = random.normal(own * (2 * labels - 1), 1.5) + shift
    names = [f"h/{number}" for number in np.repeat(np.arange(patients), each)]
    return Slices(logits, labels, ["h"] * labels.size, names)
