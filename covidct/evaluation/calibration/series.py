"""The calibration of series, from series and pseudo-series left out: fitted as that of slices is.

Knows what is fitted. Knows nothing of files or torch.
"""

from __future__ import annotations

from covidct.evaluation.calibration.findings import fit_cutoffs
from covidct.evaluation.calibration.left_out import LeftOut
from covidct.evaluation.calibration.pool import calibrate_pool, has_sources
from covidct.inference.config import SeriesCalibration


def fit_series(series: LeftOut) -> SeriesCalibration | None:
    """Scale, operating points and cut-offs; None with fewer than two sources of series of either label."""
    if not has_sources(series.answers):
        return None
    scale, points = calibrate_pool(series.answers)
    return SeriesCalibration(scale.temperature, scale.shift, points, fit_cutoffs(series))
