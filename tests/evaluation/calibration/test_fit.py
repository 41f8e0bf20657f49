from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit

from covidct.evaluation.calibration.fit import (
    PREVALENCE,
    SENSITIVE_ALPHA,
    SENSITIVITY,
    Scale,
    Slices,
    calibrate,
    choose_known,
    choose_sensitive,
    find_limits,
    fit_scale,
)
from covidct.inference.decision import to_decision, to_probability
from covidct.types import Decision, OperatingPoint

N = 4000
PLAIN = Scale(1.0, 0.0)


def simulate(scale: float, *, shift: float = 0.0, n: int = N, seed: int = 0) -> Slices:
    """Logits of a model that is `scale` times too sure and off by `shift`, with the labels that came true."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 2, n)
    labels = (rng.random(n) < expit(logits)).astype(np.int64)
    return Slices(scale * logits + shift, labels, ["a"] * n, [f"p{number}" for number in range(n)])


def make(labels: list[int], logits: list[float], *, source: str = "a", patients: str = "") -> Slices:
    names = list(patients) or [f"{source}-{number}" for number in range(len(labels))]
    return Slices(np.array(logits, float), np.array(labels), [source] * len(labels), names)


def join(*parts: Slices) -> Slices:
    return Slices(
        np.concatenate([part.logits for part in parts]),
        np.concatenate([part.labels for part in parts]),
        [name for part in parts for name in part.sources],
        [name for part in parts for name in part.patients],
    )


@pytest.mark.parametrize(("scale", "shift"), [(0.5, 1.0), (1.5, -2.0), (3.0, 0.0)])
def test_the_scale_undoes_what_was_done_to_the_logits(scale: float, shift: float) -> None:
    found = fit_scale(simulate(scale, shift=shift))
    assert found.temperature == pytest.approx(scale, rel=0.1)
    assert found.shift == pytest.approx(shift, abs=0.15 * scale)


def test_probabilities_are_those_of_prediction() -> None:
    scale, logits = Scale(1.7, -0.4), np.linspace(-9, 9, 7)
    wanted = [to_probability(float(one), temperature=1.7, shift=-0.4) for one in logits]
    assert scale.to_probabilities(logits) == pytest.approx(wanted)


@pytest.mark.parametrize("rarity", [0.5, 0.1])
def test_they_hold_where_half_of_the_slices_are_positive_however_rare_they_were(rarity: float) -> None:
    slices, rng = simulate(1.0), np.random.default_rng(1)
    kept = slices.choose((slices.labels == 0) | (rng.random(N) < rarity))
    probabilities = fit_scale(kept).to_probabilities(kept.logits)
    means = [probabilities[kept.labels == label].mean() for label in (0, 1)]
    assert np.mean(means) == pytest.approx(PREVALENCE, abs=0.02)


def test_few_patients_are_not_believed_to_be_sure_however_many_slices() -> None:
    labels, logits = [0] * 50 + [1] * 50, [-5.0] * 50 + [5.0] * 50
    few = fit_scale(make(labels, logits, patients="abcde" * 10 + "vwxyz" * 10))
    # Five patients of a class: 6 in 7, as if one more had been and half of him had been wrong.
    assert few.to_probabilities(np.array([-5.0, 5.0])) == pytest.approx([1 / 7, 6 / 7], abs=1e-3)
    many = fit_scale(make(labels, logits))
    assert many.to_probabilities(np.array([5.0]))[0] == pytest.approx(51 / 52, abs=1e-3)
    assert few.temperature > many.temperature


def test_a_source_with_one_label_moves_nothing() -> None:
    home = simulate(1.0, shift=0.5, n=400)
    screening = make([0] * 300, [-6.0] * 300, source="screening")
    both = join(home, screening)
    assert fit_scale(choose_known(both)) == fit_scale(home)
    assert fit_scale(both) != fit_scale(home)
    assert calibrate(both, home) == calibrate(home, home)


def test_where_each_source_has_one_label_all_are_used_and_both_labels_weigh_alike() -> None:
    ill, well = make([1] * 30, [2.0, 0.0] * 15, source="x"), make([0] * 300, [-2.0, 0.0] * 150, source="y")
    both = join(ill, well)
    assert choose_known(both) is both
    probabilities = fit_scale(both).to_probabilities(np.array([-2.0, 2.0]))
    assert probabilities.sum() == pytest.approx(1, abs=0.1)


def test_without_both_labels_in_calibrate_tune_stands_in() -> None:
    tune = simulate(1.0, n=300)
    none = tune.choose(np.zeros(300, bool))
    lame = tune.choose(tune.labels == 0)
    assert calibrate(none, tune) == calibrate(lame, tune) == calibrate(tune, tune)


# --- prediction sets


def test_the_limit_has_the_usual_rank_with_one_slice_a_patient() -> None:
    n, alpha = 39, 0.1
    probabilities = np.arange(1, n + 1) / 100
    rank = int(np.ceil((n + 1) * (1 - alpha)))
    labels, patients = np.zeros(n, int), [f"{number}" for number in range(n)]
    # A positive far above, so that both classes are there.
    low, high = find_limits(
        np.append(probabilities, 0.9), np.append(labels, 1), [*patients, "x"], alpha=(alpha, alpha)
    )
    assert high == pytest.approx(probabilities[rank - 1])
    assert low == 0  # one patient promises nothing
    low, high = find_limits(
        np.append(1 - probabilities, 0.1), np.append(1 - labels, 0), [*patients, "x"], alpha=(alpha, alpha)
    )
    assert (low, high) == pytest.approx((1 - probabilities[rank - 1], 1))


@pytest.mark.parametrize(("patients", "promised"), [(8, False), (9, True)])
def test_too_few_patients_promise_nothing(patients: int, promised: bool) -> None:
    names = [f"p{number}" for number in range(patients)] * 20
    labels = np.repeat([1, 0], len(names))
    _, high = find_limits(np.full(2 * len(names), 0.3), labels, names * 2, alpha=(0.1, 0.1))
    assert high == (0.3 if promised else 1)


def test_a_patient_with_many_slices_counts_once() -> None:
    names = [f"p{number}" for number in range(30)]
    plain = np.linspace(0.01, 0.3, 30)
    many = np.full(500, 0.95)
    probabilities = np.concatenate([plain, many, [0.99]])
    labels = np.array([0] * 530 + [1])
    _, high = find_limits(probabilities, labels, [*names, *(["loud"] * 500), "x"], alpha=(0.1, 0.1))
    assert high in plain


def test_coverage_of_new_patients_is_what_was_promised() -> None:
    """Patients differ, their slices are alike: over many draws nine in ten new slices are held."""

    def draw(rng: np.random.Generator, patients: int) -> tuple[np.ndarray, list[str]]:
        sizes = rng.integers(1, 30, patients)
        middles = np.repeat(rng.normal(-1, 1.5, patients), sizes)
        names = np.repeat([f"p{number}" for number in range(patients)], sizes)
        return expit(middles + rng.normal(0, 0.3, middles.size)), names.tolist()

    held, naive = [], []
    for seed in range(120):
        rng = np.random.default_rng(seed)
        probabilities, names = draw(rng, 25)
        labels = np.append(np.zeros(probabilities.size, int), 1)
        seen, known = np.append(probabilities, 0.9), [*names, "x"]
        new, _ = draw(rng, 100)
        held.append((new <= find_limits(seen, labels, known, alpha=(0.1, 0.1))[1]).mean())
        apart = [str(number) for number in range(len(known))]
        naive.append((new <= find_limits(seen, labels, apart, alpha=(0.1, 0.1))[1]).mean())
    assert 0.895 <= np.mean(held) <= 0.94
    # As if slices were exchangeable: less is held than promised.
    assert np.mean(naive) < np.mean(held)


# --- operating points


def test_the_threshold_lies_between_separable_classes() -> None:
    labels, logits = [0] * 20 + [1] * 20, [*np.linspace(-4, -2, 20), *np.linspace(2, 4, 20)]
    slices = make(labels, logits)
    scale, (balanced, sensitive) = calibrate(slices, slices)
    assert scale.to_probabilities(np.zeros(1))[0] == pytest.approx(balanced.threshold, abs=0.05)
    for point in (balanced, sensitive):
        assert point.specificity == 1
        assert point.coverage == (1, 1)
        # Limits cross where nothing is in doubt: the band is the threshold alone, and no set is empty.
        assert point.band == (point.threshold, point.threshold)
    assert balanced.sensitivity == 1
    assert [point.name for point in (balanced, sensitive)] == ["balanced", "high_sensitivity"]


def test_high_sensitivity_keeps_it_and_no_more_than_it_must() -> None:
    slices = simulate(1.0, n=1000)
    point = choose_sensitive(slices, slices, PLAIN)
    probabilities = PLAIN.to_probabilities(slices.logits)
    ill = slices.labels == 1
    assert point.sensitivity >= SENSITIVITY
    assert (probabilities[ill] >= point.threshold).mean() < SENSITIVITY + 0.005
    assert point.alpha == SENSITIVE_ALPHA
    assert point.threshold < calibrate(slices, slices)[1][0].threshold


def test_high_sensitivity_is_kept_where_calibrate_was_easier_than_tune() -> None:
    """The limit of COVID-19 follows the threshold down; the threshold does not climb to the limit."""
    tune = simulate(1.0, n=1000)
    easy = replace(tune, logits=np.where(tune.labels == 1, 5.0, -1.0))
    point = choose_sensitive(easy, tune, PLAIN)
    assert point.sensitivity >= SENSITIVITY
    assert point.band[0] <= point.threshold <= point.band[1]


def test_every_source_weighs_in() -> None:
    big = make([0] * 400 + [1] * 400, [*np.linspace(-3, 0.5, 400), *np.linspace(-0.5, 3, 400)], source="big")
    small = make([0] * 40 + [1] * 40, [*np.linspace(-6, -3, 40), *np.linspace(-3.2, 0, 40)], source="small")
    both = join(big, small)
    alone = choose_sensitive(big, big, PLAIN)
    assert choose_sensitive(both, both, PLAIN).threshold < alone.threshold


def check(point: OperatingPoint, tune: Slices, probabilities: np.ndarray) -> None:
    low, high = point.band
    assert 0 <= low <= point.threshold <= high <= 1
    decisions = np.array([to_decision(float(one), point).value for one in probabilities])
    ill = tune.labels == 1
    assert point.coverage[0] == pytest.approx((decisions[ill] != Decision.NEGATIVE).mean())
    assert point.coverage[1] == pytest.approx((decisions[~ill] != Decision.POSITIVE).mean())


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 1000), st.integers(2, 80), st.integers(2, 80), st.floats(-3, 3))
def test_every_choice_is_a_usable_operating_point(seed: int, spared: int, n: int, gap: float) -> None:
    """Also where the model is worse than chance, nearly constant, or known from two patients."""
    rng = np.random.default_rng(seed)

    def draw(n: int) -> Slices:
        labels = np.concatenate([[0, 1], rng.integers(0, 2, n)])
        logits = np.round(rng.normal(size=n + 2) + gap * labels, 1)
        sources = [str(name) for name in rng.integers(0, 3, n + 2)]
        return Slices(logits, labels, sources, [str(name) for name in rng.integers(0, 9, n + 2)])

    tune = draw(n)
    scale, points = calibrate(draw(spared), tune)
    assert np.isfinite([scale.temperature, scale.shift]).all()
    assert scale.temperature > 0
    for point in points:
        check(point, tune, scale.to_probabilities(tune.logits))
    assert points[1].sensitivity >= SENSITIVITY or len(set(tune.sources)) > 1
