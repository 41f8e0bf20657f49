"""One command under every fault: run, judge, run again, compare."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from faults.control import Change, Injector, Kind
from faults.scenarios import Scenario
from faults.trees import Tree, find_broken, find_differences, read_tree

FAILED = 2  # the exit code of what could not be done
# The fault did not matter; the process was killed; it ended with a line that says what to do; the same
# command then gave what it gives undisturbed.
DONE, KILLED, TOLD, AGAIN = "done", "killed", "told", "as undisturbed"
FINE = dict.fromkeys(Kind, TOLD) | {Kind.KILL: KILLED}
NOT_REACHED = "not reached"
ONCE_MORE = "then once more"  # the stage of the run after those that were disturbed
REMEDY = re.compile("give another|move it away|remove it")


@dataclass(frozen=True)
class End:
    """How a run ended: its exit code, negative for a signal, and its standard error."""

    code: int
    said: str


@dataclass(frozen=True)
class Cell:
    """What a fault at one place did. `result` is one of RESULTS, or what is wrong."""

    scenario: str
    stage: str
    kind: str
    code: int
    said: str
    result: str


class Warm:
    """The process that forks runs; everything that it starts may be disturbed by the injector."""

    def __init__(self, injector: Injector, modules: Sequence[str]):
        """`modules` are imported before anything is run."""
        self._injector = injector
        environment = os.environ | injector.environment | {"TMPDIR": str(injector.root / "tmp")}
        environment |= {"OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "faults.warm", *modules],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment,
            text=True,
        )
        assert self._read() == "ready"

    def run(self, arguments: Sequence[str | Path], *, out: Path, log: Path) -> End:
        """Run `covidct` to its end."""
        asked = {"arguments": [str(one) for one in arguments], "out": str(out), "log": str(log)}
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(asked) + "\n")
        self._process.stdin.flush()
        self._injector.aim(int(self._read()))
        code = int(self._read())
        return End(code, log.read_text(encoding="utf-8", errors="replace"))

    def close(self) -> None:
        """End it."""
        self._process.communicate()

    def _read(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()


class Bench:
    """A command, its inputs, and the folder that it writes into, again and again."""

    def __init__(self, scenario: Scenario, injector: Injector, warm: Warm, folder: Path):
        self.scenario, self._injector, self._warm, self._folder = scenario, injector, warm, folder
        self.root, self._inputs = injector.root, folder / scenario.name
        shutil.rmtree(self._inputs, ignore_errors=True)
        self._inputs.mkdir(parents=True)
        scenario.prepare(self._inputs)
        self._known: tuple[Tree, Tree] = ({}, {})

    def measure(self) -> list[Change]:
        """Run twice undisturbed, to know what is left then; the changes that were made, each once."""
        trees = []
        for _ in range(2):
            self.empty()
            end = self.run(Kind.NONE)
            assert end.code == 0, end.said
            trees.append(read_tree(self.root))
        self._known = (trees[0], trees[1])
        return list(dict.fromkeys(self._injector.read_changes()))

    def empty(self) -> None:
        """Begin with nothing."""
        shutil.rmtree(self.root, ignore_errors=True)
        (self.root / "tmp").mkdir(parents=True)

    def run(self, kind: Kind, change: Change | None = None) -> End:
        """Run it once, with a fault at a change."""
        self._injector.arm(kind, change)
        out = self.root / self.scenario.answers if self.scenario.answers else self._folder / "out"
        return self._warm.run(
            self.scenario.to_arguments(self._inputs, self.root), out=out, log=self._folder / "log"
        )

    def disturb(self, kind: Kind, change: Change) -> tuple[End, list[str]]:
        """Run it with a fault; what is wrong with how it ended, and with what it left."""
        end = self.run(kind, change)
        wrong = list(judge(kind, end)) if self._injector.fired else [NOT_REACHED]
        return end, wrong + self.find_broken()

    def find_broken(self) -> list[str]:
        """Files that are not whole, but for standard output: a stream, of which the start may be there."""
        return [one for one in find_broken(self.root) if not one.startswith(self.scenario.answers or "\0")]

    def finish(self) -> str:
        """Run it again, undisturbed: AGAIN or TOLD, or what differs from runs that never were."""
        end = self.run(Kind.NONE)
        if end.code == FAILED and REMEDY.search(last_line(end.said)):
            return TOLD
        if end.code:
            return f"again: {end.code}, {last_line(end.said)}"
        return "; ".join(f"again: {one}" for one in self.compare()) or AGAIN

    def compare(self) -> list[str]:
        """What differs now from runs that never were disturbed."""
        return find_differences(read_tree(self.root), *self._known)


def judge(kind: Kind, end: End) -> Iterator[str]:
    """What is wrong with how a disturbed run ended: it must be killed, done, or say in a line what to do."""
    if "Traceback" in end.said or "Exception ignored" in end.said:
        yield "traceback"
    if kind is Kind.KILL:
        if end.code != -9:
            yield f"exit code {end.code}, though it was killed"
    elif end.code not in (0, FAILED):
        yield f"exit code {end.code}"
    elif end.code == FAILED and not last_line(end.said).startswith("Error: "):
        yield "no word of an error"


def last_line(said: str) -> str:
    """The last line that was said."""
    return (said.strip().splitlines() or [""])[-1]


def to_stages(changes: Iterable[Change]) -> dict[str, Change]:
    """For each file that is written the change that a fault is had at: its first write, or its rename."""
    stages: dict[str, Change] = {}
    for change in changes:
        name = re.sub(r"\.covidct-[^/]*/files/|\.partial", "", change.place)
        if ("write" in change.what and name not in stages) or change.what == "rename":
            stages.setdefault(name, change)
    return stages


def try_all(bench: Bench, kind: Kind, stages: Mapping[str, Change]) -> Iterator[Cell]:
    """A cell for a fault at each stage, each on top of what those before left; one for the end."""
    name, said = bench.scenario.name, ""
    bench.empty()
    for stage, change in stages.items():
        end, wrong = bench.disturb(kind, change)
        if wrong[:1] == [NOT_REACHED]:  # it went on after that, or was done: begin anew
            bench.empty()
            end, wrong = bench.disturb(kind, change)
        said = "; ".join(wrong)
        if not said and end.code == 0:
            said = "; ".join(bench.compare()) or DONE
        yield Cell(name, stage, kind.name, end.code, last_line(end.said), said or FINE[kind])
        if said:
            bench.empty()
    yield Cell(name, ONCE_MORE, kind.name, 0, "", DONE if said else bench.finish())
