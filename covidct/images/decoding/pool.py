"""Processes that decode, as many as there are cores, each started when it is first needed.

One pool serves all of a program: its threads ask, and wait without holding each other up. A process that
ends is replaced, and the file that ended it is named. Where a system lacks the limits (Windows), or the
program is frozen into one file, decoding happens in the program itself.
"""

from __future__ import annotations

import atexit
import json
import os
import select
import signal
import subprocess
import sys
from collections import deque
from contextlib import suppress
from pathlib import Path
from threading import BoundedSemaphore
from typing import BinaryIO, cast

from covidct.errors import ReadError, UnsupportedImage
from covidct.images.decoding.cores import count_cores
from covidct.images.decoding.decode import decode_here
from covidct.images.decoding.jobs import (
    Decoded,
    DecodingError,
    Job,
    Limits,
    read_message,
    write_job,
    write_message,
)

_PATIENCE = 30.0  # seconds by the clock for what waits and does not work; processor time ends far sooner
_ROOT = str(Path(__file__).resolve().parents[3])
# With the paths of the program that asks, whatever set them, and none of an interpreter's start-up files.
_CODE = """import sys; sys.path[:] = {paths!r}
from covidct.images.decoding.jobs import Limits
from covidct.images.decoding.process import main
main({limits!r})"""


def decode(job: Job, data: bytes, *, name: str) -> Decoded:
    """Decode in another process, within 2 s and 512 MB; `name` is what errors call the file.

    Raises ReadError for what is no single picture, and for what ends the process or meets its limits;
    DecodingError, with the library's own words, for damage.
    """
    return _pool().decode(job, data, name) if _can_be_limited() else decode_here(job, data)


def _can_be_limited() -> bool:
    """Whether a process of ours can be started here, and held to limits."""
    is_program = bool(sys.executable) and not getattr(sys, "frozen", False)
    return is_program and hasattr(signal, "setitimer") and hasattr(select, "poll")


# By process, since after a fork the pipes are the parent's: an answer can be read but once.
_POOLS: dict[int, Pool] = {}


def _pool() -> Pool:
    """The pool of this program."""
    if (known := _POOLS.get(os.getpid())) is not None:
        return known
    pool = _POOLS.setdefault(os.getpid(), made := Pool(count_cores()))  # one, of however many threads ask
    if pool is made:
        atexit.register(pool.close)
    return pool


class Pool:
    """At most `size` processes that decode."""

    def __init__(self, size: int, limits: Limits | None = None):
        self._limits = limits or Limits()
        self._places = BoundedSemaphore(size)
        self._idle: deque[Decoder] = deque()

    def decode(self, job: Job, data: bytes, name: str) -> Decoded:
        """See the function of this name."""
        with self._places:
            decoder = self._take(name)
            try:
                answer, pixels = decoder.ask(write_job(job), data)
            except TimeoutError as error:
                decoder.end(0)
                raise ReadError(f"{name}: {_too_slow(_PATIENCE)}") from error
            except (EOFError, OSError) as error:
                raise ReadError(f"{name}: {self._describe_end(decoder.end(1.0))}") from error
            except BaseException:  # an interrupt: what comes next would be taken for the next job's answer
                decoder.end(0)
                raise
            self._idle.append(decoder)
        return self._to_decoded(answer, pixels, name)

    def close(self) -> None:
        """End all processes that have nothing to do."""
        while self._idle:
            self._idle.pop().end(0)

    def _take(self, name: str) -> Decoder:
        while self._idle:
            decoder = self._idle.pop()
            if decoder.is_alive():
                return decoder
            decoder.end(0)
        try:
            return Decoder(self._limits)
        except OSError as error:
            remedy = "close other programs, or raise the limit of processes"
            raise ReadError(f"{name}: no process to decode it can be started ({error}); {remedy}") from error

    def _to_decoded(self, answer: bytes, pixels: bytes, name: str) -> Decoded:
        match json.loads(answer):
            case {"error": "memory"}:
                needed = f"needs more than {self._limits.memory // 2**20} MB to decode"
                raise ReadError(f"{name}: {needed}; give the slice at its own size")
            case {"error": "UnsupportedImage", "message": str(message)}:
                raise UnsupportedImage(message)
            case {"error": _, "message": str(message)}:
                raise DecodingError(message)
            case described:
                return Decoded(**described | {"data": pixels})

    def _describe_end(self, status: int) -> str:
        if status == -signal.SIGPROF:
            return _too_slow(self._limits.seconds)
        if status >= 0:
            return f"the decoder itself failed (exit {status}); install covidct again"
        how = signal.Signals(-status).name
        return f"ended the decoder ({how}), as damaged files do; copy it again, or export it again"


class Decoder:
    """One process that decodes."""

    def __init__(self, limits: Limits):
        paths = [*(str(Path(path).resolve()) for path in sys.path), _ROOT]
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", _CODE.format(paths=paths, limits=limits)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        self._sink = cast(BinaryIO, self._process.stdin)
        self._source = cast(BinaryIO, self._process.stdout)

    def is_alive(self) -> bool:
        """Whether it still runs."""
        return self._process.poll() is None

    def ask(self, job: bytes, data: bytes) -> tuple[bytes, bytes]:
        """Its answer to a job, and the bytes that go with it.

        Raises EOFError or OSError where it has ended, TimeoutError (an OSError) where it does nothing.
        """
        write_message(self._sink, job, data)
        waiting = select.poll()
        waiting.register(self._source, select.POLLIN)
        if not waiting.poll(1000 * _PATIENCE):
            raise TimeoutError
        if (message := read_message(self._source)) is None:
            raise EOFError
        return message

    def end(self, patience: float) -> int:
        """Wait so many seconds for it to end, then end it; its exit status, or less a signal's number."""
        try:
            status = self._process.wait(patience)
        except subprocess.TimeoutExpired:
            self._process.kill()
            status = self._process.wait()
        for stream in (self._sink, self._source):
            with suppress(OSError):  # what was not yet written to one that has ended
                stream.close()
        return status


def _too_slow(seconds: float) -> str:
    return f"took the decoder more than {seconds:g} s; give the slice at its own size, or export it again"
