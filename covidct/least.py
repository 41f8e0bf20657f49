"""The least probability that a model can give, where it has one.

Where evidence only ever speaks for COVID-19, no logit lies below its bias, whatever a slice
shows. The bias is what the graph adds to the mean of its map. Knows configuration and outputs.
"""

from __future__ import annotations

import numpy as np

from covidct.bundle import Config
from covidct.decide import to_probability
from covidct.session import Session

SIDE = 64


def find_least(config: Config, session: Session) -> float | None:
    """The probability in [0, 1] at no evidence at all; None where evidence may speak against, too."""
    if not config.speaks_for_disease_only:
        return None
    outputs = session.run(np.zeros((1, SIDE, SIDE), np.uint8))
    bias = float(outputs.logit[0]) - float(outputs.evidence[0].mean())
    return to_probability(bias, temperature=config.temperature, shift=config.shift)
