from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from covidct.inference.prevalence import predictive_values, shift_probability, to_prevalence
from figures.points import POINT

SHARES = st.floats(1e-6, 1 - 1e-6)


def odds(share: float) -> float:
    return share / (1 - share)


@given(probability=SHARES, prevalence=SHARES, before=SHARES)
def test_odds_are_multiplied(probability: float, prevalence: float, before: float) -> None:
    shifted = shift_probability(probability, prevalence=prevalence, calibrated_at=before)
    wanted = odds(probability) * odds(prevalence) / odds(before)
    assert shifted == pytest.approx(wanted / (1 + wanted), rel=1e-6)


@given(probability=st.floats(0, 1), prevalence=SHARES)
def test_at_its_own_prevalence_nothing_changes(probability: float, prevalence: float) -> None:
    same = shift_probability(probability, prevalence=prevalence, calibrated_at=prevalence)
    assert same == pytest.approx(probability)


@given(probability=SHARES, prevalence=SHARES)
def test_there_and_back(probability: float, prevalence: float) -> None:
    there = shift_probability(probability, prevalence=prevalence, calibrated_at=0.5)
    assert shift_probability(there, prevalence=0.5, calibrated_at=prevalence) == pytest.approx(probability)


@pytest.mark.parametrize("certain", [0.0, 1.0])
def test_what_is_certain_stays_so(certain: float) -> None:
    assert shift_probability(certain, prevalence=1e-12, calibrated_at=0.5) == certain


def test_predictive_values_count_a_population() -> None:
    # Of 1000: 50 ill, 45 of them called so; 950 well, 190 of them called ill.
    ppv, npv = predictive_values(0.9, 0.8, prevalence=0.05)
    assert ppv == pytest.approx(45 / (45 + 190))
    assert npv == pytest.approx(760 / (760 + 5))


def test_where_nothing_is_called_so_there_is_no_value() -> None:
    ppv, npv = predictive_values(0, 1, prevalence=0.1)
    assert (ppv, npv) == (None, 0.9)
    ppv, npv = predictive_values(1, 0, prevalence=0.1)
    assert (ppv, npv) == (0.1, None)


@pytest.mark.parametrize("prevalence", [0, 1, -0.1, 5, math.nan])
def test_what_is_no_prevalence(prevalence: float) -> None:
    with pytest.raises(ValueError, match="must lie between 0 and 1"):
        to_prevalence(0.5, POINT, prevalence=prevalence, calibrated_at=0.5)


def test_an_answer_at_a_prevalence() -> None:
    worth = to_prevalence(0.5, POINT, prevalence=0.05, calibrated_at=0.5)
    assert (worth.prevalence, worth.probability) == pytest.approx((0.05, 0.05))
    assert (worth.ppv, worth.npv) == pytest.approx(predictive_values(0.9, 0.8, prevalence=0.05))
