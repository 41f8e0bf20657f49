"""The figures of a benchmark: saved logits -> a row for each source left out and recipe.

Probabilities, threshold and prediction sets of a trial come from the logits of its own sources, as in a
bundle. Knows kept files and metrics. Knows nothing of torch or pictures.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, groupby

import numpy as np
from scipy.special import expit

from covidct.errors import ManifestError
from covidct.evaluation.calibration.fit import Scale, Slices, calibrate
from covidct.evaluation.leave_one_out.trials import Kept, Logits
from covidct.evaluation.operating_points import to_flags
from covidct.stats.estimate import TAIL, percentile_interval
from covidct.stats.means import bootstrap_share, estimate_share
from covidct.stats.metrics import bootstrap, discrimination, estimate_auc, evaluate_scores
from covidct.stats.resampling import ONCE, RESAMPLING, Floats, Resampling
from covidct.types import Estimate, OperatingPoint

MEASURED = (
    "auc",
    "sensitivity",
    "specificity",
    "ece",
    "coverage_positive",
    "coverage_negative",
    "indeterminate",
)


@dataclass(frozen=True)
class Carried:
    """What a trial takes to an external source, from home alone: scale of logits, balanced point."""

    scale: Scale
    point: OperatingPoint


@dataclass(frozen=True)
class Standing:
    """A row of the table: one recipe without one source.

    `aucs` are those of each seed; `metrics` the means over seeds, with intervals over patients: auc,
    sensitivity and specificity at the threshold, ece; of the prediction sets coverage_positive and
    coverage_negative, the shares that hold the truth, and indeterminate, that of those that hold both.
    `together` is the AUC of the seeds' averaged logits.
    """

    left_out: str
    recipe: str
    slices: int
    positives: int
    patients: int
    aucs: Mapping[int, float | None]
    metrics: Mapping[str, Estimate]
    together: Estimate


@dataclass(frozen=True)
class Gain:
    """By how much the mean AUC of `recipe` exceeds that of `over`, on the same source left out."""

    left_out: str
    recipe: str
    over: str
    auc: Estimate


@dataclass(frozen=True)
class _Drawn:
    """A recipe's mean AUC over seeds on slices `paths`, and the same of every resample, (resamples,)."""

    recipe: str
    paths: tuple[str, ...]
    auc: float
    drawn: Floats


def calibrate_home(home: Logits) -> Carried:
    """Scale and sets from `calibrate`, or from `tune` where that lacks a label; threshold from `tune`."""
    slices = Slices(home.logits, home.labels, home.sources, home.patients)
    splits = np.array(home.splits)
    scale, points = calibrate(slices.choose(splits == "calibrate"), slices.choose(splits == "tune"))
    return Carried(scale, points[0])


def to_standings(kept: Sequence[Kept], resampling: Resampling = RESAMPLING) -> tuple[Standing, ...]:
    """A row for each source left out and recipe. Raises ManifestError where seeds scored different slices."""
    groups = groupby(kept, key=lambda one: (one.left_out, one.recipe))
    return tuple(_measure(tuple(group), resampling) for _, group in groups)


def to_gains(kept: Sequence[Kept], resampling: Resampling = RESAMPLING) -> tuple[Gain, ...]:
    """Recipes in pairs, the better one first; every resample draws the same patients for both.

    Pairs that did not score the same slices, and sources with one label, have none.
    """
    found: list[Gain] = []
    for left_out, group in groupby(kept, key=lambda one: one.left_out):
        recipes = [tuple(seeds) for _, seeds in groupby(group, key=lambda one: one.recipe)]
        if len(set(recipes[0][0].external.labels.tolist())) == 2 and len(recipes) > 1:
            drawn = [_draw(seeds, resampling) for seeds in recipes]
            found += [
                _subtract(left_out, *pair)
                for pair in combinations(drawn, 2)
                if pair[0].paths == pair[1].paths
            ]
    return tuple(found)


