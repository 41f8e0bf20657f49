"""What a bundle keeps of a pool: the calibration that follows from it, and how far that carries.

Knows the keys of `config.json`. Knows nothing of files or torch.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from covidct.evaluation.calibration.findings import fit_cutoffs
from covidct.evaluation.calibration.pool import SLICE_ALPHA, Carried, Pool, calibrate_pool, carry
from covidct.evaluation.calibration.series import fit_series
from covidct.evaluation.calibration.tally import Tally, tally


@dataclass(frozen=True)
class PoolRecord:
    """How far a calibration carries to each source left out: on slices, on series, and in counts."""

    slices: tuple[Carried, ...]
    series: tuple[Carried, ...]
    tallies: tuple[Tally, ...]


def to_calibration(pool: Pool) -> dict[str, Any]:
    """Scale, operating points, cut-offs of findings, and the calibration of series; None for what lacks."""
    scale, points = calibrate_pool(pool.slices.answers, alpha=SLICE_ALPHA)
    findings, series = fit_cutoffs(pool.slices), fit_series(pool.series)
    return {
        **asdict(scale),
        "operating_points": [asdict(point) for point in points],
        "findings": None if findings is None else asdict(findings),
        "series": None if series is None else asdict(series),
    }


def to_record(pool: Pool) -> dict[str, Any]:
    """By source left out, what a calibration on the others does there, on slices and on series."""
    slices, series = pool.slices, pool.series
    return {
        "pool": [asdict(one) for one in carry(slices.answers, alpha=SLICE_ALPHA)],
        "pool_series": [asdict(one) for one in carry(series.answers)],
        "tallies": [asdict(one) for one in (*tally(slices, alpha=SLICE_ALPHA), *tally(series))],
    }


def parse_record(training: Mapping[str, Any]) -> PoolRecord | None:
    """What `to_record` gave, among the other keys of `training`; None where the bundle has no pool.

    Raises KeyError and TypeError for invalid values.
    """
    if not training.get("pool"):
        return None
    slices, series = (
        tuple(_parse_carried(one) for one in training.get(key, ())) for key in ("pool", "pool_series")
    )
    return PoolRecord(slices, series, tuple(Tally(**one) for one in training.get("tallies", ())))


def _parse_carried(table: Mapping[str, Any]) -> Carried:
    pairs = {name: tuple(table[name]) for name in ("slices", "coverage")}
    return Carried(**{**table, **pairs})
