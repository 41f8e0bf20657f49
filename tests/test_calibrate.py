from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit

from covidct.decide import to_decision
from covidct.train.calibrate import NARROWEST, choose_balanced, choose_band, fit_temperature
from covidct.types import Decision

N = 4000


def simulate(scale: float, *, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Logits of a model that is `scale` times too sure, with the labels that came true."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 2, N)
    return scale * logits, (rng.random(N) < expit(logits)).astype(np.int64)


@pytest.mark.parametrize("scale", [1.5, 3.0])
def test_the_temperature_undoes_overconfidence(scale: float) -> None:
    logits, labels = simulate(scale)
    assert fit_temperature(logits, labels, np.full(N, 1 / N)) == pytest.approx(scale, rel=0.1)


def test_the_temperature_never_makes_a_model_surer() -> None:
    logits, labels = simulate(0.3)
    assert fit_temperature(logits, labels, np.full(N, 1 / N)) == pytest.approx(1, abs=0.01)


def test_the_threshold_lies_between_separable_classes() -> None:
    probabilities = np.array([0.1, 0.2, 0.3, 0.7, 0.8, 0.9])
    point = choose_balanced(probabilities, np.array([0, 0, 0, 1, 1, 1]), ["a"] * 6)
    assert point.threshold == pytest.approx(0.5)
    assert (point.sensitivity, point.specificity) == (1, 1)
    assert point.band == pytest.approx((point.threshold - NARROWEST, point.threshold + NARROWEST))


def test_the_band_widens_until_nine_in_ten_answers_are_right() -> None:
    rng = np.random.default_rng(1)
    probabilities = rng.random(2000)
    guessed = np.abs(probabilities - 0.5) < 0.15
    labels = np.where(guessed, rng.integers(0, 2, 2000), probabilities > 0.5).astype(np.int64)
    low, high = choose_band(probabilities, labels, ["a"] * 2000, threshold=0.5)
    decided = (probabilities < low) | (probabilities > high)
    assert low < 0.5 < high
    assert ((probabilities >= 0.5) == labels)[decided].mean() >= 0.9


def test_the_worst_source_decides_about_the_band() -> None:
    rng = np.random.default_rng(2)
    easy = np.concatenate([rng.uniform(0, 0.2, 300), rng.uniform(0.8, 1, 300)])
    hard = rng.uniform(0.3, 0.7, 200)
    labels = np.concatenate([np.repeat([0, 1], 300), rng.random(200) < hard]).astype(np.int64)
    probabilities, sources = np.concatenate([easy, hard]), ["easy"] * 600 + ["hard"] * 200
    narrow = choose_band(probabilities[:600], labels[:600], sources[:600], threshold=0.5)
    assert narrow == pytest.approx((0.5 - NARROWEST, 0.5 + NARROWEST))
    low, high = choose_band(probabilities, labels, sources, threshold=0.5)
    assert high - low >= 0.2 - 1e-9


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 1000), st.integers(10, 200))
def test_every_choice_is_a_usable_operating_point(seed: int, n: int) -> None:
    rng = np.random.default_rng(seed)
    labels = np.concatenate([[0, 1], rng.integers(0, 2, n)])
    probabilities = rng.random(n + 2)
    point = choose_balanced(probabilities, labels, [str(name) for name in rng.integers(0, 3, n + 2)])
    assert 0 <= point.band[0] <= point.threshold <= point.band[1] <= 1
    assert to_decision(1.0, point) in (Decision.POSITIVE, Decision.INDETERMINATE)
