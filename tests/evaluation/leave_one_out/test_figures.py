from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from covidct.errors import ManifestError
from covidct.evaluation.leave_one_out.figures import average, calibrate_home, to_gains, to_standings
from covidct.evaluation.leave_one_out.trials import Kept, Logits
from covidct.inference.decision import to_decision
from covidct.stats.metrics import evaluate_scores
from covidct.types import Estimate

PATIENTS = 40


def draw(rng: np.random.Generator, *, gap: float, patients: int = PATIENTS) -> Logits:
    """Two slices a patient; logits that tell the labels apart by `gap`."""
    labels = np.repeat(np.arange(patients) % 2, 2)
    return Logits(
        paths=tuple(f"{number}.png" for number in range(2 * patients)),
        labels=labels.astype(np.int64),
        patients=tuple(f"p{number // 2}" for number in range(2 * patients)),
        logits=rng.normal(size=labels.size) + gap * (labels - 0.5),
        sources=("home",) * labels.size,
        splits=("tune", "calibrate") * patients,
    )


def make(seed: int, *, gap: float = 1.0, **changes: Any) -> Kept:
    rng = np.random.default_rng(seed)
    kept = Kept("covid-ct", "tiny", seed, {"manifest_sha256": "0"}, draw(rng, gap=gap), draw(rng, gap=4.0))
    return replace(kept, **changes)


def test_the_mean_of_seeds_is_the_mean_of_their_aucs() -> None:
    seeds = [make(seed) for seed in range(3)]
    (row,) = to_standings(seeds)
    assert list(row.aucs) == [0, 1, 2]
    known = [auc for auc in row.aucs.values() if auc is not None]
    assert row.metrics["auc"].value == pytest.approx(np.mean(known))
    assert len(set(known)) == 3
    assert (row.slices, row.positives, row.patients) == (80, 40, PATIENTS)


def test_one_seed_alone_has_the_interval_of_its_own_evaluation() -> None:
    one = make(0)
    (row,) = to_standings([one])
    carried = calibrate_home(one.home)
    alone = evaluate_scores(
        one.external.labels,
        carried.scale.to_probabilities(one.external.logits),
        one.external.patients,
        threshold=carried.point.threshold,
    )
    for name in ("auc", "sensitivity", "specificity", "ece"):
        assert row.metrics[name].value == pytest.approx(alone.metrics[name].value)
        assert row.metrics[name].low == pytest.approx(alone.metrics[name].low)
        assert row.metrics[name].high == pytest.approx(alone.metrics[name].high)


def test_the_sets_of_home_are_measured_abroad() -> None:
    one = make(0)
    (row,) = to_standings([one])
    carried = calibrate_home(one.home)
    decisions = np.array(
        [
            to_decision(float(p), carried.point).value
            for p in carried.scale.to_probabilities(one.external.logits)
        ]
    )
    ill = one.external.labels == 1
    assert row.metrics["coverage_positive"].value == pytest.approx((decisions[ill] != "negative").mean())
    assert row.metrics["coverage_negative"].value == pytest.approx((decisions[~ill] != "positive").mean())
    assert row.metrics["indeterminate"].value == pytest.approx((decisions == "indeterminate").mean())
    assert row.metrics["coverage_positive"].low is not None
    assert row.metrics["coverage_positive"].n == 40


def test_seeds_that_err_alike_do_not_narrow_the_interval() -> None:
    one = make(0)
    alike = [replace(one, seed=seed) for seed in range(3)]
    (alone,), (thrice,) = to_standings([one]), to_standings(alike)
    assert thrice.metrics["auc"].low == pytest.approx(alone.metrics["auc"].low)
    assert thrice.metrics["auc"].high == pytest.approx(alone.metrics["auc"].high)


def test_seeds_that_err_apart_are_better_together() -> None:
    (row,) = to_standings([make(seed) for seed in range(5)])
    assert row.together.value is not None
    assert row.together.value > max(auc for auc in row.aucs.values() if auc is not None)