def _draw(seeds: Sequence[Kept], resampling: Resampling) -> _Drawn:
    values, drawn = [], []
    for one in seeds:
        labels, p, patients = one.external.labels, expit(one.external.logits), np.array(one.external.patients)
        values.append(discrimination(labels, p)[0])
        drawn.append(bootstrap(labels, p, patients, threshold=0.5, resampling=resampling)["auc"])
    return _Drawn(seeds[0].recipe, seeds[0].external.paths, float(np.mean(values)), np.mean(drawn, axis=0))


def _subtract(left_out: str, one: _Drawn, other: _Drawn) -> Gain:
    better, worse = (one, other) if one.auc >= other.auc else (other, one)
    value = better.auc - worse.auc
    auc = Estimate(value, *percentile_interval(value, better.drawn - worse.drawn), len(better.paths))
    return Gain(left_out, better.recipe, worse.recipe, auc)


def _measure(seeds: Sequence[Kept], resampling: Resampling) -> Standing:
    first = seeds[0].external
    if any(one.external.paths != first.paths for one in seeds):
        raise ManifestError(
            f"recipe {seeds[0].recipe} without {seeds[0].left_out}: its seeds scored different "
            "slices; remove the older trials"
        )
    carried = [calibrate_home(one.home) for one in seeds]
    single = [_evaluate(own, one.external) for own, one in zip(carried, seeds, strict=True)]
    draws = [_resample(own, one.external, resampling) for own, one in zip(carried, seeds, strict=True)]
    together = expit(np.mean([one.external.logits for one in seeds], axis=0))
    return Standing(
        left_out=seeds[0].left_out,
        recipe=seeds[0].recipe,
        slices=first.labels.size,
        positives=int(first.labels.sum()),
        patients=len(set(first.patients)),
        aucs={one.seed: found["auc"].value for one, found in zip(seeds, single, strict=True)},
        metrics={name: average([found[name] for found in single], draws, name) for name in MEASURED},
        together=estimate_auc(first.labels, together, first.patients, resampling),
    )


def _evaluate(own: Carried, external: Logits) -> dict[str, Estimate]:
    """Every figure of one trial, without intervals."""
    probabilities, patients = own.scale.to_probabilities(external.logits), np.array(external.patients)
    threshold = own.point.threshold
    found = evaluate_scores(external.labels, probabilities, patients, threshold=threshold, resampling=ONCE)
    sets = {
        name: estimate_share(flags[chosen], patients[chosen], ONCE)
        for name, (flags, chosen) in to_flags(own.point, external.labels, probabilities).items()
    }
    return {**found.metrics, **sets}


def _resample(own: Carried, external: Logits, resampling: Resampling) -> dict[str, Floats]:
    """Every figure over resampled patients, (resamples,) each."""
    probabilities, patients = own.scale.to_probabilities(external.logits), np.array(external.patients)
    threshold = own.point.threshold
    found = bootstrap(external.labels, probabilities, patients, threshold=threshold, resampling=resampling)
    sets = {
        name: bootstrap_share(flags[chosen], patients[chosen], resampling)
        for name, (flags, chosen) in to_flags(own.point, external.labels, probabilities).items()
    }
    return {**found, **sets}


def average(found: Sequence[Estimate], draws: Sequence[Mapping[str, Floats]], name: str) -> Estimate:
    """The mean of a metric over seeds, with the interval of that mean over patients.

    Every resample draws the same patients for all seeds and averages their figures; the interval says how
    far the mean would move with other patients, not with other seeds. That of the ECE is as far as its bins
    move, as `metrics` has it: the mean of the seeds' noise bounds the noise of their mean.
    """
    values = [one.value for one in found if one.value is not None]
    if len(values) < len(found):
        return next(one for one in found if one.value is None)
    value, n = float(np.mean(values)), found[0].n
    drawn = np.mean([draw["ece_noise" if name == "ece" else name] for draw in draws], axis=0)
    drawn = drawn[~np.isnan(drawn)]
    if not drawn.size or np.ptp(drawn) == 0:
        return Estimate(value, None, None, n, "no interval: the same in every resample")
    if name == "ece":
        reach = float(np.quantile(drawn, 1 - 2 * TAIL))
        return Estimate(value, max(value - reach, 0.0), min(value + reach, 1.0), n)
    return Estimate(value, *percentile_interval(value, drawn), n)
