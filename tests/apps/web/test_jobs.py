from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from covidct.apps.web.jobs import RESTING_S, Job, Jobs, State
from covidct.apps.web.memory import Memory
from covidct.apps.web.problem import Problem
from covidct.apps.web.settings import Settings
from covidct.apps.web.upload_answers import Reading
from covidct.apps.web.worker import Task
from covidct.images.blob import MemoryBlob
from covidct.inference.classifier import Classifier
from services.servers import BOUNDS, BRIGHT


class Kept:
    """Jobs of one file each, with a clock that the test turns."""

    def __init__(self, bundle: Path, **settings: Any):
        self.memory = Memory(100)
        self.jobs = Jobs(Settings(**settings), self.memory)
        self._classifier = Classifier.load(bundle, threads=1)

    def add(self, *, size: int = 10) -> Job:
        reading = Reading(self._classifier, [MemoryBlob("a.png", BRIGHT)], BOUNDS)
        self.memory.take(size)
        job = Job(reading, Task(reading.pieces(), lambda task: None), size=size)
        self.jobs.add(job)
        return job


@dataclass
class Clock:
    """Seconds that pass when the test says so."""

    now: float = 1000.0


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The clock that jobs look at."""
    clock = Clock()
    monkeypatch.setattr("covidct.apps.web.jobs.time.monotonic", lambda: clock.now)
    return clock


async def finish(job: Job) -> None:
    while job.task.advance():
        pass
    await job.task.finished.wait()


def test_a_job_goes_from_queued_to_done(tiny_bundle: Path) -> None:
    async def run() -> None:
        job = Kept(tiny_bundle).add()
        states = [job.state]
        assert job.task.advance()
        states.append(job.state)
        await finish(job)
        assert [*states, job.state] == [State.QUEUED, State.RUNNING, State.DONE]
        assert len(job.reading.answers) == job.reading.total == 1

    asyncio.run(run())


def test_a_job_that_failed_or_was_cancelled_says_so(tiny_bundle: Path) -> None:
    def fails() -> Iterator[None]:
        raise RuntimeError("no")
        yield

    async def run() -> None:
        kept = Kept(tiny_bundle)
        failed = Job(kept.add().reading, Task(fails(), lambda task: None), size=0)
        await finish(failed)
        assert failed.state is State.FAILED
        cancelled = kept.add()
        cancelled.task.cancel()
        await finish(cancelled)
        assert cancelled.state is State.CANCELLED

    asyncio.run(run())


def test_ids_cannot_be_guessed(tiny_bundle: Path) -> None:
    async def run() -> None:
        kept = Kept(tiny_bundle)
        ids = {kept.add(size=0).id for _ in range(50)}
        assert len(ids) == 50
        assert all(len(job_id) == 24 for job_id in ids)  # 144 bits

    asyncio.run(run())


def test_jobs_are_gone_some_minutes_after_their_last_use(tiny_bundle: Path, clock: Clock) -> None:
    async def run() -> None:
        kept = Kept(tiny_bundle, keep_s=600)
        old, used = kept.add(), kept.add()
        clock.now += 500
        assert kept.jobs.find(used.id) is used
        clock.now += 200
        assert kept.jobs.find(old.id) is None
        assert old.task.cancelled
        assert kept.jobs.find(used.id) is used
        assert kept.memory.held == 10

    asyncio.run(run())


def test_a_job_at_rest_makes_way_and_one_in_use_does_not(tiny_bundle: Path, clock: Clock) -> None:
    async def run() -> None:
        kept = Kept(tiny_bundle, jobs=2)
        first, second = kept.add(), kept.add()
        await finish(first)
        with pytest.raises(Problem) as caught:
            kept.jobs.check_room()
        assert caught.value.status == 503
        clock.now += RESTING_S + 1
        kept.jobs.check_room()  # the second is not finished, so it is the first that goes
        assert kept.jobs.find(first.id) is None
        assert kept.jobs.find(second.id) is second

    asyncio.run(run())


def test_what_is_forgotten_twice_is_given_back_once(tiny_bundle: Path) -> None:
    async def run() -> None:
        kept = Kept(tiny_bundle)
        job = kept.add()
        kept.jobs.forget(job)
        kept.jobs.forget(job)
        assert kept.memory.held == 0
        assert len(kept.jobs) == 0

    asyncio.run(run())


def test_memory_has_an_end() -> None:
    memory = Memory(10)
    memory.take(10)
    with pytest.raises(Problem) as caught:
        memory.take(1)
    assert caught.value.status == 503
    memory.give_back(4)
    memory.take(4)
    assert memory.held == 10
