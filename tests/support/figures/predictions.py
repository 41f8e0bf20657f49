"""The prediction in a result, for tests of what there is one for."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from covidct.types import Evidence, Prediction, Result


def predicted(result: Result) -> Prediction:
    """The prediction; there must be one."""
    assert result.prediction is not None, result.message
    return result.prediction


def evidence_of(result: Result) -> Evidence:
    """The map of a slice's prediction; there must be one."""
    found = predicted(result).evidence
    assert found is not None
    return found


def with_prediction(result: Result, **values: Any) -> Result:
    """The result with other values in its prediction."""
    return replace(result, answer=replace(predicted(result), **values))
