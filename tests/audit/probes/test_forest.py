"""Forests out of fold: what they find, what they must not find, and when they say nothing."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from covidct.audit.probes.forest import (
    CAP,
    Probe,
    is_beyond_chance,
    is_enough,
    judge,
    measure_part,
    pick_sources,
    run_probe,
    to_level,
)
from covidct.audit.verdict import Level
from covidct.types import Estimate


def cohort(patients: int, slices: int = 1) -> tuple[list[int], list[str]]:
    """Labels and groups of so many patients a class."""
    labels = [at % 2 for at in range(2 * patients) for _ in range(slices)]
    return labels, [f"p{at}" for at in range(2 * patients) for _ in range(slices)]


def noise(n: int, k: int = 6, seed: int = 0) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    return np.random.default_rng(seed).normal(size=(n, k))


def estimate(value: float, low: float | None = None, high: float | None = None) -> Estimate:
    return Estimate(value, low, high, 100)


def test_a_shortcut_is_found() -> None:
    labels, groups = cohort(30)
    matrix = noise(60)
    matrix[:, 2] += 3 * np.array(labels)
    probe = run_probe(matrix, labels, groups, name="made up")
    assert probe.auc.value is not None
    assert probe.auc.value > 0.9
    assert probe.level is Level.FAIL
    assert probe.curve is not None
    assert probe.curve.name == "made up"
    assert (np.diff(probe.curve.x) >= 0).all()
    assert probe.patients == (30, 30)


def test_noise_is_no_shortcut() -> None:
    labels, groups = cohort(25)
    levels = [run_probe(noise(50, seed=seed), labels, groups).level for seed in range(8)]
    assert levels.count(Level.PASS) >= 7, "an interval of 95 % may miss once"
    assert Level.FAIL not in levels


def test_what_tells_patients_apart_tells_nothing_of_new_ones() -> None:
    """Each patient has a signature: random folds would score near 1."""
    labels, groups = cohort(20, slices=6)
    signature = np.repeat(noise(40, 4, seed=3), 6, axis=0) + 0.01 * noise(240, 4, seed=4)
    probe = run_probe(signature, labels, groups)
    assert probe.auc.value is not None
    assert probe.auc.value < 0.7
    assert probe.level is Level.PASS


def test_the_same_arguments_give_the_same_answer() -> None:
    labels, groups = cohort(20, slices=2)
    first, second = (run_probe(noise(80), labels, groups) for _ in range(2))
    assert first == second
    assert (first.probabilities == second.probabilities).all()


def test_columns_that_do_not_vary_say_nothing() -> None:
    labels, groups = cohort(10)
    probe = run_probe(np.ones((20, 3)), labels, groups)
    assert (probe.auc.value, probe.level) == (0.5, Level.PASS)
    assert run_probe(np.ones((20, 0)), labels, groups).auc.value == 0.5


@pytest.mark.parametrize(
    ("labels", "groups", "words"),
    [
        ([1, 1, 0, 0], ["a", "a", "b", "c"], "two patients with COVID-19"),
        ([1, 1, 0, 0], ["a", "b", "c", "c"], "two patients without COVID-19"),
        ([1, 1, 1, 1], ["a", "b", "c", "d"], "two patients without COVID-19"),
        ([], [], "two patients with COVID-19"),
    ],
)
def test_too_few_patients_have_no_answer(labels: list[int], groups: list[str], words: str) -> None:
    probe = run_probe(noise(len(labels)), labels, groups)
    assert (probe.auc.value, probe.curve, probe.level) == (None, None, Level.PASS)
    assert probe.auc.reason is not None
    assert words in probe.auc.reason
    assert "not measured" in judge(probe, "This").text


def test_lengths_must_agree() -> None:
    with pytest.raises(ValueError, match="lengths 3, 4 and 4"):
        run_probe(noise(3), [0, 1, 0, 1], ["a", "b", "c", "d"])


@settings(deadline=None, max_examples=15)
@given(data=st.data())
def test_any_grouping_has_an_answer(data: st.DataObject) -> None:
    """Patients with both classes, few patients, uneven ones: a value in [0, 1] or a reason."""
    n = data.draw(st.integers(1, 30))
    labels = data.draw(st.lists(st.integers(0, 1), min_size=n, max_size=n))
    groups = data.draw(st.lists(st.sampled_from("abcdef"), min_size=n, max_size=n))
    probe = run_probe(noise(n), labels, groups)
    if probe.auc.value is None:
        assert probe.auc.reason
        assert np.isnan(probe.probabilities).all()
    else:
        assert 0 <= probe.auc.value <= 1
        assert ((probe.probabilities >= 0) & (probe.probabilities <= 1)).all()


def test_large_sets_are_drawn_from() -> None:
    n = CAP + 600
    labels, groups = [int(at < 300) for at in range(n)], [f"p{at // 10}" for at in range(n)]
    probe = run_probe(np.array(labels)[:, None] + noise(n, 1), labels, groups)
    drawn = np.isfinite(probe.probabilities)
    assert drawn.sum() == CAP
    assert drawn[:300].all(), "the smaller class is kept whole"
    assert probe.auc.n == CAP
    assert probe.note == f"measured on {CAP} of {n} slices, drawn at random"


def test_a_patient_who_is_not_drawn_does_not_count() -> None:
    """The second patient of a class has one slice of ten thousand, which chance is likely to leave out."""
    labels = [0] * 10_000 + [1] * 10_000
    groups = ["a"] * 9_999 + ["b"] + ["c", "d"] * 5_000
    probe = run_probe(np.zeros((20_000, 1)), labels, groups)
    assert probe.patients == (2, 1)
    assert probe.auc.value is None


@pytest.mark.parametrize(
    ("auc", "level"),
    [
        (estimate(0.9, 0.8, 0.95), Level.FAIL),
        (estimate(0.9, 0.45, 1.0), Level.WARN),
        (estimate(0.7, 0.6, 0.8), Level.WARN),
        (estimate(0.7, 0.45, 0.9), Level.PASS),
        (estimate(0.58, 0.55, 0.61), Level.PASS),
        (estimate(0.1, 0.0, 0.2), Level.PASS),
        (estimate(1.0), Level.FAIL),
        (estimate(0.5), Level.PASS),
        (Estimate(None, None, None, 0, "undefined"), Level.PASS),
    ],
)
def test_levels(auc: Estimate, level: Level) -> None:
    assert to_level(auc, (10, 10)) is level


def test_perfection_by_three_patients_may_be_luck() -> None:
    assert not is_beyond_chance(estimate(1.0), (3, 3))
    assert is_beyond_chance(estimate(1.0), (4, 4))
    assert to_level(estimate(1.0), (2, 2)) is Level.WARN


def test_a_small_set_is_called_too_small() -> None:
    doubtful = Probe(estimate(0.7, 0.45, 0.9), None, np.zeros(8), (4, 4))
    sure = Probe(estimate(0.7, 0.55, 0.9), None, np.zeros(8), (4, 4))
    assert judge(doubtful, "Files").text.startswith("Files: AUC 0.70 (0.45–0.90); that may be chance")
    assert judge(sure, "Files").text == "Files: AUC 0.70 (0.55–0.90)."
    assert (judge(doubtful, "Files").level, judge(sure, "Files").level) == (Level.PASS, Level.WARN)


def test_a_part_is_measured_alone() -> None:
    labels, groups = cohort(10)
    probabilities = np.where(np.array(labels) == 1, 0.9, 0.1)
    probabilities[10:] = 1 - probabilities[10:]
    part = np.arange(20) < 10
    assert measure_part(probabilities, labels, groups, part).value == 1
    assert measure_part(probabilities, labels, groups, ~part).value == 0
    assert measure_part(probabilities, labels, groups, part & (np.array(labels) == 1)).value is None


def test_sources_with_one_class_are_not_picked() -> None:
    picked = pick_sources(["a", "a", "b", "b", "c"], [0, 1, 1, 1, 0])
    assert {name: part.tolist() for name, part in picked.items()} == {"a": [True, True, False, False, False]}
    assert pick_sources(["a", "a"], [0, 1]) == {}


@pytest.mark.parametrize(("patients", "enough"), [((3, 3), False), ((10, 10), True), ((5_000, 5_000), True)])
def test_how_many_patients_can_tell_anything(patients: tuple[int, int], enough: bool) -> None:
    assert is_enough(patients) is enough
