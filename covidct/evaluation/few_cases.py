"""What so few cases can show: the mark on the card and the report of a small set.

Knows figures. Knows nothing of how they are shown.
"""

from __future__ import annotations

from covidct.evaluation.report import Report
from covidct.stats.estimate import exact_interval

FEW = 30  # independent cases: a flawless result on fewer leaves it open whether one in nine is wrong
EVERYTHING = (0.0, 1.0)


def measure_least(cases: int) -> float:
    """What share of cases right, in percent, a flawless result on `cases` independent ones would prove."""
    return 100 * exact_interval(cases, cases)[0]


def is_uncalibrated(report: Report) -> bool:
    """Whether there were too few slices to calibrate on: then no answer is ever ruled out."""
    return report.protocol.band == EVERYTHING


def tell_few(report: Report) -> str:
    """The mark of a report on few independent cases, "" where there are enough for figures to mean much."""
    cases = report.overall.evaluation.patients
    if cases >= FEW:
        return ""
    mark = (
        f"Few cases: measured on {cases} independent ones, of which a flawless result would prove no more "
        f"than {measure_least(cases):.0f} % right."
    )
    if is_uncalibrated(report):
        mark += " Too few to calibrate on: its probabilities are no more than scores."
    return mark
