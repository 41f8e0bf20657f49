"""Jobs: readings in the background, whose state the caller asks for from time to time.

They live in memory, bounded in number (and in bytes, by `Memory`), and are gone some minutes after their last
use. Knows readings and tasks; knows nothing of HTTP.
"""

from __future__ import annotations

import secrets
import time
from enum import StrEnum

from covidct.apps.web.memory import Memory
from covidct.apps.web.problem import busy
from covidct.apps.web.settings import Settings
from covidct.apps.web.upload_answers import Reading
from covidct.apps.web.worker import Task

RESTING_S = 60  # a finished job that nobody looked at for so long makes way where there is no other room


class State(StrEnum):
    """How far a job is."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


class Job:
    """One reading and the task that does it; `size` bytes are held for it."""

    def __init__(self, reading: Reading, task: Task, *, size: int):
        self.id = secrets.token_urlsafe(18)  # not to be guessed: it opens what a patient's images say
        self.reading = reading
        self.size = size
        self.task = task
        self.fetched = False
        self.used = time.monotonic()

    @property
    def state(self) -> State:
        """How far it is."""
        if not self.task.finished.is_set():
            return State.RUNNING if self.task.started else State.QUEUED
        if self.task.error is not None:
            return State.FAILED
        return State.CANCELLED if self.task.cancelled else State.DONE

    @property
    def finished(self) -> bool:
        """Whether nothing more will come."""
        return self.task.finished.is_set()


class Jobs:
    """The jobs that are kept, by id."""

    def __init__(self, settings: Settings, memory: Memory):
        self._settings = settings
        self._memory = memory
        self._jobs: dict[str, Job] = {}

    def __len__(self) -> int:
        return len(self._jobs)

    def check_room(self) -> None:
        """Make room for one more. Raises Problem (503) where there is none."""
        self.sweep()
        if len(self._jobs) < self._settings.jobs:
            return
        resting = [job for job in self._jobs.values() if job.finished and _idle(job) > RESTING_S]
        if not resting:
            raise busy(f"{self._settings.jobs} jobs are held already; try again in a moment.")
        self.forget(max(resting, key=_idle))

    def add(self, job: Job) -> None:
        """Keep a job."""
        self._jobs[job.id] = job

    def find(self, job_id: str) -> Job | None:
        """The job of an id, which counts as a use; None where there is none, or no longer."""
        self.sweep()
        if (job := self._jobs.get(job_id)) is not None:
            job.used = time.monotonic()
        return job

    def forget(self, job: Job) -> None:
        """Cancel a job where it still runs, and let go of all that it holds."""
        job.task.cancel()
        if self._jobs.pop(job.id, None) is not None:
            self._memory.give_back(job.size)

    def sweep(self) -> None:
        """Forget the jobs that nobody has looked at for long, unfinished ones too: nobody waits for them."""
        for job in [job for job in self._jobs.values() if _idle(job) > self._settings.keep_s]:
            self.forget(job)

    def unfetched(self) -> int:
        """How many jobs run, or have results that nobody has seen."""
        return sum(not job.finished or not job.fetched for job in self._jobs.values())


def _idle(job: Job) -> float:
    return time.monotonic() - job.used
