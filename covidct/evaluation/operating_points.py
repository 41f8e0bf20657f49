"""What an operating point does on labelled slices: calls, prediction sets, and their worth elsewhere.

Knows probabilities and `metrics`. Knows nothing of bundles, files or how a point was chosen.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from covidct.inference.prevalence import predictive_values
from covidct.stats.estimate import TAIL
from covidct.stats.means import estimate_share
from covidct.stats.metrics import bootstrap_calls, evaluate_calls
from covidct.stats.resampling import Bools, Floats, Ints, Resampling
from covidct.types import Estimate, OperatingPoint

Pair = tuple[Estimate, Estimate]
SIZES = ("set_size_positive", "set_size_negative")


@dataclass(frozen=True)
class Worth:
    """PPV and NPV of the threshold where a share `prevalence` of the slices, in (0, 1), shows COVID-19."""

    prevalence: float
    ppv: Estimate
    npv: Estimate


@dataclass(frozen=True)
class AtPoint:
    """Figures at an operating point, by its `name`.

    `figures` has sensitivity and specificity of the threshold, on all slices; coverage_positive and
    coverage_negative, the share of slices with COVID-19, and of others, whose prediction set holds the truth;
    set_size_positive and set_size_negative, the mean size of these sets, in [1, 2]; indeterminate, the share
    of slices whose set holds both.
    """

    name: str
    figures: Mapping[str, Estimate]
    worths: tuple[Worth, ...]


def measure_point(
    point: OperatingPoint,
    labels: Ints,
    probabilities: Floats,
    groups: Ints,
    *,
    prevalences: Sequence[float],
    resampling: Resampling,
) -> AtPoint:
    """Measure a point on slices (n,): `labels`, 1 for COVID-19, `probabilities`, `groups`, the patients."""
    called = probabilities >= point.threshold
    calls = _rates(labels, called, groups, resampling)
    shares = {
        name: estimate_share(flags[chosen], groups[chosen], resampling)
        for name, (flags, chosen) in to_flags(point, labels, probabilities).items()
    }
    sizes = {name: _add_one(share) if name in SIZES else share for name, share in shares.items()}
    drawn = bootstrap_calls(labels, called, groups, resampling)
    worths = tuple(_to_worth(calls, drawn, prevalence) for prevalence in prevalences)
    return AtPoint(point.name, {"sensitivity": calls[0], "specificity": calls[1], **sizes}, worths)


def to_flags(point: OperatingPoint, labels: Ints, probabilities: Floats) -> dict[str, tuple[Bools, Bools]]:
    """By figure of the prediction sets: of which slices it is true, (n,), and which slices it is about, (n,).

    The truth is held, or both labels are: a set has two labels then, else one.
    """
    low, high = point.band
    ill = labels == 1
    held = np.where(ill, probabilities >= low, probabilities <= high)
    both = (probabilities >= low) & (probabilities <= high)
    return {
        "coverage_positive": (held, ill),
        "coverage_negative": (held, ~ill),
        "set_size_positive": (both, ill),
        "set_size_negative": (both, ~ill),
        "indeterminate": (both, np.ones_like(ill)),
    }


def _rates(labels: Ints, called: Bools, groups: Ints, resampling: Resampling) -> Pair:
    """Sensitivity and specificity."""
    found = evaluate_calls(labels, called, groups, resampling).metrics
    return found["sensitivity"], found["specificity"]


def _add_one(share: Estimate) -> Estimate:
    """The mean size of sets that hold one label, and a share of them both."""
    value, low, high = (None if end is None else 1 + end for end in (share.value, share.low, share.high))
    return replace(share, value=value, low=low, high=high)


def _to_worth(calls: Pair, drawn: Mapping[str, Floats], prevalence: float) -> Worth:
    """PPV and NPV, with intervals from the resampled sensitivity and specificity.

    Both rise with either rate. A rate that is the same in every resample stands at both ends of its exact
    interval instead.
    """
    rates = dict(zip(("sensitivity", "specificity"), calls, strict=True))
    n = sum(rate.n for rate in calls)
    reason = next((rate.reason for rate in calls if rate.low is None), None)
    if any(rate.value is None for rate in calls):
        nothing = Estimate(None, None, None, n, reason)
        return Worth(prevalence, nothing, nothing)
    values = _at_prevalence([np.array([rate.value]) for rate in calls], prevalence)[0]
    ends = [
        np.nanquantile(_at_prevalence(_toward(rates, drawn, end), prevalence), end, axis=0)
        for end in (TAIL, 1 - TAIL)
        if reason is None
    ]
    ppv, npv = (
        _to_estimate(float(value), [float(end[k]) for end in ends], n, reason, word)
        for k, (value, word) in enumerate(zip(values, ("positive", "negative"), strict=True))
    )
    return Worth(prevalence, ppv, npv)


def _toward(rates: Mapping[str, Estimate], drawn: Mapping[str, Floats], end: float) -> list[Floats]:
    """Each rate's resamples, (k,), or, where they are all one, the lower or upper end of its interval."""
    ends = {name: rate.low if end < 0.5 else rate.high for name, rate in rates.items()}
    return [
        drawn[name]
        if np.nanmax(drawn[name]) > np.nanmin(drawn[name])
        else np.full(drawn[name].shape, ends[name])
        for name in rates
    ]


def _at_prevalence(rates: Sequence[Floats], prevalence: float) -> Floats:
    """PPV and NPV, (k, 2), of k pairs of sensitivity and specificity; NaN where undefined."""
    pairs = zip(*rates, strict=True)
    return np.array([predictive_values(a, b, prevalence=prevalence) for a, b in pairs], np.float64)


def _to_estimate(value: float, ends: Sequence[float], n: int, reason: str | None, word: str) -> Estimate:
    if np.isnan(value):
        return Estimate(None, None, None, n, f"undefined: no slice was called {word}")
    if not ends:
        return Estimate(value, None, None, n, reason)
    return Estimate(value, min(ends[0], value), max(ends[1], value), n)
