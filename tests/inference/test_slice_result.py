from __future__ import annotations

import pytest

from covidct.inference.decision import to_prediction
from covidct.inference.slice_result import say_undecided
from covidct.types import OperatingPoint

LABELS = ("covid", "non-covid")


def make_point(band: tuple[float, float]) -> OperatingPoint:
    return OperatingPoint("balanced", 0.5, band, 0.9, 0.9, alpha=(0.1, 0.1), coverage=(1.0, 1.0))


@pytest.mark.parametrize(("probability", "call"), [(0.9, "covid"), (0.5, "covid"), (0.4, "non-covid")])
def test_a_model_that_can_rule_nothing_out_gives_its_plain_call(probability: float, call: str) -> None:
    said = say_undecided(to_prediction(probability, make_point((0.0, 1.0)), labels=LABELS))
    assert said is not None
    assert said.endswith(f"its plain call, at a threshold of 0.500, is {call}")


def test_a_model_with_a_band_gives_none() -> None:
    said = say_undecided(to_prediction(0.5, make_point((0.3, 0.7)), labels=LABELS))
    assert said is not None
    assert "plain call" not in said
    assert say_undecided(to_prediction(0.9, make_point((0.3, 0.7)), labels=LABELS)) is None
