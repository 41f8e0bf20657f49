"""Calibration on sources left out: each slice is scored by a model trained without its source.

Scale, threshold and sets fitted to the training hospitals fit only those. How a model behaves in a new
hospital can be learned only from hospitals that it has not seen; so each source is predicted by a training
without it (`covidct benchmark`), and all have the same weight, however many slices they have. How well that
carries over to another hospital is measured by leaving each source out of the pool in turn. It is no
guarantee: the sources are few.

Knows files of a benchmark and logits. Knows nothing of training.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from sklearn.metrics import roc_curve

from covidct.data.manifest import Manifest, Row
from covidct.data.recipe import Recipe
from covidct.errors import ManifestError
from covidct.evaluation.calibration.fit import (
    ALPHA,
    SENSITIVE_ALPHA,
    SENSITIVITY,
    Scale,
    Slices,
    fit_scale,
    halve_gap,
)
from covidct.evaluation.calibration.left_out import LeftOut, to_left_out, to_series
from covidct.evaluation.calibration.weights import find_quantile, to_pool_weights
from covidct.evaluation.leave_one_out.trials import Kept, read_trials
from covidct.stats.resampling import Bools, Floats
from covidct.types import OperatingPoint

POOLED = 2  # sources of each label, at the least
# How often a slice's set may miss COVID-19, and everything else. Where the others are ill, many look like
# COVID-19: to hold nine in ten of them would leave most of COVID-19 undecided in all other hospitals.
SLICE_ALPHA = (ALPHA[0], 0.175)


@dataclass(frozen=True)
class Carried:
    """How points fitted on the other sources perform on `source`; pairs are (positive, negative).

    `undecided` is the share of its slices or series, `accuracy` the balanced accuracy of the others, None if
    one label is never decided; `coverage` the share of each label whose sets hold it, None without that
    label.
    """

    source: str
    slices: tuple[int, int]
    undecided: float
    accuracy: float | None
    coverage: tuple[float | None, float | None]


@dataclass(frozen=True)
class Pool:
    """The answers for sources left out: for `slices`, and for the `series` they form."""

    slices: LeftOut
    series: LeftOut


def read_pool(folder: Path, recipe: Recipe, manifest: Manifest) -> Pool:
    """A benchmark's trials with this recipe, by source left out; without slices whose label is in doubt.

    Raises ManifestError where there are fewer than two sources of either label, or of another manifest.
    """
    trials = [kept for kept in read_trials(folder) if kept.recipe == recipe.name]
    if strange := [kept.left_out for kept in trials if kept.record["manifest_sha256"] != manifest.digest]:
        raise ManifestError(
            f"{folder}: {strange[0]} was left out of another manifest; run the benchmark again"
        )
    rows = {manifest.name(row): row for row in manifest.rows}
    parts = [_read(kept, recipe, rows) for kept in trials]
    slices = _concatenate([slices.known for slices, _ in parts])
    if not has_sources(slices.answers):
        raise ManifestError(
            f"{folder}: holds fewer than {POOLED} sources of each label left out of recipe {recipe.name}; "
            "leave out more (covidct benchmark)"
        )
    return Pool(slices, _concatenate([series for _, series in parts]))


def has_sources(pool: Slices) -> bool:
    """Whether there are enough sources of either label to calibrate on."""
    sources = np.array(pool.sources)
    return min(len(set(sources[pool.labels == label].tolist())) for label in (0, 1)) >= POOLED


def calibrate_pool(
    pool: Slices, *, alpha: tuple[float, float] = ALPHA
) -> tuple[Scale, tuple[OperatingPoint, ...]]:
    """Scale and operating points, *balanced* and *high_sensitivity*; every source has the same weight.

    `alpha` is how often sets of *balanced* may miss COVID-19, and everything else.
    """
    weights = to_pool_weights(pool)
    scale = fit_scale(pool, weights)
    probabilities = scale.to_probabilities(pool.logits)
    thresholds = {
        "balanced": (_find_balanced(probabilities, pool, weights), alpha),
        "high_sensitivity": (_find_sensitive(probabilities, pool, weights), (SENSITIVE_ALPHA[0], alpha[1])),
    }
    return scale, tuple(
        _to_point(name, threshold, pool.labels == 1, weights, probabilities, alpha=own)
        for name, (threshold, own) in thresholds.items()
    )


def carry(pool: Slices, *, alpha: tuple[float, float] = ALPHA) -> tuple[Carried, ...]:
    """For each source, how points from all others perform on it; left out if the others are too few."""
    names = np.array(pool.sources)
    found = []
    for name in dict.fromkeys(pool.sources):
        here = names == name
        if has_sources(others := pool.choose(~here)):
            scale, points = calibrate_pool(others, alpha=alpha)
            found.append(_measure(name, pool.choose(here), scale, points[0]))
    return tuple(found)


def _read(kept: Kept, recipe: Recipe, rows: Mapping[str, Row]) -> tuple[LeftOut, LeftOut]:
    """A trial's external slices, without those that show no lungs, which get no answer; and their series."""
    external = kept.external
    lungs = external.extents > 0
    own = [rows[path] for path, is_lung in zip(external.paths, lungs, strict=True) if is_lung]
    answers = Slices(
        external.logits, external.labels, [kept.left_out] * len(external.paths), external.patients
    ).choose(lungs)
    opacities = [one for one, is_lung in zip(external.opacities, lungs, strict=False) if is_lung]
    slices = to_left_out(answers, opacities, own, recipe.teaching)
    return slices, to_series(slices, own)


