"""Whole programs as users start them, in turns: seconds, processor seconds, and the most memory each held.

Knows processes and cores. Linux alone, as cores are given by affinity.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

OURS = (sys.executable, "-c", "from covidct.apps.cli.main import main; main(prog_name='covidct')", "predict")
EAGER = (sys.executable, str(Path(__file__).with_name("eager.py")))


@dataclass(frozen=True)
class Program:
    """A command, and how many cores it gets."""

    name: str
    command: Sequence[str]
    cores: int


@dataclass(frozen=True)
class Taken:
    """What one start of a program took: seconds by the clock, of processors, and MB of memory at most."""

    wall: float
    processor: float
    memory: float


def race(programs: Sequence[Program], rounds: int) -> Mapping[str, list[Taken]]:
    """Each program once a round, after one round that does not count where there are several."""
    taken: dict[str, list[Taken]] = {program.name: [] for program in programs}
    for number in range(rounds + 1 if rounds > 1 else 1):
        for program in programs:
            print(f"  {program.name}", file=sys.stderr, flush=True)
            found = start(program)
            if number or rounds == 1:
                taken[program.name].append(found)
    return taken


def start(program: Program) -> Taken:
    """Run a program to its end. Raises RuntimeError where it fails."""
    cores = sorted(os.sched_getaffinity(0))[: program.cores]
    begun = time.perf_counter()
    process = subprocess.Popen(
        program.command,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        preexec_fn=lambda: os.sched_setaffinity(0, cores),
    )
    assert process.stderr is not None
    said = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - begun
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{program.name} failed: {said.decode(errors='replace')[-500:]}")
    return Taken(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)
