"""What a bundle keeps of a pool: the calibration that follows from it, and how far that carries.

Knows the keys of `config.json`. Knows nothing of files or torch.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from covidct.evaluation.calibration.findings import fit_cutoffs
from covidct.evaluation.calibration.pool import Pool, calibrate_pool, carry
from covidct.evaluation.calibration.series import fit_series
from covidct.evaluation.calibration.tally import tally


def to_calibration(pool: Pool) -> dict[str, Any]:
    """Scale, operating points, cut-offs of findings, and the calibration of series; None for what lacks."""
    scale, points = calibrate_pool(pool.slices.answers)
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
        "pool": [asdict(one) for one in carry(slices.answers)],
        "pool_series": [asdict(one) for one in carry(series.answers)],
        "tallies": [asdict(one) for one in (*tally(slices), *tally(series))],
    }
