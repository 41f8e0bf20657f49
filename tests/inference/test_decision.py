from __future__ import annotations

import json
import math
from dataclasses import FrozenInstanceError

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bundles import CONFIG_TABLE
from covidct.inference.config import parse_config
from covidct.inference.decision import decide, to_decision, to_probability
from covidct.types import Decision, OperatingPoint, Reason

CONFIG = parse_config(json.dumps(CONFIG_TABLE).encode())
POINT = CONFIG.operating_points[0]
EVIDENCE = np.zeros((4, 4), np.float32)
LOGITS = st.floats(-1e4, 1e4)
TEMPERATURES = st.floats(0.05, 20)
SHIFTS = st.floats(-20, 20)


def logit_of(probability: float) -> float:
    return CONFIG.shift + CONFIG.temperature * math.log(probability / (1 - probability))


@given(logit=LOGITS, temperature=TEMPERATURES, shift=SHIFTS)
def test_a_probability_is_one(logit: float, temperature: float, shift: float) -> None:
    probability = to_probability(logit, temperature=temperature, shift=shift)
    assert 0 <= probability <= 1
    opposite = to_probability(-logit, temperature=temperature, shift=-shift)
    assert probability + opposite == pytest.approx(1, abs=1e-12)


@given(first=LOGITS, second=LOGITS, temperature=TEMPERATURES, shift=SHIFTS)
def test_more_logit_is_never_less_probability(
    first: float, second: float, temperature: float, shift: float
) -> None:
    low, high = (
        to_probability(value, temperature=temperature, shift=shift) for value in sorted((first, second))
    )
    assert low <= high


@pytest.mark.parametrize(
    ("logit", "probability"), [(1e4, 1.0), (-1e4, 0.0), (0.0, 0.5), (math.inf, 1), (-math.inf, 0)]
)
def test_the_ends_do_not_overflow(logit: float, probability: float) -> None:
    assert to_probability(logit, temperature=0.05, shift=0) == probability


def test_temperature_divides_what_is_beyond_the_shift() -> None:
    assert to_probability(2.0, temperature=2.0, shift=0) == pytest.approx(1 / (1 + math.exp(-1)))
    assert to_probability(2.0, temperature=4.0, shift=0) < to_probability(2.0, temperature=1.0, shift=0)
    assert to_probability(2.0, temperature=4.0, shift=2.0) == 0.5


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


@st.composite
def points(draw: st.DrawFn) -> OperatingPoint:
    """Any point that a bundle may hold."""
    low, threshold, high = sorted(draw(st.lists(st.floats(0, 1), min_size=3, max_size=3)))
    return OperatingPoint("any", threshold, (low, high), 1, 1, (0.1, 0.1), (1, 1))


@given(logit=st.floats(-50, 50), point=points())
def test_decision_and_set_never_contradict(logit: float, point: OperatingPoint) -> None:
    prediction = decide(logit, EVIDENCE, CONFIG, point=point)
    probability, (low, high) = prediction.probability, point.band
    # Conformal sets: COVID-19 from the lower end on, all else up to the upper one; never empty.
    kept = {"covid": probability >= low, "non-covid": probability <= high}
    plausible = {label for label in kept if kept[label]}
    assert plausible
    assert set(prediction.prediction_set) == plausible
    wanted: dict[tuple[str, ...], str] = {("covid",): "positive", ("non-covid",): "negative"}
    assert prediction.decision == wanted.get(prediction.prediction_set, "indeterminate")
    if prediction.decision is not Decision.INDETERMINATE:
        assert (prediction.decision is Decision.POSITIVE) == (probability >= point.threshold)


@given(point=points())
def test_decision_and_set_agree_at_the_ends_themselves(point: OperatingPoint) -> None:
    for end in (*point.band, point.threshold):
        assert to_decision(end, point) is Decision.INDETERMINATE


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
