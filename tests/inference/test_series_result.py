from __future__ import annotations

import json
import random
from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from answers import MODEL_USED
from bundles import CONFIG_TABLE
from covidct.inference.config import Cutoffs, SeriesCalibration, parse_config
from covidct.inference.decision import to_prediction
from covidct.inference.series_evidence import MIN_ANSWERED, find_ranked, join_opacities, rank_of
from covidct.inference.series_result import MEASURED, conclude, to_refused_answer
from covidct.series.types import Acquisition, Instance, RefusedSeries, Series, SeriesAnswer
from covidct.types import (
    Decision,
    Finding,
    Kind,
    Note,
    Opacity,
    Prediction,
    Reason,
    Refusal,
    Result,
    Source,
    Status,
)
from figures.points import POINT
from figures.predictions import predicted, with_prediction

CONFIG = parse_config(json.dumps(CONFIG_TABLE).encode())
LABELS = CONFIG.labels.both
CALIBRATED = replace(
    CONFIG,
    series=SeriesCalibration(
        temperature=2.0,
        shift=1.0,
        operating_points=(replace(POINT, band=(0.3, 0.55), threshold=0.4),),
        findings=Cutoffs(temperature=1.0, shift=0.0, opacity=0.5, typical=(-1.0, 1.0)),
    ),
)
shares = st.lists(st.floats(0, 1), min_size=MIN_ANSWERED, max_size=400)


def answer(probabilities: Sequence[float | None], *, notes: tuple[Note, ...] = ()) -> SeriesAnswer:
    """A series of such slices; None is refused."""
    instances = tuple(Instance(f"s/{at}", None, None, float(at)) for at in range(len(probabilities)))
    series = Series("1.2", "s", Acquisition(series_uid="1.2"), instances, notes)
    slices = tuple(
        Result(Source(f"s/{at}"), Status.REFUSED, Refusal(Reason.NO_LUNG, "no lung"), MODEL_USED, at)
        if value is None
        else Result(Source(f"s/{at}"), Status.OK, to_prediction(value, POINT, labels=LABELS), MODEL_USED, at)
        for at, value in enumerate(probabilities)
    )
    return conclude(series, slices, config=CONFIG, point=POINT, model=MODEL_USED)


@given(shares)
def test_the_probability_is_one_of_them(probabilities: list[float]) -> None:
    assert find_ranked(probabilities) in probabilities


@given(shares, st.integers(0, 2**32))
def test_order_does_not_matter(probabilities: list[float], seed: int) -> None:
    shuffled = random.Random(seed).sample(probabilities, len(probabilities))
    assert find_ranked(shuffled) == find_ranked(probabilities)


@given(shares, st.data())
def test_more_evidence_never_lowers_it(probabilities: list[float], data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(probabilities) - 1))
    raised = [*probabilities]
    raised[at] = data.draw(st.floats(probabilities[at], 1))
    assert find_ranked(raised) >= find_ranked(probabilities)


@given(st.integers(3, 1000), st.data())
def test_fewer_false_slices_than_the_rank_change_nothing(count: int, data: st.DataObject) -> None:
    false = data.draw(st.integers(0, rank_of(count) - 1))
    assert find_ranked([1.0] * false + [0.1] * (count - false)) == 0.1


def test_one_false_slice_in_300_flips_nothing() -> None:
    quiet: list[float | None] = [0.1] * 299
    assert answer([*quiet, 1.0]).result.decision is Decision.NEGATIVE
    loud: list[float | None] = [0.9] * 299
    assert answer([*loud, 0.0]).result.decision is Decision.POSITIVE
    between: list[float | None] = [0.5] * 299
    assert {answer([*between, end]).result.decision for end in (0.0, 1.0)} == {Decision.INDETERMINATE}


@pytest.mark.parametrize(("answered", "rank"), [(3, 3), (12, 3), (30, 3), (31, 4), (100, 10), (300, 30)])
def test_the_rank_is_a_tenth_and_at_least_three(answered: int, rank: int) -> None:
    assert rank_of(answered) == rank


def test_a_tenth_of_the_lung_makes_a_series_positive() -> None:
    assert answer([0.95] * 10 + [0.05] * 90).result.decision is Decision.POSITIVE
    assert answer([0.95] * 9 + [0.05] * 91).result.decision is Decision.NEGATIVE


def test_too_few_for_a_probability() -> None:
    with pytest.raises(ValueError, match="2 slices"):
        find_ranked([0.1, 0.2])


def test_an_answer_in_full() -> None:
    given = answer([None, 0.1, 0.7, 0.8, 0.9, None], notes=(Note("gaps", "a gap"),))
    result, summary = given.result, given.result.series
    assert summary is not None
    assert (result.kind, result.status, result.decision) == (Kind.SERIES, Status.OK, Decision.POSITIVE)
    message = (
        f"s: 3 of 4 slices with lung reach 0.70 or more, so this is the probability of the series; {MEASURED}"
    )
    assert result.prediction == Prediction(Decision.POSITIVE, 0.7, ("covid",), POINT, message=message)
    assert (result.source, result.slice_index) == (Source("s", "1.2"), None)
    assert (summary.slices, summary.answered, summary.evidence_share) == (6, 4, 0.75)
    assert summary.telling == (4, 3, 2, 1)
    assert summary.notes == (Note("gaps", "a gap"),)


