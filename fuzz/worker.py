"""Read so many damaged files, each within 2 s and 512 MB: answered or refused, or this ends.

    worker.py SEED COUNT FOLDER [READER ...]

The case at hand lies in a folder before it is read, so that one that kills the process is known too. Writes
what was done as a line of JSON for each reader.
"""

from __future__ import annotations

import json
import random
import resource
import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from types import FrameType

from covidct.errors import CovidctError
from mutations import mutate
from readers import Reader, make_readers

SECONDS, MEMORY = 2.0, 512 * 2**20
BATCH_S = 30.0  # of processor time: slow readers get fewer cases
PATIENCE = 120.0  # seconds by the clock, for what waits and does not work


class TooSlow(BaseException):
    """A file took too long; no Exception, so that nothing in between catches it."""


@dataclass
class Count:
    """Cases and how many were answered; the slowest (s of processor time) and the largest (bytes), by name.

    What is beyond them was refused, with an error of covidct.
    """

    cases: int = 0
    answered: int = 0
    slowest: float = 0.0
    slowest_name: str = ""
    largest: int = 0
    largest_name: str = ""

    def add(self, name: str, seconds: float, memory: int) -> None:
        """Count one case."""
        self.cases += 1
        if seconds > self.slowest:
            self.slowest, self.slowest_name = seconds, name
        if memory > self.largest:
            self.largest, self.largest_name = memory, name


def read_within_limits(reader: Reader, path: Path) -> bool:
    """Read a file; raises TooSlow after 2 s of processor time (decoders have a limit of their own)."""
    signal.setitimer(signal.ITIMER_PROF, SECONDS)
    signal.setitimer(signal.ITIMER_REAL, PATIENCE)
    try:
        return reader.read(path)
    except CovidctError:
        return False
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.setitimer(signal.ITIMER_REAL, 0)


def run(reader: Reader, seed: int, count: int, folder: Path) -> Count:
    """At most `count` cases drawn by `seed`, in BATCH_S; the last that was begun lies in `folder`."""
    draw, counted, ends = random.Random(seed), Count(), time.process_time() + BATCH_S
    while counted.cases < count and time.process_time() < ends:
        name = draw.choice(list(reader.seeds))
        path = put(reader, name, mutate(reader.seeds[name], draw, reader.mutations), folder)
        before = _reset_peak()
        began = time.process_time()
        counted.answered += read_within_limits(reader, path)
        counted.add(name, time.process_time() - began, _peak() - before)
    return counted


def put(reader: Reader, name: str, data: bytes, folder: Path) -> Path:
    """A case, with what belongs beside it, in a folder with nothing else."""
    for left in folder.iterdir():
        if left.name not in reader.beside or left.name == name:
            left.unlink()
    for other, content in reader.beside.items():
        if not (folder / other).exists():
            (folder / other).write_bytes(content)
    path = folder / name
    path.write_bytes(data)
    return path


def _reset_peak() -> int:
    """Bytes in use; the most that were in use is forgotten."""
    Path("/proc/self/clear_refs").write_text("5")
    return _peak()


def _peak() -> int:
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024


def limit_memory() -> None:
    """At most MEMORY more than now, and no core."""
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + MEMORY, resource.getrlimit(resource.RLIMIT_AS)[1]))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def main(names: Sequence[str], seed: int, count: int, folder: Path) -> None:
    """At most `count` cases of each reader drawn by `seed`; of all readers where none is named."""
    scratch, case = folder / "scratch", folder / "case"
    for place in (scratch, case):
        place.mkdir()
    readers = {name: reader for name, reader in make_readers(scratch).items() if name in names or not names}
    for reader in readers.values():
        for name, data in reader.seeds.items():
            # So that libraries are loaded before memory is limited; and what nobody damaged is taken.
            assert read_within_limits(reader, put(reader, name, data, case)), name
    limit_memory()
    signal.signal(signal.SIGPROF, _stop)
    signal.signal(signal.SIGALRM, _stop)
    for name, reader in readers.items():
        print(json.dumps({"reader": name} | asdict(run(reader, seed, count, case))), flush=True)


def _stop(_: int, __: FrameType | None) -> None:
    raise TooSlow


if __name__ == "__main__":
    main(sys.argv[4:], int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]))
