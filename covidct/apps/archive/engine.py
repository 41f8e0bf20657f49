"""Jobs -> what workers did, on Ray Data: the only home of ray.

A worker is an actor with one core, which keeps what it loaded. Ray holds back jobs until a worker is free,
starts workers that died again and gives their jobs to others. Nothing is reported to Ray's makers, there is
no dashboard, and Ray's ports, which Ray opens on all addresses, answer only to a token made for the run.
"""

from __future__ import annotations

import json
import logging
import os
import secrets
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from typing import Any, Protocol

from covidct.errors import ArchiveError, CovidctError
from covidct.images.decoding.cores import count_cores

REACHED_S = 5.0  # within which a cluster must answer
BLOCKS = 1000  # that jobs are given to Ray in: each costs the driver some kB
_QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_DEDUP_LOGS": "0",
    "RAY_AUTH_MODE": "token",
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
        """Raises ArchiveError for a cluster that cannot be reached."""
        if address is not None:
            _check_reached(address)
        for name, value in _QUIET.items():
            os.environ.setdefault(name, value)
        if address is None:
            os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))
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
        try:
            self._ray.init(address=address or "local", **quiet, **({} if address else own))
        except (ConnectionError, RuntimeError, ValueError, OSError) as error:
            where = address or "this machine"
            raise ArchiveError(
                f"{where}: Ray does not start or answer ({_first_line(error)}); with --address, is this "
                "machine a node of the cluster, and RAY_AUTH_TOKEN that of the cluster?"
            ) from error

    def run(self, job: Job, items: Sequence[str]) -> Iterator[str]:
        """What a worker says of each item, in the order in which they are done.

        Raises CovidctError and OSError as a worker does, and ArchiveError for a cluster that is lost.
        """
        if not items:
            return
        import ray.data
        from ray.exceptions import RayError

        context = ray.data.DataContext.get_current()
        context.enable_progress_bars = False
        context.print_on_execution_start = False
        logging.getLogger("ray.data").setLevel(logging.ERROR)
        blocks = min(len(items), max(BLOCKS, 8 * self.workers))
        workers = min(self.workers, blocks)
        done = ray.data.from_items(
            [{"item": item} for item in items], override_num_blocks=blocks
        ).map_batches(
            _Actor,
            fn_constructor_args=(job,),
            batch_size=1,
            num_cpus=1,
            compute=ray.data.ActorPoolStrategy(
                min_size=1, max_size=workers, initial_size=workers, max_tasks_in_flight_per_actor=2
            ),
        )
        try:
            for row in done.iter_rows():
                yield _unwrap(row["said"])
        except RayError as error:
            raise ArchiveError(
                f"Ray stopped ({_first_line(error)}); nothing is lost: run the same command again"
            ) from error


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


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0] or type(error).__name__


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