def answer_calibrated(logits: Sequence[float], opacities: Sequence[Opacity]) -> Result:
    """The result of a series of such slices, by a calibration on series."""
    whole = answer([0.5] * len(logits))
    slices = tuple(
        with_prediction(item, logit=logit, opacity=seen)
        for item, logit, seen in zip(whole.slices, logits, opacities, strict=True)
    )
    return conclude(whole.series, slices, config=CALIBRATED, point=POINT, model=MODEL_USED).result


def test_a_calibration_on_series_decides_for_series() -> None:
    clear = Opacity(logit=-2.0, typical=3.0, extent=0.0, lung=0.3)
    result = answer_calibrated([1.0, -9.0, 5.0, 5.0], [clear] * 4)
    made = predicted(result)
    assert made.probability == pytest.approx(0.5)  # the third highest logit is the shift
    assert (made.decision, made.operating_point.band) == (Decision.INDETERMINATE, (0.3, 0.55))
    assert (
        made.message == "s: both covid and non-covid remain plausible: from 0.300 to 0.550 no answer is "
        "reliable enough (balanced)"
    )
    sure = answer_calibrated([-9.0] * 4, [clear] * 4)
    assert (sure.decision, sure.message, sure.finding) == (Decision.NEGATIVE, None, Finding.NEGATIVE)


def test_a_series_shows_what_its_slices_show() -> None:
    full = Opacity(logit=4.0, typical=2.0, extent=0.5, lung=0.3)
    bare = Opacity(logit=-4.0, typical=-50.0, extent=0.0, lung=0.1)
    seen = answer_calibrated([0.0] * 6, [full, full, full, bare, bare, bare]).opacity
    assert seen is not None
    assert (seen.logit, seen.typical) == (4.0, 2.0)  # where nothing is opaque nothing is typical
    assert seen.extent == pytest.approx(0.5 * 0.3 / (0.3 + 0.1))  # of the lungs' volume
    assert seen.finding is Finding.TYPICAL
    assert seen.probability == pytest.approx(0.982, abs=1e-3)
    assert answer_calibrated([0.0] * 6, [full, full, bare, bare, bare, bare]).finding is Finding.NEGATIVE


def test_lungs_without_any_opacity_still_have_an_answer() -> None:
    bare = Opacity(logit=-4.0, typical=-2.0, extent=0.0, lung=0.0)
    assert join_opacities([bare] * 3) == bare


def test_a_slice_without_an_answer_on_opacities_leaves_the_series_without() -> None:
    whole = answer([0.5] * 4)
    assert whole.result.opacity is None


def test_indeterminate_stays_possible() -> None:
    result = answer([0.5] * 20).result
    assert (result.decision, result.reason) == (Decision.INDETERMINATE, Reason.NEAR_THRESHOLD)
    assert result.prediction is not None
    assert result.prediction.prediction_set == LABELS


@pytest.mark.parametrize(
    ("slices", "words"),
    [
        ([0.5, 0.5, 0.5, None], "Lung in the lowest slice"),
        ([None, 0.5, 0.5, 0.5], "Lung in the highest slice"),
        ([0.5, 0.5, 0.5], "Lung in the lowest and the highest slice"),
    ],
)
def test_lung_in_the_outermost_slice_is_told(slices: list[float | None], words: str) -> None:
    summary = answer(slices).result.series
    assert summary is not None
    assert words in summary.notes[0].text


@pytest.mark.parametrize(
    ("slices", "reason", "words"),
    [
        ([None] * 5, Reason.NO_LUNG, "no slice with lung"),
        ([None, 0.5, 0.9, None], Reason.TOO_FEW_SLICES, "2 slices with lung"),
    ],
)
def test_too_little_lung_is_refused(slices: list[float | None], reason: Reason, words: str) -> None:
    result = answer(slices).result
    assert (result.status, result.decision, result.probability) == (Status.REFUSED, None, None)
    assert result.reason is reason
    assert words in (result.message or "")


def test_slices_that_were_not_read_are_told() -> None:
    whole = answer([None, 0.5, 0.5, 0.5, None])
    damaged = Refusal(Reason.UNREADABLE, "s/0: damaged")
    broken = Result(Source("s/0"), Status.ERROR, damaged, MODEL_USED, 0)
    for slices, words in (
        ((broken, *whole.slices[1:]), "1 slice was not read and is left out."),
        ((broken, broken, *whole.slices[2:], whole.slices[2]), "2 slices were not read"),
    ):
        given = conclude(whole.series, slices, config=CONFIG, point=POINT, model=MODEL_USED)
        assert given.result.series is not None
        assert words in given.result.series.notes[-1].text
    nothing = conclude(whole.series, (broken,) * 3, config=CONFIG, point=POINT, model=MODEL_USED)
    assert (nothing.result.status, nothing.result.reason) == (Status.REFUSED, Reason.UNREADABLE)


def test_a_refused_series_has_a_result() -> None:
    series = answer([0.5] * 4, notes=(Note("twice", "n"),)).series
    refused = RefusedSeries(series, Reason.LOCALISER, "s: a localiser")
    result = to_refused_answer(refused, model=MODEL_USED).result
    assert (result.kind, result.status, result.reason) == (Kind.SERIES, Status.REFUSED, Reason.LOCALISER)
    assert result.series is not None
    assert (result.series.slices, result.series.answered, result.series.notes) == (4, 0, series.notes)