def _concatenate(parts: Sequence[LeftOut]) -> LeftOut:
    answers = [part.answers for part in parts]
    return LeftOut(
        Slices(
            np.concatenate([np.zeros(0), *(one.logits for one in answers)]),
            np.concatenate([np.zeros(0, np.int64), *(one.labels for one in answers)]),
            [name for one in answers for name in one.sources],
            [name for one in answers for name in one.patients],
        ),
        tuple(one for part in parts for one in part.opacities),
        np.concatenate([np.zeros(0, np.bool_), *(part.clear for part in parts)]),
        np.concatenate([np.zeros(0), *(part.doubt for part in parts)]),
        tuple(kind for part in parts for kind in part.kinds),
    )


def _find_balanced(probabilities: Floats, pool: Slices, weights: Floats) -> float:
    """The threshold with the largest sum of sensitivity and specificity."""
    false, true, thresholds = roc_curve(pool.labels, probabilities, sample_weight=weights)
    # The first threshold is infinite: nobody positive.
    return halve_gap(probabilities, float(thresholds[1 + int(np.argmax((true - false)[1:]))]))


def _find_sensitive(probabilities: Floats, pool: Slices, weights: Floats) -> float:
    """The highest threshold that keeps the sensitivity asked for."""
    ill = pool.labels == 1
    least = find_quantile(probabilities[ill], weights[ill], 1 - SENSITIVITY)
    return halve_gap(probabilities, least)


def _to_point(
    name: str,
    threshold: float,
    ill: Bools,
    weights: Floats,
    probabilities: Floats,
    *,
    alpha: tuple[float, float],
) -> OperatingPoint:
    """A point with its band; where its ends cross neither class would be plausible, and it is one number."""
    low = find_quantile(probabilities[ill], weights[ill], alpha[0])
    high = -find_quantile(-probabilities[~ill], weights[~ill], alpha[1])
    threshold = float(np.clip(threshold, min(low, high), max(low, high)))
    band = (low, high) if low <= high else (threshold, threshold)
    called = probabilities >= threshold
    held = np.where(ill, probabilities >= band[0], probabilities <= band[1])
    return OperatingPoint(
        name=name,
        threshold=threshold,
        band=band,
        sensitivity=_share(called, weights, ill),
        specificity=_share(~called, weights, ~ill),
        alpha=alpha,
        coverage=(_share(held, weights, ill), _share(held, weights, ~ill)),
    )


def _measure(name: str, here: Slices, scale: Scale, point: OperatingPoint) -> Carried:
    probabilities, ill = scale.to_probabilities(here.logits), here.labels == 1
    low, high = point.band
    both = (probabilities >= low) & (probabilities <= high)
    right = np.where(ill, probabilities > high, probabilities < low)
    held = np.where(ill, probabilities >= low, probabilities <= high)
    rates = [_mean(right[group & ~both]) for group in (ill, ~ill)]
    return Carried(
        source=name,
        slices=(int(ill.sum()), int((~ill).sum())),
        undecided=float(both.mean()),
        accuracy=None if rates[0] is None or rates[1] is None else (rates[0] + rates[1]) / 2,
        coverage=(_mean(held[ill]), _mean(held[~ill])),
    )


def _mean(flags: Bools) -> float | None:
    return float(flags.mean()) if flags.size else None


def _share(flags: Bools, weights: Floats, group: Bools) -> float:
    return float(weights[group & flags].sum() / weights[group].sum())
