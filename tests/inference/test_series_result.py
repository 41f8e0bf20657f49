from __future__ import annotations

import random
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from answers import MODEL_USED
from covidct.inference.decision import to_prediction
from covidct.inference.series_result import (
    MEASURED,
    MIN_ANSWERED,
    conclude,
    rank_of,
    to_refused_answer,
    to_series_probability,
)
from covidct.series.types import Acquisition, Instance, RefusedSeries, Series, SeriesAnswer
from covidct.types import (
    Decision,
    Kind,
    Note,
    OperatingPoint,
    Prediction,
    Reason,
    Refusal,
    Result,
    Source,
    Status,
)

POINT = OperatingPoint("balanced", 0.5, (0.4, 0.6), 0.9, 0.8, (0.1, 0.1), (0.95, 0.9))
LABELS = ("covid", "non-covid")
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
    return conclude(series, slices, point=POINT, labels=LABELS, model=MODEL_USED)


@given(shares)
def test_the_probability_is_one_of_them(probabilities: list[float]) -> None:
    assert to_series_probability(probabilities) in probabilities


@given(shares, st.integers(0, 2**32))
def test_order_does_not_matter(probabilities: list[float], seed: int) -> None:
    shuffled = random.Random(seed).sample(probabilities, len(probabilities))
    assert to_series_probability(shuffled) == to_series_probability(probabilities)


@given(shares, st.data())
def test_more_evidence_never_lowers_it(probabilities: list[float], data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(probabilities) - 1))
    raised = [*probabilities]
    raised[at] = data.draw(st.floats(probabilities[at], 1))
    assert to_series_probability(raised) >= to_series_probability(probabilities)


@given(st.integers(3, 1000), st.data())
def test_fewer_false_slices_than_the_rank_change_nothing(count: int, data: st.DataObject) -> None:
    false = data.draw(st.integers(0, rank_of(count) - 1))
    assert to_series_probability([1.0] * false + [0.1] * (count - false)) == 0.1


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
        to_series_probability([0.1, 0.2])


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
        given = conclude(whole.series, slices, point=POINT, labels=("a", "b"), model=MODEL_USED)
        assert given.result.series is not None
        assert words in given.result.series.notes[-1].text
    nothing = conclude(whole.series, (broken,) * 3, point=POINT, labels=("a", "b"), model=MODEL_USED)
    assert (nothing.result.status, nothing.result.reason) == (Status.REFUSED, Reason.UNREADABLE)


def test_a_refused_series_has_a_result() -> None:
    series = answer([0.5] * 4, notes=(Note("twice", "n"),)).series
    refused = RefusedSeries(series, Reason.LOCALISER, "s: a localiser")
    result = to_refused_answer(refused, model=MODEL_USED).result
    assert (result.kind, result.status, result.reason) == (Kind.SERIES, Status.REFUSED, Reason.LOCALISER)
    assert result.series is not None
    assert (result.series.slices, result.series.answered, result.series.notes) == (4, 0, series.notes)
