"""Figures of sources left out, made up."""

from __future__ import annotations

from dataclasses import replace

from covidct.evaluation.leave_one_out.figures import Gain, Standing
from covidct.evaluation.leave_one_out.table import Standings
from covidct.types import Estimate

UNDEFINED = Estimate(None, None, None, 300, "undefined: no COVID-19 slices")


FLOOR = {
    "border": Estimate(0.75, 0.68, 0.82, 541),
    "no pixel": Estimate(0.97, 0.95, 0.99, 541),
    "marks": Estimate(0.5, None, None, 541, "no interval: the same in every resample"),
}


def make_row(**changes: object) -> Standing:
    metrics = {
        "auc": Estimate(0.81, 0.76, 0.86, 541),
        "sensitivity": Estimate(0.7, 0.6, 0.8, 251),
        "specificity": Estimate(0.6, 0.5, 0.7, 290),
        "ece": Estimate(0.1, 0.05, 0.15, 541),
        "coverage_positive": Estimate(0.88, 0.8, 0.93, 251),
        "coverage_negative": Estimate(0.77, 0.7, 0.85, 290),
        "indeterminate": Estimate(0.3, 0.25, 0.35, 541),
    }
    aucs = {2020: 0.80, 2021: 0.82}
    row = Standing("covid-ct", "lung", 541, 251, 210, aucs, metrics, Estimate(0.83, 0.78, 0.88, 541))
    return replace(row, **changes)  # type: ignore[arg-type]


def make_standings() -> Standings:
    baseline = make_row(
        recipe="mobile|net", metrics={**make_row().metrics} | {"auc": Estimate(0.6, 0.5, 0.7, 541)}
    )
    alone = make_row(
        left_out="luna16",
        positives=0,
        aucs={2020: None},
        metrics={**make_row().metrics} | {"auc": UNDEFINED, "sensitivity": UNDEFINED},
        together=UNDEFINED,
    )
    gain = Gain("covid-ct", "lung", "mobile|net", Estimate(0.21, 0.13, 0.29, 541))
    rows = (make_row(), baseline, alone)
    return Standings("ab" * 32, rows, {"covid-ct": FLOOR}, "to see", (gain,))
