"""What a page shows beside a result: the picture, the orientation of the slice, and its series.

Knows answers and what a series says about itself; how a slice lies is read again when a page asks. Names no
patient: PatientID, AccessionNumber and names stay where they are.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from covidct.inference.study_answers import StudyAnswer
from covidct.series.instances import look_into
from covidct.series.sources import Candidate
from covidct.series.types import Instance, Series

UNKNOWN: dict[str, Any] = {"spacing_mm": None, "turn": None}


def to_about(answer: StudyAnswer) -> dict[str, Any]:
    """As JSON values; `series` is None for slices."""
    return {
        "picture": answer.instance is not None and answer.result.shape is not None,
        "turned": answer.result.seems_turned,
        "position_mm": answer.instance.position_mm if answer.instance is not None else None,
        "series": _to_series(answer.series.series) if answer.series is not None else None,
    }


def find_geometry(instance: Instance) -> dict[str, Any] | None:
    """`spacing_mm` of rows and columns, and the `turn` that shows the slice as usual, as JSON values.

    Each is None where the header does not say, as in pictures; all of it where there is nothing to read.
    """
    if instance.blob is None:
        return None
    found = look_into(Candidate(instance.blob, given=instance.path))[0]
    spacing = found.acquisition.pixel_spacing_mm
    return {
        "spacing_mm": list(spacing) if spacing else None,
        "turn": asdict(found.instance.turn) if found.orientation else None,
    }


def _to_series(series: Series) -> dict[str, str | None]:
    known = series.acquisition
    return {
        "study_uid": known.study_uid,
        "series_uid": known.series_uid,
        "study_date": known.study_date,
        "series_description": known.series_description,
    }
