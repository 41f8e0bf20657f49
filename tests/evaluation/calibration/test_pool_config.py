from __future__ import annotations

import json
from dataclasses import replace

from bundles import CONFIG_TABLE
from covidct.evaluation.calibration.left_out import SERIES
from covidct.evaluation.calibration.pool import Pool
from covidct.evaluation.calibration.pool_config import to_calibration, to_record
from covidct.inference.config import parse_config
from figures.left_out import make_left_out

POOL = Pool(make_left_out(), make_left_out(kind=SERIES, spread=0.3))


def test_a_bundle_keeps_all_that_is_fitted() -> None:
    config = parse_config(json.dumps(CONFIG_TABLE | to_calibration(POOL), allow_nan=False).encode())
    assert config.findings is not None
    assert config.series is not None
    assert config.series.findings is not None
    # Series have a scale of their own.
    assert config.series.shift != config.shift


def test_a_pool_without_findings_and_series_still_calibrates_slices() -> None:
    plain = Pool(replace(POOL.slices, opacities=()), POOL.series.choose(POOL.series.clear))
    table = to_calibration(plain)
    assert (table["findings"], table["series"]) == (None, None)
    assert parse_config(json.dumps(CONFIG_TABLE | table).encode()).series is None


def test_a_record_is_plain_json() -> None:
    record = json.loads(json.dumps(to_record(POOL), allow_nan=False))
    assert [one["source"] for one in record["pool"]] == ["a", "b", "c"]
    assert [one["undecided"] for one in record["pool_series"]] == [0, 0, 0]
    assert len(record["tallies"]) == 2 * 3 * 3
