"""What a page shows beside a result: whether there is a picture, how the slice lies, whose series it is.

Knows answers and what a series says of itself. Names no patient: PatientID, AccessionNumber and names stay
where they are.
"""

from __future__ import annotations

from typing import Any

from covidct.inference.study_answers import StudyAnswer
from covidct.series.types import Series


def to_about(answer: StudyAnswer) -> dict[str, Any]:
    """As JSON values; `series` is None for slices."""
    return {
        "picture": answer.instance is not None and answer.result.shape is not None,
        "turned": answer.result.seems_turned,
        "series": _to_series(answer.series.series) if answer.series is not None else None,
    }


def _to_series(series: Series) -> dict[str, str | None]:
    known = series.acquisition
    return {
        "study_uid": known.study_uid,
        "series_uid": known.series_uid,
        "study_date": known.study_date,
        "series_description": known.series_description,
    }
