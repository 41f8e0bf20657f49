from __future__ import annotations

from covidct.apps.web.counters import Counters
from covidct.types import (
    Decision,
    ModelUsed,
    Prediction,
    Reason,
    Refusal,
    Result,
    Source,
    Status,
)
from figures.points import POINT

MODEL_USED = ModelUsed("tiny-1.2.3", "int8")
POSITIVE = Prediction(Decision.POSITIVE, 0.9, ("covid",), POINT)


def test_what_was_counted_is_told() -> None:
    counters = Counters(model=MODEL_USED, gauges={"covidct_tasks": ("Tasks.", lambda: 3)})
    counters.count_request("GET", "/api/jobs/{id}", status=200, seconds=0.2)
    counters.count_request("GET", "/api/jobs/{id}", status=404, seconds=0.02)
    counters.count_results(
        [
            Result(Source("a"), Status.OK, POSITIVE, MODEL_USED),
            Result(Source("b"), Status.OK, POSITIVE, MODEL_USED),
            Result(Source("c"), Status.REFUSED, Refusal(Reason.BLANK, "c: blank"), MODEL_USED),
        ]
    )
    lines = counters.to_text().decode().splitlines()
    for line in (
        'covidct_requests_total{method="GET",route="/api/jobs/{id}",status="200"} 1.0',
        'covidct_request_seconds_bucket{le="0.05",route="/api/jobs/{id}"} 1.0',
        'covidct_request_seconds_count{route="/api/jobs/{id}"} 2.0',
        'covidct_results_total{kind="slice",outcome="positive"} 2.0',
        'covidct_results_total{kind="slice",outcome="refused"} 1.0',
        'covidct_model_info{model="tiny-1.2.3",precision="int8"} 1.0',
        "covidct_tasks 3.0",
    ):
        assert line in lines


def test_two_servers_count_apart() -> None:
    first, second = Counters(model=MODEL_USED, gauges={}), Counters(model=MODEL_USED, gauges={})
    first.count_request("GET", "/", status=200, seconds=0)
    assert b"covidct_requests_total{" not in second.to_text()
