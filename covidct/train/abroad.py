"""What the trials of a benchmark measured: kept logits -> a row for each source left out and recipe.

The threshold and the temperature of a trial come from the logits of its own sources, as in a bundle. Knows
kept files and metrics. Knows nothing of torch or pictures.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np
from scipy.special import expit

from covidct.errors import ManifestError
from covidct.metrics import TAIL, Estimate, bootstrap, evaluate_scores
from covidct.resampling import Floats
from covidct.train.balance import to_weights
from covidct.train.calibrate import choose_balanced, fit_temperature
from covidct.train.kept import Kept, Logits

MEASURED = ("auc", "sensitivity", "specificity", "ece")


@dataclass(frozen=True)
class Carried:
    """What a trial carries abroad, from home alone: `temperature` divides logits, `threshold` in [0, 1]."""

    temperature: float
    threshold: float

    def to_probabilities(self, logits: Floats) -> Floats:
        """Probabilities (n,) in [0, 1]."""
        return np.asarray(expit(logits / self.temperature), np.float64)


@dataclass(frozen=True)
class Standing:
    """A row of the table: one recipe without one source.

    `aucs` are those of each seed; `metrics` the means over seeds, with intervals over patients: auc,
    sensitivity, specificity, ece; `together` the AUC of the seeds' averaged logits.
    """

    left_out: str
    recipe: str
    slices: int
    positives: int
    patients: int
    aucs: Mapping[int, float | None]
    metrics: Mapping[str, Estimate]
    together: Estimate


def calibrate_home(home: Logits) -> Carried:
    """Temperature from `calibrate`, or from `tune` where that lacks a label; threshold from `tune`."""
    splits, sources = np.array(home.splits), np.array(home.sources)
    tune, spared = splits == "tune", splits == "calibrate"
    if len(set(home.labels[spared].tolist())) < 2:
        spared = tune
    weights = to_weights(home.labels[spared], sources[spared].tolist())
    temperature = fit_temperature(home.logits[spared], home.labels[spared], weights)
    probabilities = np.asarray(expit(home.logits[tune] / temperature))
    point = choose_balanced(probabilities, home.labels[tune], sources[tune].tolist())
    return Carried(temperature, point.threshold)


def to_standings(kept: Sequence[Kept], *, seed: int = 0, resamples: int = 2000) -> tuple[Standing, ...]:
    """A row for each source left out and recipe. Raises ManifestError where seeds scored different slices."""
    groups = groupby(kept, key=lambda one: (one.left_out, one.recipe))
    return tuple(_measure(tuple(group), seed=seed, resamples=resamples) for _, group in groups)


def _measure(seeds: Sequence[Kept], *, seed: int, resamples: int) -> Standing:
    first = seeds[0].abroad
    if any(one.abroad.paths != first.paths for one in seeds):
        raise ManifestError(
            f"recipe {seeds[0].recipe} without {seeds[0].left_out}: its seeds scored different "
            "slices; remove the older trials"
        )
    carried = [calibrate_home(one.home) for one in seeds]
    given = [own.to_probabilities(one.abroad.logits) for own, one in zip(carried, seeds, strict=True)]
    single = [
        evaluate_scores(first.labels, p, first.patients, threshold=own.threshold, seed=seed, resamples=1)
        for p, own in zip(given, carried, strict=True)
    ]
    draws = [
        bootstrap(first.labels, p, first.patients, threshold=own.threshold, seed=seed, resamples=resamples)
        for p, own in zip(given, carried, strict=True)
    ]
    together = expit(np.mean([one.abroad.logits for one in seeds], axis=0))
    return Standing(
        left_out=seeds[0].left_out,
        recipe=seeds[0].recipe,
        slices=first.labels.size,
        positives=int(first.labels.sum()),
        patients=single[0].patients,
        aucs={one.seed: found.metrics["auc"].value for one, found in zip(seeds, single, strict=True)},
        metrics={name: average([found.metrics[name] for found in single], draws, name) for name in MEASURED},
        together=evaluate_scores(
            first.labels, together, first.patients, threshold=0.5, seed=seed, resamples=resamples
        ).metrics["auc"],
    )


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
    low, high = (float(q) for q in np.quantile(drawn, (TAIL, 1 - TAIL)))
    return Estimate(value, min(low, value), max(high, value), n)
