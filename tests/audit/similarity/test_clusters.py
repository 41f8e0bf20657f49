from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from covidct.audit.similarity.matches import Likeness, Match, to_clusters

CHAIN = (
    Match(0, 1, Likeness.EXACT, 1.0),
    Match(1, 2, Likeness.COPY, 0.98),
    Match(3, 4, Likeness.NEIGHBOUR, 0.85),
)


@pytest.mark.parametrize(
    ("likeness", "codes"),
    [
        (Likeness.EXACT, [0, 0, 1, 2, 3, 4]),
        (Likeness.COPY, [0, 0, 0, 1, 2, 3]),
        (Likeness.NEIGHBOUR, [0, 0, 0, 1, 1, 2]),
    ],
)
def test_closer_matches_join_too(likeness: Likeness, codes: list[int]) -> None:
    assert to_clusters(6, CHAIN, likeness=likeness).tolist() == codes


@pytest.mark.parametrize("n", [0, 1, 3])
def test_without_matches_each_is_alone(n: int) -> None:
    assert to_clusters(n, (), likeness=Likeness.NEIGHBOUR).tolist() == list(range(n))


def test_a_slice_that_is_not_there_is_refused() -> None:
    with pytest.raises(ValueError, match="index"):
        to_clusters(2, (Match(0, 2, Likeness.EXACT, 1.0),), likeness=Likeness.EXACT)


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)).filter(lambda pair: pair[0] < pair[1])))
def test_what_is_matched_is_in_one_cluster(pairs: list[tuple[int, int]]) -> None:
    matches = [Match(first, second, Likeness.COPY, 0.97) for first, second in pairs]
    codes = to_clusters(10, matches, likeness=Likeness.COPY).tolist()
    assert all(codes[first] == codes[second] for first, second in pairs)
    assert len(set(codes)) >= 10 - len(set(pairs))
