from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from covidct.apps.pacs.arrivals import WHOLE_S, Announced, Arrivals

ENOUGH = Announced("1", slices=3)


def arrivals() -> Arrivals:
    return Arrivals(settle=2, quiet=10)


def test_a_series_is_due_when_its_association_has_ended() -> None:
    coming = arrivals()
    coming.arrive("a", now=0, sender="x", announced=ENOUGH)
    assert coming.take_due(now=5) == []
    coming.end("x", clean=True)
    assert coming.take_due(now=5) == ["a"]
    assert coming.take_due(now=50) == []
    assert len(coming) == 0


def test_it_settles_first() -> None:
    coming = arrivals()
    coming.arrive("a", now=0, sender="x", announced=ENOUGH)
    coming.end("x", clean=True)
    assert coming.take_due(now=1) == []
    coming.arrive("a", now=1.5, sender="y", announced=ENOUGH)  # one association an instance, as some send
    coming.end("y", clean=True)
    assert coming.take_due(now=3) == []
    assert coming.take_due(now=3.5) == ["a"]


def test_it_is_due_after_a_quiet_time_though_its_association_stays() -> None:
    coming = arrivals()
    coming.arrive("a", now=0, sender="x", announced=ENOUGH)
    coming.arrive("a", now=4, sender="x", announced=ENOUGH)
    assert coming.take_due(now=13) == []
    assert coming.take_due(now=14) == ["a"]


def test_after_an_abort_the_peer_may_come_back() -> None:
    coming = arrivals()
    coming.arrive("a", now=0, sender="x", announced=ENOUGH)
    coming.end("x", clean=False)
    assert coming.take_due(now=9) == []
    assert coming.take_due(now=10) == ["a"]


def test_the_end_of_the_connection_after_a_release_changes_nothing() -> None:
    coming = arrivals()
    coming.arrive("a", now=0, sender="x", announced=ENOUGH)
    coming.end("x", clean=True)
    coming.end("x", clean=False)
    assert coming.take_due(now=2) == ["a"]


def test_all_its_senders_must_have_ended() -> None:
    coming = arrivals()
    coming.arrive("a", now=0, sender="x", announced=ENOUGH)
    coming.arrive("a", now=0, sender="y", announced=ENOUGH)
    coming.end("x", clean=True)
    assert coming.take_due(now=5) == []
    coming.end("y", clean=True)
    assert coming.take_due(now=5) == ["a"]


def test_what_an_earlier_node_left_waits_for_the_rest() -> None:
    coming = arrivals()
    coming.arrive("a", now=0)
    assert coming.take_due(now=9) == []
    assert coming.take_due(now=10) == ["a"]


def test_fewer_than_three_slices_wait_for_more() -> None:
    coming = arrivals()
    for number in (1, 2):
        coming.arrive("a", now=0, sender=number, announced=Announced(str(number)))
        coming.end(number, clean=True)
    assert coming.take_due(now=9) == []
    coming.arrive("a", now=9, sender=2, announced=Announced("2"))  # again: still two
    coming.end(2, clean=True)
    assert coming.take_due(now=18) == []
    coming.arrive("a", now=18, sender=3, announced=Announced("3"))
    coming.end(3, clean=True)
    assert coming.take_due(now=20) == ["a"]


def test_a_few_slices_wait_for_their_association_but_not_for_ever() -> None:
    coming = arrivals()
    coming.arrive("a", now=0, sender="x", announced=Announced("1"))
    assert coming.take_due(now=39) == []
    assert coming.take_due(now=40) == ["a"]


def test_where_announced_instances_are_missing_it_waits_longer() -> None:
    coming = arrivals()
    for number in range(4):
        coming.arrive("a", now=0, sender="x", announced=Announced(str(number), expected=5))
    coming.end("x", clean=True)
    assert coming.take_due(now=9) == []
    assert coming.take_due(now=10) == ["a"]


def test_the_least_number_of_instances_is_no_sign_of_the_end() -> None:
    coming = Arrivals(settle=30, quiet=60)
    for number in range(4):
        coming.arrive("a", now=0, sender="x", announced=Announced(str(number), expected=4))
    coming.end("x", clean=True)
    assert coming.take_due(now=29) == []
    assert coming.take_due(now=30) == ["a"]


def test_where_all_announced_instances_are_there_it_waits_less() -> None:
    coming = Arrivals(settle=30, quiet=60)
    for number in range(4):
        coming.arrive("a", now=0, sender="x", announced=Announced(str(number), expected=4, exact=True))
    assert coming.take_due(now=WHOLE_S) == [], "its association stays open"
    coming.end("x", clean=True)
    assert "a" in coming
    assert coming.take_due(now=WHOLE_S) == ["a"]
    assert "a" not in coming


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 3), st.booleans()), min_size=1))
def test_every_series_is_due_once_whatever_happens(events: list[tuple[str, int, bool]]) -> None:
    coming = arrivals()
    for number, (key, sender, clean) in enumerate(events):
        coming.arrive(key, now=float(number), sender=sender)
        if clean:
            coming.end(sender, clean=True)
    assert sorted(coming.take_due(now=1000.0)) == sorted({key for key, _, _ in events})
    assert coming.take_due(now=2000.0) == []
