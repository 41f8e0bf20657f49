"""A process that decodes: jobs come in on its standard input, pixels go out on its standard output.

What a C library does to damaged bytes, it does here: it may crash, or ask for more time or memory than there
is, and the program that asked lives on. Nothing is written to disk, no core is dumped, and what libraries say
on standard error is not shown. Ends when its input does, as when the program that started it is killed. Knows
nothing of files.
"""

from __future__ import annotations

import json
import resource
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import BinaryIO

from covidct.errors import UnsupportedImage
from covidct.images.decoding.decode import decode_here, load_libraries
from covidct.images.decoding.jobs import Job, Limits, parse_job, read_head, write_message


def main(limits: Limits) -> None:
    """Decode until the input ends, each job within limits."""
    _shut_off()
    source, sink = sys.stdin.buffer, sys.stdout.buffer
    while message := read_head(source):
        job = parse_job(message[0])
        load_libraries(job)
        with _within(limits):
            answer, pixels = _answer(job, source, message[1])
        write_message(sink, answer, pixels)


def _answer(job: Job, source: BinaryIO, size: int) -> tuple[bytes, bytes]:
    """What was decoded: its description and pixels, or an error and none."""
    data = source.read(size)
    try:
        decoded = decode_here(job, data)
    except MemoryError:
        return _error("memory", ""), b""
    except UnsupportedImage as error:
        return _error("UnsupportedImage", str(error)), b""
    except Exception as error:  # broad: what C libraries throw at damage goes back as an answer
        return _error("damage", str(error).strip() or type(error).__name__), b""
    description = decoded._asdict() | {"data": None}
    return json.dumps(description).encode(), decoded.data


def _error(kind: str, message: str) -> bytes:
    return json.dumps({"error": kind, "message": message.partition("\n")[0]}).encode()


def _shut_off() -> None:
    """Take from this process what a decoder has no need of."""
    # Ctrl-C is for the program that asked; and whatever it had blocked or ignored was handed down.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGPROF, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))


@contextmanager
def _within(limits: Limits) -> Iterator[None]:
    """Within, time is short, and so is memory; the system itself ends what takes longer."""
    most = resource.getrlimit(resource.RLIMIT_AS)[1]
    with suppress(OSError, ValueError):  # (macOS has neither /proc nor this limit.)
        with open("/proc/self/statm", encoding="ascii") as counts:  # (pathlib takes a while to import.)
            used = int(counts.read().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (used + limits.memory, most))
    signal.setitimer(signal.ITIMER_PROF, limits.seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        with suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_AS, (most, most))
