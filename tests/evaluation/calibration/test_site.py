from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit

from covidct.errors import ManifestError
from covidct.evaluation.calibration.fit import Scale, Slices
from covidct.evaluation.calibration.site import (
    FOLDS,
    PATIENTS,
    Calibration,
    answer,
    answer_by_folds,
    check_enough,
    compare,
    count_patients,
    deal_folds,
    fit_site,
    with_figures,
)
from covidct.stats.resampling import Resampling
from covidct.types import OperatingPoint
from figures.sites import simulate

HOME = Calibration(
    Scale(1.0, 0.0),
    (
        OperatingPoint("balanced", 0.5, (0.4, 0.6), 0.9, 0.9, (0.1, 0.1), (0.9, 0.9)),
        OperatingPoint("high_sensitivity", 0.3, (0.2, 0.6), 0.95, 0.8, (0.05, 0.1), (0.95, 0.9)),
    ),
)


def test_a_shift_is_mended_and_said_to_be() -> None:
    found = compare(simulate(shift=3.0), HOME, resampling=Resampling(200))
    assert found.slices == (90, 90)
    assert found.patients == (30, 30)
    before, after = found.before, found.after
    assert before.ece.value is not None
    assert after.ece.value is not None
    assert after.ece.value < before.ece.value / 2
    assert before.points["balanced"]["specificity"].value == pytest.approx(0.1, abs=0.1)
    assert after.points["balanced"]["specificity"].value == pytest.approx(0.8, abs=0.12)
    assert found.is_better
    assert found.brier.high < 0
    assert found.accuracy.low > 0


def test_where_nothing_was_wrong_nothing_gets_better() -> None:
    """Simulated as the home calibration has it: there is nothing to gain, only noise to lose by."""
    random = np.random.default_rng(4)
    logits = random.normal(0, 2, 400)
    labels = (random.random(400) < expit(logits)).astype(np.int64)
    slices = Slices(logits, labels, ["h"] * 400, [f"{at}" for at in range(400)])
    found = compare(slices, HOME, resampling=Resampling(200))
    assert abs(found.brier.value) < 0.01
    assert found.brier.low <= found.brier.value <= found.brier.high
    assert found.brier.high >= 0


def test_the_mix_of_the_slices_is_no_error_of_calibration() -> None:
    """A hospital with a tenth of COVID-19, and probabilities that hold at one half, as they should."""
    random = np.random.default_rng(1)
    labels = np.repeat([1, 0], (300, 2700))
    # Normal logits at +2 and -2 with variance 4 have sigmoid(logit) for probability, at one half.
    slices = Slices(random.normal(4.0 * labels - 2, 2), labels, ["h"] * 3000, [f"{at}" for at in range(3000)])
    ece = compare(slices, HOME, resampling=Resampling(50)).before.ece.value
    assert ece is not None
    assert ece < 0.02


def test_each_fold_is_answered_by_the_others_alone() -> None:
    """Labels of a fold turned over change nothing of what is said of it."""
    slices = simulate(shift=0.0, patients=40)
    folds = deal_folds(slices, seed=0)
    told = answer_by_folds(slices, folds)
    for fold in range(FOLDS):
        own = folds == fold
        other = replace(slices, labels=np.where(own, 1 - slices.labels, slices.labels))
        again = answer_by_folds(other, folds)
        assert np.array_equal(again.probabilities[own], told.probabilities[own])
        assert not np.array_equal(again.probabilities[~own], told.probabilities[~own])


