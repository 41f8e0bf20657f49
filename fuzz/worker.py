"""Read so many mutated files, each within 2 s and 512 MB: a result or an error of covidct, or this ends.

The case at hand lies in a folder before it is read, so that one that kills the process is known too.
"""

from __future__ import annotations

import random
import resource
import signal
import sys
from contextlib import suppress
from pathlib import Path
from types import FrameType

from covidct.errors import CovidctError
from covidct.images.read import parse_slice
from covidct.series.slices import read_instance
from covidct.series.study import read_study
from mutations import mutate
from seeds import make_seeds

SECONDS, MEMORY = 2.0, 512 * 2**20
INSTANCES = 20


class TooSlow(BaseException):
    """A file took too long; no Exception, so that nothing in between catches it."""


def read_any(data: bytes, name: str) -> None:
    """Read a file in both ways there are: alone, and as part of a study."""
    with suppress(CovidctError):
        parse_slice(data, name=name)
    study = read_study([(name, data)], all_series=True)
    instances = [*study.loose, *(instance for series in study.series for instance in series.instances)]
    for instance in instances[:INSTANCES]:
        with suppress(CovidctError):
            read_instance(instance)


def read_within_limits(data: bytes, name: str) -> None:
    """Read a file; raises TooSlow after 2 s of processor time (decoders have a limit of their own)."""
    signal.setitimer(signal.ITIMER_PROF, SECONDS)
    try:
        read_any(data, name)
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)


def main(seed: int, count: int, case: Path) -> None:
    """`count` cases drawn by `seed`."""
    seeds = make_seeds()
    for name, data in seeds.items():
        read_any(data, name)  # so that libraries are loaded before memory is limited
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + MEMORY, resource.getrlimit(resource.RLIMIT_AS)[1]))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    signal.signal(signal.SIGPROF, _stop)
    draw = random.Random(seed)
    for _ in range(count):
        name = draw.choice(list(seeds))
        data = mutate(seeds[name], draw)
        (case / name).write_bytes(data)
        read_within_limits(data, name)
        (case / name).unlink()


def _stop(_: int, __: FrameType | None) -> None:
    raise TooSlow


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]))