def test_the_threshold_is_carried_from_tune_and_sees_nothing_abroad() -> None:
    one = make(0)
    moved = replace(one, external=replace(one.external, logits=one.external.logits + 50))
    (row,) = to_standings([moved])
    assert (row.metrics["sensitivity"].value, row.metrics["specificity"].value) == (1.0, 0.0)
    assert calibrate_home(one.home) == calibrate_home(moved.home)


def test_without_both_labels_in_calibrate_tune_gives_the_temperature() -> None:
    home = make(0).home
    spared = np.array(home.splits) == "calibrate"
    lame = replace(
        home,
        splits=tuple(
            "train" if s and y else p for s, y, p in zip(spared, home.labels, home.splits, strict=True)
        ),
    )
    tune = replace(home, splits=tuple("tune" if p == "tune" else "train" for p in home.splits))
    assert calibrate_home(lame) == calibrate_home(tune)


def test_a_source_with_one_label_has_no_auc_and_says_why() -> None:
    one = make(0)
    only = one.external.labels == 0
    external = Logits(
        tuple(np.array(one.external.paths)[only]),
        one.external.labels[only],
        tuple(np.array(one.external.patients)[only]),
        one.external.logits[only],
    )
    (row,) = to_standings([replace(one, external=external)])
    assert row.metrics["auc"] == Estimate(None, None, None, 40, "undefined: no COVID-19 slices")
    assert row.metrics["specificity"].value is not None
    assert row.aucs == {0: None}


def test_the_same_in_every_resample_is_no_interval() -> None:
    found = Estimate(0.5, 0.5, 0.5, 8)
    assert (
        average([found], [{"auc": np.full(9, 0.5)}], "auc").reason
        == "no interval: the same in every resample"
    )


def test_seeds_that_scored_different_slices_are_not_averaged() -> None:
    one, two = make(0), make(1)
    other = replace(two, external=replace(two.external, paths=("x.png", *two.external.paths[1:])))
    with pytest.raises(ManifestError, match="scored different slices; remove the older"):
        to_standings([one, other])


# --- recipes apart


def tell_apart(seed: int, *, recipe: str, external: float) -> Kept:
    rng = np.random.default_rng(seed)
    return make(seed, recipe=recipe, external=draw(rng, gap=external))


def test_the_better_recipe_is_named_first_with_the_difference_of_the_means() -> None:
    kept = [
        tell_apart(seed, recipe=recipe, external=gap)
        for recipe, gap in (("good", 4.0), ("poor", 0.5))
        for seed in range(3)
    ]
    rows = {row.recipe: row.metrics["auc"].value for row in to_standings(kept)}
    assert rows["good"] is not None
    assert rows["poor"] is not None
    for order in (kept, kept[3:] + kept[:3]):
        (gain,) = to_gains(order)
        assert (gain.left_out, gain.recipe, gain.over) == ("covid-ct", "good", "poor")
        assert gain.auc.value == pytest.approx(rows["good"] - rows["poor"])
        assert gain.auc.low is not None
        assert gain.auc.low > 0


def test_the_same_patients_are_drawn_for_both_recipes() -> None:
    one = tell_apart(0, recipe="one", external=1.0)
    (gain,) = to_gains([one, replace(one, recipe="two")])
    assert (gain.auc.value, gain.auc.low, gain.auc.high) == (0, 0, 0)


def test_three_recipes_make_three_pairs_and_each_source_its_own() -> None:
    kept = [
        tell_apart(0, recipe=recipe, external=gap) for recipe, gap in (("a", 1.0), ("b", 2.0), ("c", 3.0))
    ]
    kept += [replace(one, left_out="elsewhere") for one in kept]
    assert len(to_gains(kept)) == 6
    assert to_gains(kept[:1]) == ()


def test_recipes_that_scored_other_slices_are_not_compared() -> None:
    one, other = tell_apart(0, recipe="one", external=1.0), tell_apart(1, recipe="other", external=2.0)
    moved = replace(other.external, paths=("x.png", *other.external.paths[1:]))
    assert to_gains([one, replace(other, external=moved)]) == ()


def test_a_source_with_one_label_ranks_no_recipes() -> None:
    one = make(0)
    external = replace(one.external, labels=np.zeros_like(one.external.labels))
    assert to_gains([replace(one, recipe=name, external=external) for name in ("a", "b")]) == ()
