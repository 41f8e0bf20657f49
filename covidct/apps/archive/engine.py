"""Jobs -> what workers did, on Ray Data: the only home of ray.

A worker is an actor with one core, which keeps what it loaded. Ray holds back jobs until a worker is free,
starts workers that died again and gives their jobs to others. Nothing is reported to Ray's makers, and there
is no dashboard. On one machine Ray listens on the loopback address alone, and answers only to a token made
for the run; the ports of a cluster are those of whoever started it.
"""

from __future__ import annotations

import json
import logging
import os
import re
import secrets
import socket
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from typing import Any, Protocol

from covidct.errors import ArchiveError, CovidctError
from covidct.images.decoding.cores import count_cores
from covidct.images.library_errors import damage_as

REACHED_S = 5.0  # within which a cluster must answer
START_S = 300  # within which a worker must start: on a busy machine Ray itself takes a minute
RESTARTS = 20  # of a worker: what ends it so often is no file, which ends it three times
SAID = 500  # letters of what Ray says that are repeated
_BUSY = "close other programs, or wait until the cores are less busy, then run the same command again"
_FOREIGN = "is this machine a node of the cluster, and RAY_AUTH_TOKEN that of the cluster?"
BLOCKS = 1000  # that jobs are given to Ray in: each costs the driver some kB
_QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_DEDUP_LOGS": "0",
    "RAY_AUTH_MODE": "token",
    "RAY_BACKEND_LOG_LEVEL": "fatal",  # what goes wrong comes back as exceptions
}
_ONE_MACHINE = {
    # Ray's own switch for 127.0.0.1; it is named after the systems where it is off by default.
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
    # By default workers give way to every other program, and one that does not start within a minute is ended
    # and started again, without end: on a busy machine none ever starts.
    "RAY_worker_niceness": "0",
    "RAY_worker_register_timeout_seconds": str(START_S),
}

Worker = Callable[[str], str]


class Job(Protocol):
    """How a worker is made, where it will work; it may travel to another machine."""

    def start(self) -> Worker:
        """A worker."""


class Engine(Protocol):
    """What does many jobs at once."""

    def run(self, job: Job, items: Sequence[str]) -> Iterator[str]:
        """What a worker says of each item, in the order in which they are done. Raises what it raises."""


class RayEngine:
    """Ray, here or on a cluster; `workers` of it, by default one a core."""

    def __init__(self, *, address: str | None = None, workers: int | None = None):
        """Raises ArchiveError for a cluster that cannot be reached, and where Ray does not start here."""
        if address is not None:
            _check_reached(address)
        own = {} if address else {"RAY_AUTH_TOKEN": secrets.token_hex(32), **_ONE_MACHINE}
        for name, value in (_QUIET | own).items():
            os.environ.setdefault(name, value)
        import ray

        self._ray: Any = ray
        self._is_own = not ray.is_initialized()
        if self._is_own:
            self._connect(address, workers)
        self.workers = workers or max(1, int(self._ray.cluster_resources().get("CPU", 1)))

    def __enter__(self) -> RayEngine:
        return self

    def __exit__(self, *_: object) -> None:
        if self._is_own:
            self._ray.shutdown()

    def _connect(self, address: str | None, workers: int | None) -> None:
        own: dict[str, Any] = {"num_cpus": workers or count_cores(), "include_dashboard": False}
        quiet = {"log_to_driver": False, "logging_level": logging.ERROR}
        remedy = _BUSY if address is None else _FOREIGN
        # Ray raises Exception itself where its programs do not start within 30 seconds.
        with damage_as(
            lambda cause: ArchiveError(
                f"{address or 'this machine'}: Ray does not start or answer ({cause}); {remedy}"
            )
        ):
            self._ray.init(address=address or "local", **quiet, **({} if address else own))

    def run(self, job: Job, items: Sequence[str]) -> Iterator[str]:
        """What a worker says of each item, in the order in which they are done.

        Raises CovidctError and OSError as a worker does, and ArchiveError for a cluster that is lost.
        """
        if not items:
            return
        from ray.exceptions import RayError

        try:
            self._check_starts()
            for row in self._give(job, items).iter_rows():
                yield _unwrap(row["said"])
        except RayError as error:
            raise ArchiveError(
                f"Ray stopped: {_find_reason(error)} Nothing is lost: run the same command again"
            ) from error

    def _check_starts(self) -> None:
        """Raise ArchiveError where no worker starts within START_S: Ray Data would wait for ever."""
        from ray.exceptions import GetTimeoutError

        started = self._ray.remote(lambda: True).remote()
        try:
            self._ray.get(started, timeout=START_S)
        except GetTimeoutError as error:
            self._ray.cancel(started, force=True)
            raise ArchiveError(f"Ray: no worker has started within {START_S:g} s; {_BUSY}") from error

    def _give(self, job: Job, items: Sequence[str]) -> Any:
        """The data set of what workers say of the items: nothing is done before it is read."""
        import ray.data

        context = ray.data.DataContext.get_current()
        context.enable_progress_bars = False
        context.print_on_execution_start = False
        logging.getLogger("ray.data").setLevel(logging.CRITICAL)
        # Ray 2.64 will want another way to bound restarts: pyproject.toml ends before it.
        warnings.filterwarnings("ignore", "`ray_remote_args` is deprecated")
        blocks = min(len(items), max(BLOCKS, 8 * self.workers))
        workers = min(self.workers, blocks)
        given = ray.data.from_items([{"item": item} for item in items], override_num_blocks=blocks)
        return given.map_batches(
            _Actor,
            fn_constructor_args=(job,),
            batch_size=1,
            num_cpus=1,
            max_restarts=RESTARTS,
            compute=ray.data.ActorPoolStrategy(
                min_size=1, max_size=workers, initial_size=workers, max_tasks_in_flight_per_actor=2
            ),
        )


