"""The results of a series' slices -> one result for the series.

The logit of a series is that of its k-th highest slice, k being a tenth of them (`series_evidence`). A bundle
that was calibrated on series has a scale and operating points for it. With any other, the probability and the
operating point are those of that slice: a series is positive if k of its slices are, and **only slices were
measured**. A noisy-or would treat neighbouring slices as independent, and be certain of any series that is
long enough. Knows results. Knows nothing of pixels.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from covidct.inference.config import Config, Cutoffs
from covidct.inference.decision import to_prediction, to_probability
from covidct.inference.finding import name_finding
from covidct.inference.series_evidence import MIN_ANSWERED, find_ranked, join_opacities, rank_of
from covidct.inference.slice_result import say_undecided
from covidct.series.types import RefusedSeries, Series, SeriesAnswer, name_series
from covidct.types import (
    Decision,
    ModelUsed,
    Note,
    Opacity,
    OperatingPoint,
    Prediction,
    Reason,
    Refusal,
    Result,
    SeriesSummary,
    Source,
    Status,
)

TELLING = 5
MEASURED = "measured on slices, not on studies"
CALIBRATED = "calibrated on series and pseudo-series of hospitals left out of training"


def conclude(
    series: Series,
    slices: tuple[Result, ...],
    *,
    config: Config,
    point: OperatingPoint,
    model: ModelUsed,
) -> SeriesAnswer:
    """The answer for a series; `slices` are in the order of its instances, `point` is that for slices."""
    answered = [item for item in slices if item.probability is not None]
    summary = _summarise(series, slices, answered, is_calibrated=config.series is not None)
    if len(answered) < MIN_ANSWERED:
        refusal = _refuse(series, slices, answered=len(answered))
        result = Result(_to_source(series), Status.REFUSED, refusal, model, series=summary)
        return SeriesAnswer(series, result, slices)
    made = [item.prediction for item in answered if item.prediction]
    predict = _predict if config.series is None else _predict_calibrated
    result = Result(
        _to_source(series), Status.OK, predict(series, made, config, point), model, series=summary
    )
    return SeriesAnswer(series, result, slices)


def _predict(series: Series, made: Sequence[Prediction], config: Config, point: OperatingPoint) -> Prediction:
    """As a slice's: nothing was measured on series."""
    probability = find_ranked([one.probability for one in made])
    message = (
        f"{series.path}: {rank_of(len(made))} of {len(made)} slices with lung reach "
        f"{probability:.2f} or more, so this is the probability of the series; {MEASURED}"
    )
    prediction = to_prediction(probability, point, labels=config.labels.both)
    return replace(prediction, message=message, opacity=_join(made, None))


def _predict_calibrated(
    series: Series, made: Sequence[Prediction], config: Config, point: OperatingPoint
) -> Prediction:
    """By the calibration for series; its operating point is that of the same name."""
    assert config.series is not None
    own = config.series
    logit = find_ranked([one.logit for one in made if one.logit is not None])
    probability = to_probability(logit, temperature=own.temperature, shift=own.shift)
    named = next(one for one in own.operating_points if one.name == point.name)
    prediction = to_prediction(probability, named, labels=config.labels.both)
    message = say_undecided(prediction)
    return replace(
        prediction,
        message=message and f"{series.path}: {message}",
        opacity=_join(made, own.findings),
    )


def _join(made: Sequence[Prediction], cutoffs: Cutoffs | None) -> Opacity | None:
    """What the slices show together; None where a graph asks one question alone."""
    seen = [one.opacity for one in made if one.opacity is not None]
    return name_finding(join_opacities(seen), cutoffs) if len(seen) == len(made) else None


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
    text = f"Read instead of series {name}, which got no answer ({reason})."
    note = Note("in_place", text, {"series": name, "reason": str(reason)})
    return replace(series, notes=(*series.notes, note))


def say_measured(summary: SeriesSummary | None) -> str:
    """What the figures of a series' answer are from."""
    return CALIBRATED if summary is not None and summary.is_calibrated else MEASURED


def _summarise(
    series: Series, slices: Sequence[Result], answered: Sequence[Result], *, is_calibrated: bool
) -> SeriesSummary:
    positive = sum(item.decision is Decision.POSITIVE for item in answered)
    ranked = sorted(answered, key=lambda item: (-(item.probability or 0.0), item.slice_index or 0))
    return SeriesSummary(
        slices=len(slices),
        answered=len(answered),
        evidence_share=positive / len(answered) if answered else None,
        telling=tuple(item.slice_index for item in ranked[:TELLING] if item.slice_index is not None),
        notes=(*series.notes, *_note_ends(slices), *_note_failures(slices)),
        is_calibrated=is_calibrated,
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
        what = f"{answered} slices with lung, but {MIN_ANSWERED} are needed; give the whole chest"
    elif reasons:
        reason = reasons.most_common(1)[0][0]
        what = "no slice with lung to answer for; give an axial CT of the chest"
    else:
        reason, what = Reason.UNREADABLE, "no slice could be read; copy the series again"
    return Refusal(reason, f"{series.path}: {what}")
