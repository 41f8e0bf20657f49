from __future__ import annotations

import json
import math
from dataclasses import FrozenInstanceError

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bundles import CONFIG_TABLE
from covidct.bundle import parse_config
from covidct.decide import decide, to_decision, to_probability
from covidct.types import Decision, OperatingPoint, Reason

CONFIG = parse_config(json.dumps(CONFIG_TABLE).encode())
POINT = CONFIG.operating_points[0]
EVIDENCE = np.zeros((4, 4), np.float32)
LOGITS = st.floats(-1e4, 1e4)
TEMPERATURES = st.floats(0.05, 20)


def logit_of(probability: float) -> float:
    return CONFIG.temperature * math.log(probability / (1 - probability))


@given(logit=LOGITS, temperature=TEMPERATURES)
def test_a_probability_is_one(logit: float, temperature: float) -> None:
    probability = to_probability(logit, temperature=temperature)
    assert 0 <= probability <= 1
    opposite = to_probability(-logit, temperature=temperature)
    assert probability + opposite == pytest.approx(1, abs=1e-12)


@given(first=LOGITS, second=LOGITS, temperature=TEMPERATURES)
def test_more_logit_is_never_less_probability(first: float, second: float, temperature: float) -> None:
    low, high = (to_probability(value, temperature=temperature) for value in sorted((first, second)))
    assert low <= high


@pytest.mark.parametrize(
    ("logit", "probability"), [(1e4, 1.0), (-1e4, 0.0), (0.0, 0.5), (math.inf, 1), (-math.inf, 0)]
)
def test_the_ends_do_not_overflow(logit: float, probability: float) -> None:
    assert to_probability(logit, temperature=0.05) == probability


def test_temperature_divides() -> None:
    assert to_probability(2.0, temperature=2.0) == pytest.approx(1 / (1 + math.exp(-1)))
    assert to_probability(2.0, temperature=4.0) < to_probability(2.0, temperature=1.0)


@pytest.mark.parametrize(
    ("probability", "decision"),
    [
        (0.0, Decision.NEGATIVE),
        (math.nextafter(0.4, 0), Decision.NEGATIVE),
        (0.4, Decision.INDETERMINATE),
        (0.5, Decision.INDETERMINATE),
        (0.6, Decision.INDETERMINATE),
        (math.nextafter(0.6, 1), Decision.POSITIVE),
        (1.0, Decision.POSITIVE),
    ],
)
def test_the_ends_of_the_band_belong_to_it(probability: float, decision: Decision) -> None:
    assert to_decision(probability, POINT) is decision


def test_a_threshold_outside_its_band() -> None:
    point = OperatingPoint("odd", threshold=0.3, band=(0.5, 0.6), sensitivity=1, specificity=1)
    wanted = {0.2: "negative", 0.3: "positive", 0.4: "positive", 0.55: "indeterminate", 0.7: "positive"}
    assert {value: to_decision(value, point) for value in wanted} == wanted


@pytest.mark.parametrize(
    ("probability", "decision", "plausible", "reason"),
    [
        (0.9, Decision.POSITIVE, ("covid",), None),
        (0.1, Decision.NEGATIVE, ("non-covid",), None),
        (0.5, Decision.INDETERMINATE, ("covid", "non-covid"), Reason.NEAR_THRESHOLD),
    ],
)
def test_prediction_sets(
    probability: float, decision: Decision, plausible: tuple[str, ...], reason: Reason | None
) -> None:
    prediction = decide(logit_of(probability), EVIDENCE, CONFIG, point=POINT)
    assert prediction.probability == pytest.approx(probability)
    assert prediction.logit == logit_of(probability)
    assert prediction.decision is decision
    assert prediction.prediction_set == plausible
    assert prediction.reason is reason
    assert prediction.evidence is EVIDENCE


def test_another_point_decides_otherwise() -> None:
    logit = logit_of(0.3)
    assert decide(logit, EVIDENCE, CONFIG, point=POINT).decision is Decision.NEGATIVE
    assert decide(logit, EVIDENCE, CONFIG, point=CONFIG.operating_points[1]).decision is Decision.POSITIVE


def test_is_frozen() -> None:
    prediction = decide(0.0, EVIDENCE, CONFIG, point=POINT)
    with pytest.raises(FrozenInstanceError):
        prediction.probability = 1.0  # type: ignore[misc]
