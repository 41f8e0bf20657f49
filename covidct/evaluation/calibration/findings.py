"""Cut-offs of findings, fitted to sources left out: an opacity, and one that is typical of COVID-19.

There is an opacity from the probability that CLEAR of the known clear lungs do not reach. An opacity is
atypical if all but MISSED of COVID-19 looks more typical, and typical if all but MISSED of the other diseases
look less typical; if these limits cross, there is nothing in between. Every source counts alike, and in it
every patient. Knows logits. Knows nothing of files or torch.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from covidct.evaluation.calibration.fit import fit_scale
from covidct.evaluation.calibration.left_out import LeftOut
from covidct.evaluation.calibration.weights import find_quantile, to_pool_weights
from covidct.inference.config import Cutoffs
from covidct.stats.resampling import Bools

CLEAR = 0.95
MISSED = 0.2


def fit_cutoffs(known: LeftOut) -> Cutoffs | None:
    """The cut-offs for slices, or for series; None where there is nothing to measure one of them on.

    That takes lungs known to be clear, and opacities of COVID-19 and of other diseases.
    """
    if not known.opacities or not known.clear.any() or not (known.answers.labels == 1).any():
        return None
    ill = known.answers.labels == 1
    # What other diseases show is not known slice by slice, so they have no say in what an opacity is.
    told = replace(known.answers, logits=np.array([one.logit for one in known.opacities])).choose(
        ill | known.clear
    )
    weights = to_pool_weights(told)
    scale = fit_scale(told, weights)
    clear = told.labels == 0
    probabilities = scale.to_probabilities(told.logits)
    opacity = -find_quantile(-probabilities[clear], weights[clear], 1 - CLEAR)
    seen = scale.to_probabilities(np.array([one.logit for one in known.opacities])) >= opacity
    typical = _find_ends(known, seen & (ill | ~known.clear))
    if typical is None:
        return None
    return Cutoffs(temperature=scale.temperature, shift=scale.shift, opacity=opacity, typical=typical)


def _find_ends(known: LeftOut, seen: Bools) -> tuple[float, float] | None:
    """Where atypical ends and typical begins, among opacities `seen` (n,)."""
    logits = np.array([one.typical for one in known.opacities])
    shown = replace(known.answers, logits=logits).choose(seen)
    ill = shown.labels == 1
    if ill.all() or not ill.any():
        return None
    weights = to_pool_weights(shown)
    low = find_quantile(shown.logits[ill], weights[ill], MISSED)
    high = -find_quantile(-shown.logits[~ill], weights[~ill], MISSED)
    return (low, high) if low <= high else ((low + high) / 2, (low + high) / 2)
