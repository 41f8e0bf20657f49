"""What kills a worker of Ray's: `covidct archive` must name it, and go on or say why not.

As a program: how Ray behaves on this machine alone, as JSON.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import suppress
from importlib import import_module
from typing import Any

from covidct.apps.archive import engine
from covidct.errors import ArchiveError

MARK = b"Poison^"


def poison() -> None:
    """Set up this process so that reading the pixels of a patient called Poison^ ends it, as gdcm might."""
    slices: Any = import_module("covidct.series.slices")
    parse = slices.parse_slice

    def die(data: bytes, *, name: str) -> Any:
        if MARK in data:
            os._exit(1)
        return parse(data, name=name)

    slices.parse_slice = die


class Dying:
    """A job whose workers end while they start."""

    def start(self) -> engine.Worker:
        os._exit(1)


class Lacking:
    """A job whose workers lack a module."""

    def start(self) -> engine.Worker:
        import_module("covidct.none")
        raise AssertionError


class Echo:
    """A job that says what it is given."""

    def start(self) -> engine.Worker:
        return str


def find_listeners() -> Iterator[str]:
    """The addresses that this process and all below it listen on."""
    psutil: Any = import_module("psutil")  # has no types
    me = psutil.Process()
    for process in (me, *me.children(recursive=True)):
        with suppress(psutil.NoSuchProcess):  # some end meanwhile
            for connection in process.net_connections("inet"):
                if connection.status == psutil.CONN_LISTEN:
                    yield connection.laddr.ip


def fail(ray: engine.RayEngine, job: engine.Job) -> str:
    try:
        return " ".join(ray.run(job, ["a"]))
    except ArchiveError as error:
        return str(error)


if __name__ == "__main__":
    engine.RESTARTS = 1
    with engine.RayEngine(workers=1) as ray:
        said = {"echo": list(ray.run(Echo(), ["a", "b"])), "listeners": sorted(set(find_listeners()))}
        said |= {"dying": [fail(ray, Dying())], "lacking": [fail(ray, Lacking())]}
        engine.START_S = 0
        said |= {"late": [fail(ray, Echo())]}
    sys.stdout.write(json.dumps(said) + "\n")
