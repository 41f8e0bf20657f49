from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from covidct.apps.pacs.arrivals import Arrivals


def arrivals() -> Arrivals:
    return Arrivals(settle=2, quiet=10)


def test_a_series_is_due_when_its_association_has_ended() -> None:
    coming = arrivals()
    coming.arrive("a", now=0, sender="x")
    assert coming.take_due(now=5) == []
    coming.end("x", clean=True)
    assert coming.take_due(now=5) == ["a"]
    assert coming.take_due(now=50) == []
    assert len(coming) == 0


def test_it_settles_first() -> None:
    coming = arrivals()
    coming.arrive("a", now=0, sender="x")
    coming.end("x", clean=True)
    assert coming.take_due(now=1) == []
    coming.arrive("a", now=1.5, sender="y")  # one association an instance, as some send
    coming.end("y", clean=True)
    assert coming.take_due(now=3) == []
    assert coming.take_due(now=3.5) == ["a"]


def test_it_is_due_after_a_quiet_time_though_its_association_stays() -> None:
    coming = arrivals()
    coming.arrive("a", now=0, sender="x")
    coming.arrive("a", now=4, sender="x")
    assert coming.take_due(now=13) == []
    assert coming.take_due(now=14) == ["a"]


def test_after_an_abort_the_peer_may_come_back() -> None:
    coming = arrivals()
    coming.arrive("a", now=0, sender="x")
    coming.end("x", clean=False)
    assert coming.take_due(now=9) == []
    assert coming.take_due(now=10) == ["a"]


def test_the_end_of_the_connection_after_a_release_changes_nothing() -> None:
    coming = arrivals()
    coming.arrive("a", now=0, sender="x")
    coming.end("x", clean=True)
    coming.end("x", clean=False)
    assert coming.take_due(now=2) == ["a"]


def test_all_its_senders_must_have_ended() -> None:
    coming = arrivals()
    coming.arrive("a", now=0, sender="x")
    coming.arrive("a", now=0, sender="y")
    coming.end("x", clean=True)
    assert coming.take_due(now=5) == []
    coming.end("y", clean=True)
    assert coming.take_due(now=5) == ["a"]


def test_what_an_earlier_node_left_waits_for_the_rest() -> None:
    coming = arrivals()
    coming.arrive("a", now=0)
    assert coming.take_due(now=9) == []
    assert coming.take_due(now=10) == ["a"]


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 3), st.booleans()), min_size=1))
def test_every_series_is_due_once_whatever_happens(events: list[tuple[str, int, bool]]) -> None:
    coming = arrivals()
    for number, (key, sender, clean) in enumerate(events):
        coming.arrive(key, now=float(number), sender=sender)
        if clean:
            coming.end(sender, clean=True)
    assert sorted(coming.take_due(now=1000.0)) == sorted({key for key, _, _ in events})
    assert coming.take_due(now=2000.0) == []
