"""How well a few numbers per slice separate COVID-19 from the rest: a small forest, split by patient.

If a probe does well on data without signs of disease, a network can learn the same. Knows arrays; nothing of
files, pixels or what its columns mean.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import comb

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import StratifiedGroupKFold

from covidct.audit.verdict import Curve, Finding, Level
from covidct.stats.curves import roc_points
from covidct.stats.estimate import TAIL
from covidct.stats.metrics import estimate_auc
from covidct.stats.resampling import Bools, Floats
from covidct.types import Estimate

Matrix = NDArray[np.floating]

FOLDS = 5
# With few slices more trees change nothing but the time, and probes run before every training.
TREES, FEW_TREES, FEW = 100, 50, 200
LEAF = 3
# Up to so many slices a suspicion is looked at again, with other folds.
ENOUGH, REPEATS = 500, 3
# More slices make the answer no different: 100,000 would take half an hour.
CAP = 4000
WARN_AUC, FAIL_AUC = 0.60, 0.75
POINTS = 200


@dataclass(frozen=True)
class Probe:
    """What a probe found.

    `auc` has its 95 % interval over patients, or the reason why there is none; `curve` is None where it is
    undefined. `probabilities` is (n,) in [0, 1], NaN for slices that were not drawn. `patients` counts the
    groups with a COVID-19 slice and those with another.
    """

    auc: Estimate
    curve: Curve | None
    probabilities: Floats = field(compare=False, repr=False)
    patients: tuple[int, int]

    @property
    def level(self) -> Level:
        """How bad it is that this probe does so well."""
        return to_level(self.auc, self.patients)

    @property
    def note(self) -> str:
        """Which slices it was measured on, where that is not all of them."""
        n = self.probabilities.size
        drawn = int(np.isfinite(self.probabilities).sum())
        return f"measured on {drawn} of {n} slices, drawn at random" if 0 < drawn < n else ""


def run_probe(
    matrix: Matrix,
    labels: ArrayLike,
    groups: Sequence[str],
    *,
    seed: int = 0,
    name: str = "probe",
) -> Probe:
    """Classify each slice with a random forest whose trees never saw its patient.

    `matrix` is (n, k) float without NaN, `labels` (n,) int, 1 is COVID-19; `groups` (n,) the slices'
    patients; `name` is the curve's. Of more than 4,000 slices as many are drawn by `seed`, half of each
    class where there are enough, which leaves the AUC as it is. Where few slices raise suspicion, they are
    divided into folds anew, twice, and the mildest answer stands: chance alone, with five folds of a hundred
    patients, gives an AUC of 0.63 too often. The same arguments give the same answer.

    Source: Breiman 2001. Raises ValueError for lengths that differ.
    """
    y, names = np.asarray(labels).astype(np.int64), np.asarray(groups, dtype=str)
    if not len(matrix) == y.size == names.size:
        raise ValueError(f"matrix, labels and groups have lengths {len(matrix)}, {y.size} and {names.size}")
    drawn = _draw(y, seed)
    patients = _count(y[drawn], names[drawn])
    if min(patients) < 2:
        nothing = np.full(y.size, np.nan)
        return Probe(Estimate(None, None, None, y.size, _why_not(patients)), None, nothing, patients)
    probe = _probe(np.asarray(matrix), y, names, drawn, seed, name)
    if probe.level is Level.PASS or is_plain(probe) or drawn.size > ENOUGH:
        return probe
    again = [_probe(np.asarray(matrix), y, names, drawn, seed + more, name) for more in range(1, REPEATS)]
    return min((probe, *again), key=lambda one: (one.level.rank, one.auc.value or 0.0))


def _probe(
    matrix: Matrix,
    y: NDArray[np.int64],
    groups: NDArray[np.str_],
    drawn: NDArray[np.intp],
    seed: int,
    name: str,
) -> Probe:
    """Run the probe once, on the slices that were drawn."""
    values = np.full(y.size, np.nan)
    values[drawn] = _predict(matrix[drawn], y[drawn], groups[drawn], seed)
    auc = measure_part(values, y, groups, np.ones(y.size, bool))
    return Probe(auc, _curve(name, y[drawn], values[drawn]), values, _count(y[drawn], groups[drawn]))


def measure_part(probabilities: Floats, labels: ArrayLike, groups: ArrayLike, part: Bools) -> Estimate:
    """AUC with its interval on those slices of a part (n,) that the probe was measured on."""
    chosen = part & np.isfinite(probabilities)
    y = np.asarray(labels).astype(np.int64)[chosen]
    return estimate_auc(y, probabilities[chosen], np.asarray(groups, dtype=str)[chosen])


def to_level(auc: Estimate, patients: tuple[int, int]) -> Level:
    """Fail above 0.75, warn above 0.60, where the interval leaves 0.5 out; `patients` as in `Probe`.

    Where chance is not left out, a value above 0.75 warns all the same.
    """
    value = auc.value or 0.0
    if value > FAIL_AUC:
        return Level.FAIL if is_beyond_chance(auc, patients) else Level.WARN
    return Level.WARN if value > WARN_AUC and is_beyond_chance(auc, patients) else Level.PASS


def is_beyond_chance(auc: Estimate, patients: tuple[int, int]) -> bool:
    """Whether the interval lies above 0.5.

    A probe without error has no interval, as it is the same in every resample. Then the chance is counted
    that patients fall into this order by luck.
    """
    if auc.value is None:
        return False
    if auc.low is None:
        return auc.value > 1 - 1e-9 and is_enough(patients)
    return auc.low > 0.5


def is_enough(patients: tuple[int, int]) -> bool:
    """Whether so many patients of either class could tell anything: no chance order them without error."""
    # Of thousands of patients there are more orders than a float can count: compared, not multiplied.
    return comb(sum(patients), min(patients)) >= 1 / TAIL


def judge(probe: Probe, what: str) -> Finding:
    """Say in a sentence that starts with `what` how well the probe does, and whether that may be chance."""
    if probe.auc.value is None:
        return Finding(Level.WARN, f"{what}: not measured, as it is {probe.auc.reason}.")
    if not is_enough(probe.patients):
        ill, well = probe.patients
        few = f"{ill} patients with COVID-19 and {well} without are too few to tell anything"
        return Finding(Level.WARN, f"{what}: not measured, as {few}.")
    text = f"{what}: AUC {probe.auc.to_text()}"
    if probe.auc.value > WARN_AUC and not is_beyond_chance(probe.auc, probe.patients):
        text += "; that may be chance: the set is too small to know"
    return Finding(probe.level, f"{text}.")


def pick_sources(sources: Sequence[str], labels: Sequence[int]) -> dict[str, Bools]:
    """Source -> its slices (n,), of sources with both classes, by name; empty where there is one source."""
    names, y = np.asarray(sources, dtype=str), np.asarray(labels)
    found = np.unique(names)
    parts = {str(name): names == name for name in found if found.size > 1}
    return {name: part for name, part in parts.items() if np.unique(y[part]).size == 2}


def is_plain(probe: Probe) -> bool:
    """Whether all of the interval is bad, so that nobody has to look twice."""
    return probe.level is Level.FAIL and (probe.auc.low is None or probe.auc.low > FAIL_AUC)


def _count(labels: NDArray[np.int64], groups: NDArray[np.str_]) -> tuple[int, int]:
    return np.unique(groups[labels == 1]).size, np.unique(groups[labels == 0]).size


def _why_not(patients: tuple[int, int]) -> str:
    which = "with" if patients[0] < 2 else "without"
    return f"undefined: a probe needs two patients {which} COVID-19, there are {min(patients)}"


def _draw(labels: NDArray[np.int64], seed: int) -> NDArray[np.intp]:
    """Indices of at most `CAP` slices, in order; the smaller class whole, where it is below half of that."""
    if labels.size <= CAP:
        return np.arange(labels.size)
    rng = np.random.default_rng(seed)
    counts = np.bincount(labels, minlength=2)
    positives = min(max(CAP // 2, CAP - int(counts[0])), int(counts[1]))
    wanted = {1: positives, 0: CAP - positives}
    parts = [rng.choice(np.flatnonzero(labels == label), n, replace=False) for label, n in wanted.items()]
    return np.sort(np.concatenate(parts))


def _predict(
    matrix: NDArray[np.floating], y: NDArray[np.int64], groups: NDArray[np.str_], seed: int
) -> Floats:
    """Out-of-fold probabilities, (n,); a half each where the columns do not vary."""
    values = np.full(y.size, 0.5)
    varying = matrix[:, np.ptp(matrix, axis=0) > 0]
    if not varying.size:
        return values
    folds = StratifiedGroupKFold(min(FOLDS, *_count(y, groups)), shuffle=True, random_state=seed)
    for train, test in folds.split(varying, y, groups):
        if test.size and np.unique(y[train]).size == 2:
            values[test] = (
                _forest(train.size, seed).fit(varying[train], y[train]).predict_proba(varying[test])[:, 1]
            )
    return values


def _forest(n: int, seed: int) -> RandomForestClassifier:
    return RandomForestClassifier(
        FEW_TREES if n < FEW else TREES,
        min_samples_leaf=LEAF,
        class_weight="balanced",
        n_jobs=1 if n < FEW else 2,
        random_state=seed,
    )


def _curve(name: str, labels: NDArray[np.int64], values: Floats) -> Curve:
    """The ROC curve, thinned to some 200 points where it has more."""
    x, y = roc_points(labels, values)
    kept = np.unique(np.linspace(0, x.size - 1, min(x.size, POINTS)).astype(int))
    return Curve(name, x[kept], y[kept])
