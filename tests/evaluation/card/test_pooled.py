from __future__ import annotations

import json
from dataclasses import replace

import pytest

from covidct.evaluation.calibration.left_out import SERIES
from covidct.evaluation.calibration.pool import Pool
from covidct.evaluation.calibration.pool_config import PoolRecord, parse_record, to_record
from covidct.evaluation.card.pooled import describe_pool
from figures.left_out import make_left_out


@pytest.fixture(scope="module")
def record() -> PoolRecord:
    pool = to_record(Pool(make_left_out(), make_left_out(kind=SERIES, spread=0.3)))
    record = parse_record(json.loads(json.dumps(pool)))
    assert record is not None
    return record


def test_every_source_left_out_stands_in_both_tables(record: PoolRecord) -> None:
    lines = describe_pool(record).splitlines()
    for source in ("a", "b", "c"):
        assert sum(line.startswith(f"| {source} | ") for line in lines) == 2 + 6


def test_what_was_never_decided_has_no_accuracy(record: PoolRecord) -> None:
    none = replace(record, slices=(replace(record.slices[0], accuracy=None),))
    first = next(line for line in describe_pool(none).splitlines() if line.startswith("| a | "))
    assert first.split(" | ")[4] == "–"


@pytest.mark.parametrize("training", [{}, {"pool": []}])
def test_a_calibration_on_splits_has_no_pool(training: dict[str, list[object]]) -> None:
    assert parse_record(training) is None
