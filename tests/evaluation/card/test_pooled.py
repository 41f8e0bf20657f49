from __future__ import annotations

from typing import Any

import pytest

from covidct.evaluation.calibration.left_out import SERIES
from covidct.evaluation.calibration.pool import Pool
from covidct.evaluation.calibration.pool_config import to_record
from covidct.evaluation.card.pooled import describe_pool, is_pooled
from left_out import make_left_out


@pytest.fixture(scope="module")
def record() -> dict[str, Any]:
    return to_record(Pool(make_left_out(), make_left_out(kind=SERIES, spread=0.3)))


def test_every_source_left_out_stands_in_both_tables(record: dict[str, Any]) -> None:
    lines = describe_pool(record).splitlines()
    for source in ("a", "b", "c"):
        assert sum(line.startswith(f"| {source} | ") for line in lines) == 2 + 6


def test_what_was_never_decided_has_no_accuracy(record: dict[str, Any]) -> None:
    none = {**record, "pool": [{**record["pool"][0], "accuracy": None}]}
    first = next(line for line in describe_pool(none).splitlines() if line.startswith("| a | "))
    assert first.split(" | ")[4] == "–"


@pytest.mark.parametrize("training", [{}, {"pool": []}])
def test_a_calibration_on_splits_says_nothing(training: dict[str, Any]) -> None:
    assert not is_pooled(training)
    assert describe_pool(training) == ""
