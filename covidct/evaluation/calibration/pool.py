"""Calibration on sources left out: every slice as a model saw it that was trained without its source.

Scale, threshold and sets from home fit home. What a model says of a hospital that it never saw is known only
from hospitals that it never saw; so each source is predicted by a training without it (`covidct benchmark`),
and all count alike, however many slices they have. How far that carries to the next hospital is measured by
leaving each out of the pool in turn. It is no promise: the sources are few.

Knows files of a benchmark and logits. Knows nothing of training.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from sklearn.metrics import roc_curve

from covidct.data.manifest import Manifest, Row
from covidct.data.recipe import Recipe
from covidct.data.teaching import find_values
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
from covidct.evaluation.leave_one_out.trials import Kept, read_trials
from covidct.stats.resampling import Bools, Floats
from covidct.types import OperatingPoint

DOUBTED = 0.5  # from there on a label says too little of its slice to calibrate on
POOLED = 2  # sources of each label, at the least


@dataclass(frozen=True)
class Carried:
    """What points fitted on the other sources do on `source`, (positive, negative) where two are given.

    `undecided` is the share of its slices, `accuracy` the balanced accuracy of the rest, nan where one label
    is never decided; `coverage` the share of each label whose sets hold it.
    """

    source: str
    slices: tuple[int, int]
    undecided: float
    accuracy: float
    coverage: tuple[float, float]


def read_pool(folder: Path, recipe: Recipe, manifest: Manifest) -> Slices:
    """The slices of a benchmark's trials with this recipe, by what was left out; doubted labels are not in.

    Raises ManifestError where there are fewer than two sources of either label, or of another manifest.
    """
    trials = [kept for kept in read_trials(folder) if kept.recipe == recipe.name]
    if strange := [kept.left_out for kept in trials if kept.record["manifest_sha256"] != manifest.digest]:
        raise ManifestError(
            f"{folder}: {strange[0]} was left out of another manifest; run the benchmark again"
        )
    rows = {manifest.name(row): row for row in manifest.rows}
    parts = [_read(kept, recipe, rows) for kept in trials]
    pool = Slices(
        np.concatenate([part.logits for part in parts]) if parts else np.zeros(0),
        np.concatenate([part.labels for part in parts]) if parts else np.zeros(0, np.int64),
        [name for part in parts for name in part.sources],
        [name for part in parts for name in part.patients],
    )
    sources = np.array(pool.sources)
    if min(len(set(sources[pool.labels == label].tolist())) for label in (0, 1)) < POOLED:
        raise ManifestError(
            f"{folder}: holds fewer than {POOLED} sources of each label left out of recipe {recipe.name}; "
            "leave out more (covidct benchmark)"
        )
    return pool


def calibrate_pool(pool: Slices) -> tuple[Scale, tuple[OperatingPoint, ...]]:
    """Scale and operating points, *balanced* and *high_sensitivity*; every source counts alike."""
    weights = to_pool_weights(pool)
    scale = fit_scale(pool, weights)
    probabilities = scale.to_probabilities(pool.logits)
    balanced = _find_balanced(probabilities, pool, weights)
    sensitive = _find_sensitive(probabilities, pool, weights)
    return scale, (
        _to_point("balanced", balanced, pool, weights, probabilities, alpha=ALPHA),
        _to_point("high_sensitivity", sensitive, pool, weights, probabilities, alpha=SENSITIVE_ALPHA),
    )


def carry(pool: Slices) -> tuple[Carried, ...]:
    """For each source, what points from all the others do on it."""
    names = np.array(pool.sources)
    found = []
    for name in dict.fromkeys(pool.sources):
        here = names == name
        scale, points = calibrate_pool(pool.choose(~here))
        found.append(_measure(name, pool.choose(here), scale, points[0]))
    return tuple(found)


def to_pool_weights(pool: Slices) -> Floats:
    """Weights (n,), half of them of each label, in that every source alike, in that every patient."""
    sources, patients = np.array(pool.sources), np.array(pool.patients)
    weights = np.zeros(len(pool.labels))
    for label in (0, 1):
        names = sorted(set(sources[pool.labels == label].tolist()))
        for name in names:
            own = (sources == name) & (pool.labels == label)
            _, place, count = np.unique(patients[own], return_inverse=True, return_counts=True)
            share = 1 / count[place]
            weights[own] = 0.5 * share / share.sum() / len(names)
    return weights


def _read(kept: Kept, recipe: Recipe, rows: Mapping[str, Row]) -> Slices:
    """A trial's external slices, without those that show no lungs: they get no answer."""
    external = kept.external
    doubt = find_values([rows[path] for path in external.paths], recipe.teaching.doubt)
    known = (external.labels == 0) | (doubt < DOUBTED)
    slices = Slices(external.logits, external.labels, [kept.left_out] * len(doubt), external.patients)
    return slices.choose(known & (external.extents > 0))


def _find_balanced(probabilities: Floats, pool: Slices, weights: Floats) -> float:
    """The threshold with the largest sum of sensitivity and specificity."""
    false, true, thresholds = roc_curve(pool.labels, probabilities, sample_weight=weights)
    # The first threshold is infinite: nobody positive.
    return halve_gap(probabilities, float(thresholds[1 + int(np.argmax((true - false)[1:]))]))


def _find_sensitive(probabilities: Floats, pool: Slices, weights: Floats) -> float:
    """The highest threshold that keeps the sensitivity asked for."""
    ill = pool.labels == 1
    least = _find_quantile(probabilities[ill], weights[ill], 1 - SENSITIVITY)
    return halve_gap(probabilities, least)


def _to_point(
    name: str,
    threshold: float,
    pool: Slices,
    weights: Floats,
    probabilities: Floats,
    *,
    alpha: tuple[float, float],
) -> OperatingPoint:
    """A point with its band; where its ends cross neither class would be plausible, and it is one number."""
    ill = pool.labels == 1
    low = _find_quantile(probabilities[ill], weights[ill], alpha[0])
    high = -_find_quantile(-probabilities[~ill], weights[~ill], alpha[1])
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
    rates = [right[group & ~both].mean() if (group & ~both).any() else np.nan for group in (ill, ~ill)]
    return Carried(
        source=name,
        slices=(int(ill.sum()), int((~ill).sum())),
        undecided=float(both.mean()),
        accuracy=float(np.mean(rates)),
        coverage=(float(held[ill].mean()), float(held[~ill].mean())),
    )


def _find_quantile(values: Floats, weights: Floats, share: float) -> float:
    """The largest value with at most that share of the weight below it."""
    order = np.argsort(values)
    below = np.cumsum(weights[order]) - weights[order]
    # Rounding must not cost a rank.
    at = int(np.searchsorted(below / weights.sum(), share + 1e-9, side="right")) - 1
    return float(values[order][max(at, 0)])


def _share(flags: Bools, weights: Floats, group: Bools) -> float:
    return float(weights[group & flags].sum() / weights[group].sum())
