from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audits import make_cohort, make_sample, texts
from covidct.audit.checks.duplicates import check_duplicates
from covidct.audit.sample import Sample
from covidct.audit.similarity.matches import Likeness, Match
from covidct.audit.verdict import Check, Level

EXACT, COPY, NEIGHBOUR = Likeness


def pair(first: str, second: str, *, patients: str = "--", others: int = 200) -> list[Sample]:
    """Two samples as "split/source", and others that have nothing to do with them."""
    rows = [place.split("/") for place in (first, second)]
    return [
        make_sample(f"{at}.png", at % 2, split=split, source=source, patient_id=patients[at].strip("-"))
        for at, (split, source) in enumerate(rows)
    ] + make_cohort(others // 4, split="train")


def files(check: Check, level: Level) -> list[tuple[str, ...]]:
    return [finding.files for finding in check.findings if finding.level is level]


def cells(check: Check) -> dict[str, tuple[str, ...]]:
    return {row[0]: row[1:] for row in check.tables[0].rows}


def test_a_clean_set_passes() -> None:
    check = check_duplicates(make_cohort(20, split="train") + make_cohort(20, split="test"), ())
    assert (check.name, check.title) == ("duplicates", "Duplicates")
    assert check.level is Level.PASS
    assert check.advice == ""
    assert check.headline == "None of 160 slices is in the set twice."
    assert check.figures[0].estimate.value == 0
    assert check.pairs == ()


def test_an_empty_set_passes() -> None:
    check = check_duplicates((), ())
    assert check.level is Level.PASS
    assert check.figures[0].estimate.value is None


@pytest.mark.parametrize("likeness", [EXACT, COPY])
def test_a_copy_in_another_split_fails(likeness: Likeness) -> None:
    check = check_duplicates(pair("train/a", "test/a"), (Match(0, 1, likeness, 0.98),))
    assert check.level is Level.FAIL
    assert files(check, Level.FAIL) == [("0.png", "1.png")]
    assert "2 slices have a copy in another split, as 0.png and 1.png" in texts(check, Level.FAIL)
    assert check.headline == "2 of 202 slices (1.0%) have a copy in the set, 2 of them in another split."
    assert check.advice


def test_an_identical_slice_crosses_over_the_first_of_its_kind() -> None:
    """0 and 1 are in train; only 0 is matched to 2, in test."""
    samples = [make_sample(f"{at}.png", split=split) for at, split in enumerate(("train", "train", "test"))]
    check = check_duplicates(samples, (Match(0, 1, EXACT, 1.0), Match(0, 2, EXACT, 1.0)))
    assert files(check, Level.FAIL) == [("0.png", "1.png", "2.png")]


def test_a_copy_in_another_source_is_a_warning() -> None:
    check = check_duplicates(pair("train/a", "train/b"), (Match(0, 1, COPY, 0.98),))
    assert check.level is Level.WARN
    assert "another source" in texts(check, Level.WARN)
    assert files(check, Level.WARN) == [("0.png", "1.png")]


@pytest.mark.parametrize(("others", "level"), [(196, Level.WARN), (200, Level.PASS)])
def test_few_copies_inside_a_split_do_no_harm(others: int, level: Level) -> None:
    """Two of 198 slices are more than one in a hundred, two of 202 are not."""
    check = check_duplicates(pair("train/a", "train/a", others=others), (Match(0, 1, COPY, 0.98),))
    assert check.level is level
    assert "2 slices have a copy inside their source and split" in texts(check, level)
    assert ("0.png", "1.png") in files(check, level)


def test_copies_without_splits_do_not_cross() -> None:
    check = check_duplicates(pair("/a", "/a"), (Match(0, 1, COPY, 0.98),))
    assert check.level is Level.PASS


@pytest.mark.parametrize(
    ("second", "patients", "level"),
    [
        ("test/a", "--", Level.WARN),
        ("test/a", "p-", Level.WARN),
        ("test/a", "pq", Level.PASS),
        ("test/a", "pp", Level.PASS),
        ("train/a", "--", Level.PASS),
        ("/a", "--", Level.PASS),
    ],
)
def test_neighbours_in_two_splits_are_probably_one_patient(second: str, patients: str, level: Level) -> None:
    """One patient in two splits who is known to be one is told by the check of splits."""
    samples = pair("train/a", second, patients=patients)
    check = check_duplicates(samples, (Match(0, 1, NEIGHBOUR, 0.9),))
    assert check.level is level
    assert ("one patient in two splits" in texts(check, Level.WARN)) is (level is Level.WARN)
    assert check.figures[0].estimate.value == 0


def test_neighbours_with_different_ids_are_named_but_believed() -> None:
    check = check_duplicates(pair("train/a", "test/a", patients="pq"), (Match(0, 1, NEIGHBOUR, 0.9),))
    (found,) = (finding for finding in check.findings if "like a neighbour" in finding.text)
    assert (found.level, found.files) == (Level.PASS, ("0.png", "1.png"))


def test_the_table_counts_slices_by_place_and_likeness() -> None:
    samples = [make_sample(f"{at}.png", split="train", source="a") for at in range(4)]
    samples += [
        make_sample("4.png", split="test", source="b"),
        make_sample("5.png", split="test", source="a"),
    ]
    matches = (
        Match(0, 1, EXACT, 1.0),
        Match(0, 4, COPY, 0.97),
        Match(2, 3, NEIGHBOUR, 0.9),
        Match(2, 5, NEIGHBOUR, 0.85),
    )
    assert cells(check_duplicates(samples, matches)) == {
        "Within one split": ("2", "0", "2"),
        "Across splits": ("0", "3", "2"),
        "Within one source": ("2", "0", "3"),
        "Across sources": ("0", "3", "0"),
    }


def test_the_share_has_an_interval_over_clusters() -> None:
    """Ten copies of one picture say less of the set than ten pictures with a copy each."""
    one = [Match(0, place, COPY, 0.98) for place in range(1, 20)]
    many = [Match(place, place + 1, COPY, 0.98) for place in range(0, 20, 2)]
    wide, narrow = (check_duplicates(make_cohort(25), matches).figures[0].estimate for matches in (one, many))
    assert wide.value == narrow.value == 0.2
    assert wide.low is not None
    assert narrow.low is not None
    assert wide.low < narrow.low < 0.2


def test_the_worst_pairs_come_first() -> None:
    places = ("train/a", "train/a", "train/b", "test/a", "test/b", "test/a", "train/a")
    samples = [sample for place in places for sample in pair(place, place, others=0)[:1]]
    matches = (
        Match(0, 1, EXACT, 1.0),
        Match(0, 2, COPY, 0.97),
        Match(0, 3, COPY, 0.98),
        Match(0, 4, COPY, 0.966),
        Match(5, 6, NEIGHBOUR, 0.9),
    )
    check = check_duplicates(samples, matches)
    shown = [(*one.captions, one.text.partition(",")[0]) for one in check.pairs]
    assert shown == [
        ("non-covid, train, a", "non-covid, test, b", "altered copy"),
        ("non-covid, train, a", "non-covid, test, a", "altered copy"),
        ("non-covid, train, a", "non-covid, train, b", "altered copy"),
        ("non-covid, train, a", "non-covid, train, a", "identical pixels"),
        ("non-covid, test, a", "non-covid, train, a", "neighbours"),
    ]


def test_at_most_a_dozen_pairs_are_shown() -> None:
    matches = [Match(place, place + 1, COPY, 0.97) for place in range(0, 60, 2)]
    check = check_duplicates(make_cohort(20), matches)
    assert len(check.pairs) == 12
    assert all(shown.first != shown.second for shown in check.pairs)


def test_a_thousand_identical_slices_are_no_million_pairs() -> None:
    matches = [Match(0, place, EXACT, 1.0) for place in range(1, 1000)]
    check = check_duplicates(make_cohort(250, split="train"), matches)
    assert check.figures[0].estimate.value == 1
    assert len(check.pairs) == 1


@st.composite
def cohorts(draw: st.DrawFn) -> tuple[list[Sample], list[Match]]:
    n = draw(st.integers(0, 12))
    places = st.tuples(
        st.sampled_from(("", "train", "test")), st.sampled_from("ab"), st.sampled_from(("", "p"))
    )
    samples = [
        make_sample(f"{at}.png", split=split, source=source, patient_id=patient)
        for at, (split, source, patient) in enumerate(draw(st.lists(places, min_size=n, max_size=n)))
    ]
    pairs = [(first, second) for second in range(n) for first in range(second)]
    chosen = draw(st.lists(st.sampled_from(pairs), unique=True)) if pairs else []
    return samples, [Match(*both, draw(st.sampled_from(Likeness)), 0.9) for both in chosen]


def _crosses(samples: Sequence[Sample], first: int, second: int) -> bool:
    one, other = samples[first].row.split, samples[second].row.split
    return bool(one and other) and one != other


@given(cohorts())
@settings(deadline=None)
def test_every_crossing_copy_is_named_whatever_else_there_is(
    cohort: tuple[list[Sample], list[Match]],
) -> None:
    samples, matches = cohort
    check = check_duplicates(samples, matches)
    crossing = {
        samples[place].name
        for match in matches
        if match.likeness is not NEIGHBOUR and _crosses(samples, match.first, match.second)
        for place in (match.first, match.second)
    }
    named = {name for found in files(check, Level.FAIL) for name in found}
    assert crossing <= named
    if not any(match.likeness is EXACT for match in matches):
        assert crossing == named
