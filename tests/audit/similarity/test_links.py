from __future__ import annotations

import pytest

from audits import make_sample
from covidct.audit.sample import Sample
from covidct.audit.similarity.links import to_links
from covidct.audit.similarity.matches import Likeness, Match

EXACT, COPY, NEIGHBOUR = Likeness


def samples(*places: str, patients: str = "") -> list[Sample]:
    """A sample for each "split/source"; its patient is the letter at its place."""
    rows = [place.split("/") for place in places]
    ids = patients or "-" * len(rows)
    return [
        make_sample(f"{at}.png", split=split, source=source, patient_id=ids[at].strip("-"))
        for at, (split, source) in enumerate(rows)
    ]


def test_without_matches_there_are_no_links() -> None:
    assert to_links(samples("train/a", "test/a"), ()) == ()
    assert to_links((), ()) == ()


def test_identical_slices_are_linked_though_they_are_not_matched_to_each_other() -> None:
    """0 and 1 are in train, 2 in test: 1 is like 2 over 0."""
    given = samples("train/a", "train/a", "test/a")
    links = to_links(given, (Match(0, 1, EXACT, 1.0), Match(0, 2, EXACT, 1.0)))
    assert {(link.first, link.second, link.crosses_splits) for link in links} == {
        ((0, 1), (0, 1), False),
        ((0, 1), (2,), True),
    }


def test_what_is_identical_to_a_copy_is_a_copy() -> None:
    given = samples("train/a", "train/a", "test/b", "test/c")
    links = to_links(given, (Match(0, 1, EXACT, 1.0), Match(0, 2, COPY, 0.97), Match(2, 3, EXACT, 1.0)))
    copies = {(link.first, link.second) for link in links if link.likeness is COPY}
    assert copies == {((0, 1), (2,)), ((0, 1), (3,))}


def test_identical_slices_are_nothing_less() -> None:
    given = samples("train/a", "train/a", "train/a")
    matches = (Match(0, 1, EXACT, 1.0), Match(0, 2, EXACT, 1.0), Match(1, 2, COPY, 0.97))
    assert [link.likeness for link in to_links(given, matches)] == [EXACT]


def test_many_identical_slices_are_one_link() -> None:
    given = samples(*["train/a"] * 500)
    (link,) = to_links(given, [Match(0, place, EXACT, 1.0) for place in range(1, 500)])
    assert len(link.first) == 500
    assert link.example == (0, 1)


@pytest.mark.parametrize(
    ("first", "second", "splits", "sources"),
    [
        ("train/a", "train/a", False, False),
        ("train/a", "test/a", True, False),
        ("train/a", "test/b", True, True),
        ("train/a", "train/b", False, True),
        ("/a", "test/a", False, False),
        ("/a", "/b", False, True),
    ],
)
def test_an_empty_split_is_no_other_split(first: str, second: str, splits: bool, sources: bool) -> None:
    (link,) = to_links(samples(first, second), (Match(0, 1, COPY, 0.97),))
    assert (link.crosses_splits, link.crosses_sources) == (splits, sources)
    assert link.stays_within is (first == second)


@pytest.mark.parametrize(
    ("second", "patients", "same"),
    [
        ("test/a", "pp", True),
        ("test/a", "pq", False),
        ("test/a", "p-", False),
        ("test/a", "--", False),
        ("test/b", "pp", False),
    ],
)
def test_a_patient_is_the_same_only_where_both_are_known(second: str, patients: str, same: bool) -> None:
    """Ids are of one source: another hospital's patient 1 is somebody else."""
    (link,) = to_links(samples("train/a", second, patients=patients), (Match(0, 1, NEIGHBOUR, 0.9),))
    assert link.same_patient is same
