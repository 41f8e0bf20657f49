"""The results of a series' slices -> one result for the series.

The probability of a series is that of its k-th most probable slice, where k is a tenth of the slices
answered for and at least three: the greatest probability that a tenth of the lung reaches. Its decision
follows from that by the operating point, as a slice's does. So a series is positive where k of its
slices are; a few false slices, however sure, change nothing; and neither the order of slices nor their
number moves the answer, as they would in noisy-or, which takes neighbours for independent witnesses and is
sure of any series that is long enough.

A tenth, as prediction sets may miss the truth in a tenth of the slices of either class. **What was measured
are slices.** No study of known diagnosis was there to fit or to measure this on: the figure is a slice's
probability, and sensitivity and specificity are those of slices. Knows results. Knows nothing of pixels.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from covidct.inference.decision import to_prediction
from covidct.series.types import RefusedSeries, Series, SeriesAnswer, name_series
from covidct.types import (
    Decision,
    ModelUsed,
    Note,
    OperatingPoint,
    Reason,
    Refusal,
    Result,
    SeriesSummary,
    Source,
    Status,
)

SHARE = 10  # one slice in so many
MIN_ANSWERED = 3
TELLING = 5
MEASURED = "measured on slices, not on studies"


def rank_of(answered: int) -> int:
    """Which of the answered slices, the most probable being 1, gives the probability of the series."""
    return max(MIN_ANSWERED, -(-answered // SHARE))


def to_series_probability(probabilities: Sequence[float]) -> float:
    """The probability of a series, of those of its answered slices, in [0, 1]; at least MIN_ANSWERED of them.

    Does not depend on their order, and does not fall when one of them rises.
    """
    if len(probabilities) < MIN_ANSWERED:
        raise ValueError(f"{len(probabilities)} slices, and {MIN_ANSWERED} are needed")
    return sorted(probabilities, reverse=True)[rank_of(len(probabilities)) - 1]


def conclude(
    series: Series,
    slices: tuple[Result, ...],
    *,
    point: OperatingPoint,
    labels: tuple[str, str],
    model: ModelUsed,
) -> SeriesAnswer:
    """The answer for a series; `slices` are in the order of its instances, `labels` (positive, negative)."""
    answered = [item for item in slices if item.probability is not None]
    summary = _summarise(series, slices, answered)
    if len(answered) < MIN_ANSWERED:
        refusal = _refuse(series, slices, answered=len(answered))
        result = Result(_to_source(series), Status.REFUSED, refusal, model, series=summary)
        return SeriesAnswer(series, result, slices)
    probability = to_series_probability([item.probability or 0.0 for item in answered])
    message = (
        f"{series.path}: {rank_of(len(answered))} of {len(answered)} slices with lung reach "
        f"{probability:.2f} or more, so this is the probability of the series; {MEASURED}"
    )
    prediction = replace(to_prediction(probability, point, labels=labels), message=message)
    result = Result(_to_source(series), Status.OK, prediction, model, series=summary)
    return SeriesAnswer(series, result, slices)


def to_refused_answer(refused: RefusedSeries, *, model: ModelUsed) -> SeriesAnswer:
    """The answer for a series that is not answered for as one: it says why, and has no slices."""
    series = refused.series
    summary = SeriesSummary(slices=len(series.instances), answered=0, notes=series.notes)
    refusal = Refusal(refused.reason, refused.message)
    return SeriesAnswer(
        series, Result(_to_source(series), Status.REFUSED, refusal, model, series=summary), ()
    )


def _to_source(series: Series) -> Source:
    return Source(series.path, series.acquisition.series_uid)


def note_refused(series: Series, refused: SeriesAnswer) -> Series:
    """The series, with a note that it is read in place of one that got no answer."""
    name, reason = name_series(refused.series), refused.result.reason or ""
    text = f"Read in place of series {name}, which got no answer ({reason})."
    note = Note("in_place", text, {"series": name, "reason": str(reason)})
    return replace(series, notes=(*series.notes, note))


def _summarise(series: Series, slices: Sequence[Result], answered: Sequence[Result]) -> SeriesSummary:
    positive = sum(item.decision is Decision.POSITIVE for item in answered)
    ranked = sorted(answered, key=lambda item: (-(item.probability or 0.0), item.slice_index or 0))
    return SeriesSummary(
        slices=len(slices),
        answered=len(answered),
        evidence_share=positive / len(answered) if answered else None,
        telling=tuple(item.slice_index for item in ranked[:TELLING] if item.slice_index is not None),
        notes=(*series.notes, *_note_ends(slices), *_note_failures(slices)),
    )


def _note_ends(slices: Sequence[Result]) -> list[Note]:
    """Lung in the outermost slice: more of it may lie beyond."""
    ends = [
        name
        for name, item in (("lowest", slices[0]), ("highest", slices[-1]))
        if item.probability is not None
    ]
    if not ends:
        return []
    code = "lung_at_both_ends" if len(ends) > 1 else f"lung_at_{ends[0]}"
    where = " and the ".join(ends)
    return [Note(code, f"Lung in the {where} slice: the series may not cover the lungs whole.")]


def _note_failures(slices: Sequence[Result]) -> list[Note]:
    failed = [item for item in slices if item.status is Status.ERROR]
    if not failed:
        return []
    # (Why is said of each slice; here it would carry paths into pages that are to hold none.)
    n = len(failed)
    text = (
        "1 slice was not read and is left out." if n == 1 else f"{n} slices were not read and are left out."
    )
    return [Note("slices_not_read", text, {"n": n})]


def _refuse(series: Series, slices: Sequence[Result], *, answered: int) -> Refusal:
    """A series with too little lung in view; the reason most of its slices have, where none was answered."""
    reasons = Counter(item.reason for item in slices if item.status is Status.REFUSED and item.reason)
    if answered:
        reason = Reason.TOO_FEW_SLICES
        what = f"{answered} slices with lung, and {MIN_ANSWERED} are needed; give the whole chest"
    elif reasons:
        reason = reasons.most_common(1)[0][0]
        what = "no slice with lung to answer for; give an axial CT of the chest"
    else:
        reason, what = Reason.UNREADABLE, "no slice could be read; copy the series again"
    return Refusal(reason, f"{series.path}: {what}")
