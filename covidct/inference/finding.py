"""From the two answers of a graph to a finding: negative, atypical, indeterminate or typical.

The words are those of the RSNA expert consensus on chest CT in COVID-19 (Simpson et al., Radiology:
Cardiothoracic Imaging 2020; 2(2): e200152). The cut-offs between them are measured and stored in the bundle
(`config.Cutoffs`). Knows the arithmetic only.
"""

from __future__ import annotations

from dataclasses import replace

from covidct.inference.config import Cutoffs
from covidct.inference.decision import to_probability
from covidct.inference.session import Outputs
from covidct.types import Finding, Opacity


def to_opacity(outputs: Outputs, number: int, cutoffs: Cutoffs | None) -> Opacity | None:
    """The graph's answer about opacities in slice `number`; None for a graph of one question."""
    if outputs.opacity is None or outputs.typical is None or outputs.extent is None:
        return None
    seen = Opacity(
        logit=float(outputs.opacity[number]),
        typical=float(outputs.typical[number]),
        extent=float(outputs.extent[number]),
        lung=1.0 if outputs.lung is None else float(outputs.lung[number]),
    )
    return name_finding(seen, cutoffs)


def name_finding(seen: Opacity, cutoffs: Cutoffs | None) -> Opacity:
    """The same with probability and finding, where there are cut-offs."""
    if cutoffs is None:
        return seen
    probability = to_probability(seen.logit, temperature=cutoffs.temperature, shift=cutoffs.shift)
    return replace(seen, probability=probability, finding=to_finding(probability, seen.typical, cutoffs))


def to_finding(probability: float, typical: float, cutoffs: Cutoffs) -> Finding:
    """The finding from the probability of an opacity in [0, 1] and the logit that it is typical."""
    if probability < cutoffs.opacity:
        return Finding.NEGATIVE
    low, high = cutoffs.typical
    if typical < low:
        return Finding.ATYPICAL
    return Finding.TYPICAL if typical >= high else Finding.INDETERMINATE
