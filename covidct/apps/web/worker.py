"""One thread that does all the work, piece by piece, a piece of each task in turn.

The model uses all cores, so two at once would only slow each other down; but a single slice should not wait
for a series of six hundred, so tasks take turns. Knows tasks and pieces; knows nothing of slices.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

from covidct.apps.web.log import log_error
from covidct.apps.web.problem import busy
from covidct.errors import CovidctError


class Task:
    """Work in pieces: each step of `pieces` is one. `finished` is set in the event loop that made it."""

    def __init__(self, pieces: Iterator[object], forget: Callable[[Task], None]):
        self.error: Exception | None = None
        self.started = False
        self.cancelled = False
        self.finished = asyncio.Event()
        self._pieces = pieces
        self._forget = forget
        self._loop = asyncio.get_running_loop()

    def cancel(self) -> None:
        """Do no further piece."""
        self.cancelled = True

    def advance(self) -> bool:
        """Do one piece; False when there is none left. Called in the worker's thread."""
        self.started = True
        try:
            if not self.cancelled and next(self._pieces, self) is not self:
                return True
        except Exception as error:  # broad: a task that fails must not end the worker
            self.error = error
            if not isinstance(error, CovidctError):
                log_error(error)
        self._pieces = iter(())  # lets go of what the work held
        self._loop.call_soon_threadsafe(self._finish)
        return False

    def _finish(self) -> None:
        self._forget(self)
        self.finished.set()


class Worker:
    """The thread, and the tasks that run or wait: at most `room` of them."""

    def __init__(self, *, room: int):
        self._room = room
        self._tasks: set[Task] = set()
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="covidct")

    @property
    def tasks(self) -> int:
        """How many tasks run or wait."""
        return len(self._tasks)

    def check_room(self) -> None:
        """Raise Problem (503) where no further task can wait."""
        if len(self._tasks) >= self._room:
            raise busy(f"{self._room} requests are running or waiting already; try again in a moment.")

    def submit(self, pieces: Iterator[object]) -> Task:
        """Start work, or let it wait. Raises Problem (503) where there is no room."""
        self.check_room()
        task = Task(pieces, self._tasks.discard)
        self._tasks.add(task)
        self._executor.submit(self._turn, task)
        return task

    def cancel_all(self) -> None:
        """Let every task end after the piece it is at."""
        for task in self._tasks:
            task.cancel()

    async def stop(self) -> None:
        """Cancel what is left, wait for the piece that is being done, and end the thread."""
        self.cancel_all()
        for task in tuple(self._tasks):
            await task.finished.wait()
        self._executor.shutdown()

    def _turn(self, task: Task) -> None:
        """One piece of a task, then to the end of the queue with it."""
        if task.advance():
            self._executor.submit(self._turn, task)
