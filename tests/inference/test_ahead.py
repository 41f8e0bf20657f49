from __future__ import annotations

import threading
from collections.abc import Iterator
from itertools import count, islice

import pytest

from covidct.inference.ahead import AHEAD, map_ahead


def test_answers_come_in_order_whatever_ends_first() -> None:
    first_may_end = threading.Event()

    def work(number: int) -> int:
        if number == 0:
            assert first_may_end.wait(10)
        elif number == 2 * AHEAD - 1:
            first_may_end.set()
        return -number

    assert list(map_ahead(work, range(30), threads=2)) == [-number for number in range(30)]


@pytest.mark.parametrize("threads", [1, 3])
def test_works_in_so_many_threads_at_a_time(threads: int) -> None:
    together = threading.Barrier(threads)
    names = set()

    def work(_: int) -> None:
        together.wait(10)  # breaks unless so many are here at once
        names.add(threading.current_thread().name)

    assert list(map_ahead(work, range(4 * threads), threads=threads)) == [None] * 4 * threads
    assert len(names) == threads


def test_takes_a_few_items_ahead_and_none_before_it_is_asked() -> None:
    taken = []

    def forever() -> Iterator[int]:
        for number in count():
            taken.append(number)
            yield number

    answers = map_ahead(str, forever(), threads=2)
    assert not taken
    assert list(islice(answers, 3)) == ["0", "1", "2"]
    assert len(taken) == 2 * AHEAD + 3
    answers.close()  # type: ignore[attr-defined]


def test_nothing_gives_nothing() -> None:
    assert list(map_ahead(str, [], threads=2)) == []


def test_closed_early_drops_what_waits_and_ends_its_threads() -> None:
    before = set(threading.enumerate())
    begun, may_go_on = [], threading.Event()

    def work(number: int) -> int:
        begun.append(number)
        if number:
            assert may_go_on.wait(10)
        return number

    answers = map_ahead(work, range(100), threads=2)
    assert next(answers) == 0
    threading.Timer(0.05, may_go_on.set).start()
    answers.close()  # type: ignore[attr-defined]
    assert len(begun) <= 1 + 2 + 2, "one answered, two being worked on, and two more where they ended early"
    assert not {one for one in set(threading.enumerate()) - before if "slices" in one.name}


def test_an_error_comes_in_its_place_and_ends_the_threads() -> None:
    before = set(threading.enumerate())

    def work(number: int) -> int:
        if number == 3:
            raise RuntimeError("disk on fire")
        return number

    answers = map_ahead(work, range(100), threads=2)
    assert list(islice(answers, 3)) == [0, 1, 2]
    with pytest.raises(RuntimeError, match="disk on fire"):
        next(answers)
    assert set(threading.enumerate()) <= before
