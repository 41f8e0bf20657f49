"""The answers for a study: one for each slice, series and refused series in it.

Knows what an answer is about, and how many there are. Knows nothing of models, files or surfaces.
"""

from __future__ import annotations

from dataclasses import dataclass

from covidct.series.types import Instance, SeriesAnswer, Study
from covidct.types import Result


@dataclass(frozen=True)
class StudyAnswer:
    """One result of a study, and what it is about: the `instance` of a slice, or a series with its slices.

    `more` answers come beyond `count_answers`, as another series is read in place of this one.
    """

    result: Result
    instance: Instance | None = None
    series: SeriesAnswer | None = None
    more: int = 0


def count_answers(study: Study) -> int:
    """How many answers there are for a study; each may announce `more`."""
    in_series = sum(len(series.instances) + 1 for series in study.series)
    return len(study.loose) + in_series + len(study.refused)
