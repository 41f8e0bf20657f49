from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator

import pytest

from covidct.apps.web.problem import Problem
from covidct.apps.web.worker import Worker


def test_tasks_take_turns_in_one_thread() -> None:
    done: list[str] = []
    threads: set[int] = set()
    may_start = threading.Event()

    def work(name: str, pieces: int) -> Iterator[None]:
        may_start.wait(10)
        for _ in range(pieces):
            done.append(name)
            threads.add(threading.get_ident())
            yield

    async def run() -> None:
        worker = Worker(room=3)
        tasks = [worker.submit(work("long", 4)), worker.submit(work("short", 1))]
        may_start.set()
        for task in tasks:
            await task.finished.wait()
            assert task.error is None
        assert worker.tasks == 0
        await worker.stop()

    asyncio.run(run())
    assert done == ["long", "short", "long", "long", "long"]
    assert len(threads) == 1
    assert threading.get_ident() not in threads


def test_there_is_room_for_so_many_and_then_again() -> None:
    may_end = threading.Event()

    def work() -> Iterator[None]:
        may_end.wait(10)
        yield

    async def run() -> None:
        worker = Worker(room=2)
        tasks = [worker.submit(work()), worker.submit(work())]
        with pytest.raises(Problem) as caught:
            worker.submit(work())
        assert caught.value.status == 503
        assert int(caught.value.headers["Retry-After"]) > 0
        may_end.set()
        for task in tasks:
            await task.finished.wait()
        worker.check_room()
        await worker.stop()

    asyncio.run(run())


def test_an_error_belongs_to_its_task_alone() -> None:
    def fails() -> Iterator[None]:
        yield
        raise RuntimeError("no")

    async def run() -> None:
        worker = Worker(room=2)
        bad, good = worker.submit(fails()), worker.submit(iter((None, None)))
        await bad.finished.wait()
        await good.finished.wait()
        assert isinstance(bad.error, RuntimeError)
        assert good.error is None
        await worker.stop()

    asyncio.run(run())


def test_a_cancelled_task_ends_after_the_piece_it_is_at() -> None:
    pieces: list[int] = []
    begun, may_go_on = threading.Event(), threading.Event()

    def work() -> Iterator[None]:
        for number in range(1000):
            pieces.append(number)
            begun.set()
            may_go_on.wait(10)
            yield

    async def run() -> None:
        worker = Worker(room=2)
        task = worker.submit(work())
        await asyncio.to_thread(begun.wait, 10)
        task.cancel()
        may_go_on.set()
        await task.finished.wait()
        assert task.cancelled
        await worker.stop()

    asyncio.run(run())
    assert pieces == [0]


def test_stopping_ends_running_and_waiting_tasks() -> None:
    def endless() -> Iterator[None]:
        while True:
            yield

    async def run() -> None:
        worker = Worker(room=4)
        tasks = [worker.submit(endless()) for _ in range(3)]
        await worker.stop()
        assert all(task.finished.is_set() and task.cancelled for task in tasks)
        assert worker.tasks == 0

    asyncio.run(run())
