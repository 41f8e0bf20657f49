"""From logit to decision: calibrated probability, prediction set, operating point.

Knows the arithmetic only. Scaling by slope and intercept: Platt 1999, here as temperature and shift.
"""

from __future__ import annotations

import math
from dataclasses import replace

from covidct.inference.config import Config
from covidct.types import WHOLE, Box, Decision, Evidence, OperatingPoint, Prediction


def to_probability(logit: float, *, temperature: float, shift: float) -> float:
    """Calibrated probability of COVID-19 in [0, 1]; one half where the logit is the shift."""
    scaled = (logit - shift) / temperature
    # Two forms of one function, so that neither end overflows.
    if scaled >= 0:
        return 1.0 / (1.0 + math.exp(-scaled))
    return math.exp(scaled) / (1.0 + math.exp(scaled))


def to_decision(probability: float, point: OperatingPoint) -> Decision:
    """Indeterminate inside the band (ends included), otherwise positive above it and negative below.

    So a decision never contradicts its prediction set: below the band COVID-19 is no longer plausible, above
    it nothing else is, and inside it both are.
    """
    low, high = point.band
    if low <= probability <= high:
        return Decision.INDETERMINATE
    return Decision.POSITIVE if probability >= point.threshold else Decision.NEGATIVE


def to_prediction_set(decision: Decision, labels: tuple[str, str]) -> tuple[str, ...]:
    """The labels that remain plausible; `labels` are (positive, negative)."""
    match decision:
        case Decision.POSITIVE:
            return labels[:1]
        case Decision.NEGATIVE:
            return labels[1:]
        case Decision.INDETERMINATE:
            return labels


def decide(
    logit: float, evidence: Evidence, config: Config, *, point: OperatingPoint, box: Box = WHOLE
) -> Prediction:
    """The prediction for one slice: the graph's outputs and a bundle's configuration -> all else."""
    probability = to_probability(logit, temperature=config.temperature, shift=config.shift)
    made = to_prediction(probability, point, labels=config.labels.both)
    return replace(made, logit=logit, evidence=evidence, box=box)


def to_prediction(probability: float, point: OperatingPoint, *, labels: tuple[str, str]) -> Prediction:
    """All that follows from a probability; `labels` are (positive, negative)."""
    decision = to_decision(probability, point)
    return Prediction(decision, probability, to_prediction_set(decision, labels), point)