class _Actor:
    """A worker in a process of its own. What it raises on purpose comes back as words."""

    def __init__(self, job: Job):
        self._failed: str | None = None
        try:
            self._work = job.start()
        except (CovidctError, OSError) as error:
            self._failed = _wrap(error)

    def __call__(self, batch: dict[str, Any]) -> dict[str, list[str]]:
        return {"said": [self._do(str(item)) for item in batch["item"]]}

    def _do(self, item: str) -> str:
        if self._failed is not None:
            return self._failed
        try:
            return json.dumps({"done": self._work(item)})
        except (CovidctError, OSError) as error:
            return _wrap(error)


def _wrap(error: CovidctError | OSError) -> str:
    number, file = getattr(error, "errno", None), getattr(error, "filename", None)
    said = getattr(error, "strerror", None) or str(error)
    return json.dumps({"failed": said, "errno": number, "file": None if file is None else str(file)})


def _unwrap(said: str) -> str:
    found = json.loads(said)
    if "done" in found:
        return str(found["done"])
    if found["errno"] is not None:
        raise OSError(found["errno"], found["failed"], found["file"])
    raise ArchiveError(found["failed"])


def _find_reason(error: Exception) -> str:
    """What ended a worker: the exception that it raised, which is the last line, or what Ray says of it."""
    lines = re.sub(r"\x1b\[\d*m", "", str(error)).strip().splitlines() or [type(error).__name__]
    if "creation task" in lines[0]:
        return f"a worker cannot start ({lines[-1]}); is the same covidct installed everywhere?"
    if "worker process has died" in "".join(lines):
        return f"a worker ended more than {RESTARTS} times, likely for want of memory; give fewer --threads."
    return " ".join(line.strip() for line in lines)[:SAID]


def _check_reached(address: str) -> None:
    """Raise ArchiveError where nothing listens at HOST:PORT; Ray itself would wait for minutes."""
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal() or "/" in host:
        raise ArchiveError(
            f"{address}: not an address of a Ray cluster; give HOST:PORT, as `ray start` prints it"
        )
    try:
        with closing(socket.create_connection((host, int(port)), timeout=REACHED_S)):
            pass
    except (OSError, OverflowError) as error:
        raise ArchiveError(
            f"{address}: no Ray cluster can be reached ({error}); check address and network, or start it"
        ) from error