def test_answers_stand_in_the_order_of_the_slices() -> None:
    slices = simulate(shift=1.0, patients=40)
    told = answer_by_folds(slices, deal_folds(slices, seed=3))
    # Each fold's scale rises, so over all they nearly do; out of order they would not.
    assert np.corrcoef(np.argsort(np.argsort(slices.logits)), told.probabilities)[0, 1] > 0.9
    own = answer(HOME, slices)
    assert (
        own.flags["balanced"]["sensitivity"].tolist()
        == ((own.probabilities >= 0.5) == (slices.labels == 1)).tolist()
    )


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from("01b"), st.sampled_from("xyz"), st.integers(1, 3)), min_size=1),
    st.integers(0, 5),
)
def test_folds_divide_no_patient_and_are_even_by_label(drawn: list[tuple[str, str, int]], seed: int) -> None:
    rows = [
        (source, f"{source}/{number}", int(label))
        for number, (said, source, each) in enumerate(drawn)
        for label in ("01" if said == "b" else said)
        for _ in range(each)
    ]
    sources, patients, labels = zip(*rows, strict=True)
    slices = Slices(np.zeros(len(rows)), np.array(labels), sources, patients)
    folds = deal_folds(slices, seed=seed)
    assert set(folds.tolist()) <= set(range(FOLDS))
    pairs = set(zip(patients, folds.tolist(), strict=True))
    assert len(pairs) == len(set(patients))
    for label in (0, 1):
        names = {name for name, own in zip(patients, labels, strict=True) if own == label}
        in_fold = [sum(name in names for name, own in pairs if own == fold) for fold in range(FOLDS)]
        assert max(in_fold) <= -(-len(names) // FOLDS)
    assert np.array_equal(folds, deal_folds(slices, seed=seed))


@pytest.mark.parametrize(("ill", "well"), [(PATIENTS - 1, 40), (40, PATIENTS - 1), (40, 0), (0, 40)])
def test_too_few_patients_of_either_label_are_refused(ill: int, well: int) -> None:
    labels = np.repeat([1, 1, 0], (ill, ill, well))
    names = [*[f"i{at}" for at in range(ill)] * 2, *[f"w{at}" for at in range(well)]]
    slices = Slices(np.zeros(labels.size), labels, ["h"] * labels.size, names)
    assert count_patients(slices) == (ill, well)
    with pytest.raises(
        ManifestError, match=rf"^here: {ill} patients with COVID-19 and {well} without, .* 10 of"
    ):
        check_enough(slices, where="here")


@pytest.mark.parametrize("patients", [2 * PATIENTS, 2 * PATIENTS + 2])
def test_with_just_enough_patients_sets_rule_something_out_in_every_fold(patients: int) -> None:
    slices = simulate(shift=0.0, patients=patients, own=6.0)
    check_enough(slices, where="here")
    found = compare(slices, HOME, resampling=Resampling(50))
    shares = found.after.points["balanced"]
    assert shares["indeterminate"].value is not None
    assert shares["indeterminate"].value < 0.5
    # One in twenty cannot be promised by so few.
    assert found.after.points["high_sensitivity"]["coverage_positive"].value == 1.0


def test_points_say_what_the_folds_measured() -> None:
    slices = simulate(shift=1.0)
    found, plain = compare(slices, HOME, resampling=Resampling(50)), fit_site(slices)
    told = with_figures(plain, found.after)
    for point, own in zip(told.points, plain.points, strict=True):
        figures = found.after.points[point.name]
        assert (point.threshold, point.band, point.alpha) == (own.threshold, own.band, own.alpha)
        assert point.sensitivity == figures["sensitivity"].value
        assert point.coverage == (figures["coverage_positive"].value, figures["coverage_negative"].value)
    assert told.scale == plain.scale


def test_sets_keep_their_promise_for_other_patients_of_the_hospital() -> None:
    """Over forty hospitals of 20 patients each: coverage of 200 others."""
    covered = []
    for seed in range(40):
        calibration = fit_site(simulate(shift=2.0, patients=40, each=1, seed=seed))
        others = simulate(shift=2.0, patients=400, each=1, seed=1000 + seed)
        flags, ill = answer(calibration, others).flags["balanced"], others.labels == 1
        covered.append([flags["coverage_positive"][ill].mean(), flags["coverage_negative"][~ill].mean()])
    assert np.mean(covered, axis=0) == pytest.approx([0.91, 0.91], abs=0.03)
