"""How far to trust a model, in plain words: from what was measured, on how many slices, of how many places.

Knows figures. Knows nothing of how they are shown.
"""

from __future__ import annotations

from collections.abc import Iterator

from covidct.audit.verdict import Audit, Level
from covidct.evaluation.few_cases import is_uncalibrated, measure_least
from covidct.evaluation.report import Report
from covidct.evaluation.sections import Section
from covidct.stats.estimate import exact_share
from covidct.types import Estimate

FEW = 200  # patients below which it is said what a flawless result would prove


def measure_right(section: Section) -> tuple[int, Estimate]:
    """How many slices were called right, and their share; exact where each is of another patient."""
    counts, evaluation = section.evaluation.confusion, section.evaluation
    right = counts.tp + counts.tn
    is_each = evaluation.patients == evaluation.n
    return right, exact_share(right, evaluation.n) if is_each else evaluation.metrics["accuracy"]


def to_headline(tune: Report, test: Report | None) -> str:
    """The one figure that counts, with its interval."""
    if test is None:
        return (
            "Not measured on new slices: every figure here is on slices that helped to choose the model. "
            f"There, {_count(tune.overall)}."
        )
    return f"On new slices, used for nothing else, {_count(test.overall)}."


def to_doubts(tune: Report, test: Report | None, audit: Audit, *, has_ids: bool) -> Iterator[str]:
    """Sentences on what the figures do not show, the gravest first."""
    evaluation = (test or tune).overall.evaluation
    share = measure_right((test or tune).overall)[1]
    guessed = max(evaluation.positives, evaluation.n - evaluation.positives) / evaluation.n
    if share.low is not None and share.low <= guessed:
        yield (
            f"Guessing might do as well: the same answer for every slice is right in {100 * guessed:.0f} %."
        )
    if evaluation.patients < FEW:
        least = measure_least(evaluation.patients)
        yield (
            f"With {evaluation.patients} independent cases, even a flawless result would only prove an "
            f"accuracy of {least:.0f} % or more."
        )
    if test is not None:
        yield (
            f"On the slices that chose its epoch and threshold, {_count(tune.overall)}. They had a "
            "say in the model: that figure is not the one to report."
        )
    if not has_ids:
        yield _doubt_independence((test or tune).overall)
    if len((test or tune).sources) < 2:
        yield (
            "All slices come from one place. Nothing here shows how well the model does elsewhere: expect "
            "less, often much less."
        )
    if failed := [check.title for check in audit.checks if check.level is not Level.PASS]:
        yield f"The audit has doubts about the data ({', '.join(failed)}): see below."
    if is_uncalibrated(tune):
        yield (
            "Too few slices to calibrate on: neither answer can be ruled out, so the model calls every slice "
            "indeterminate, with a plain call beside it. Its probabilities are only scores."
        )


def _doubt_independence(section: Section) -> str:
    """What the interval rests on where no patient is known."""
    if section.stand_ins < section.unidentified:
        what = f"{section.stand_ins} groups of slices with neighbouring numbers as a patient each"
        return f"The interval treats {what}. If one patient is in several groups, it is too narrow."
    return (
        "The interval treats each slice as another patient. If several slices are of one patient, it is too "
        "narrow."
    )


def _count(section: Section) -> str:
    right, share = measure_right(section)
    return f"{right} of {section.evaluation.n} are called right: {to_percent(share)}"


def to_percent(share: Estimate) -> str:
    """`92 % (95 % interval 64 to 100 %)`."""
    value = f"{100 * (share.value or 0.0):.0f} %"
    if share.low is None or share.high is None:
        return f"{value} ({share.reason})"
    return f"{value} (95 % interval {100 * share.low:.0f} to {100 * share.high:.0f} %)"
