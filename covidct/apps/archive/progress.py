"""How far a run is, as lines for people: now and then how many, and at once what goes wrong."""

from __future__ import annotations

import time
from collections.abc import Callable

from covidct.apps.archive.run import Step, Summary

EVERY_S = 10.0


class Progress:
    """Says how far a run is through `say`, one line each `every_s` seconds; `clock` counts seconds."""

    def __init__(
        self,
        say: Callable[[str], None],
        *,
        every_s: float = EVERY_S,
        clock: Callable[[], float] = time.monotonic,
    ):
        self._say = say
        self._every_s = every_s
        self._clock = clock
        self._stage = ""
        self._began = self._said = 0.0

    def __call__(self, step: Step) -> None:
        """Take note of a step."""
        for line in step.told:
            self._say(line)
        now = self._clock()
        if step.stage != self._stage:
            self._stage, self._began, self._said = step.stage, now, now
        elif now - self._said >= self._every_s:
            self._said = now
            self._say(_to_line(step, now - self._began))


def _to_line(step: Step, seconds: float) -> str:
    of = f" of about {step.total:,}" if step.total else ""
    return f"{step.stage}: {step.done:,}{of}, {step.done / max(seconds, 1e-9):,.1f} a second"


def to_sentences(summary: Summary, out: str) -> list[str]:
    """What a run did, in a few lines."""
    lines = [
        f"{summary.files:,} new or changed files, {summary.skipped:,} of them skipped, as they do "
        "not look like slices.",
        f"{summary.slices:,} slices and {summary.series:,} series answered; {summary.errors:,} slices could "
        "not be read.",
    ]
    if summary.known:
        lines.append(f"{summary.known:,} studies and single slices were answered before.")
    if summary.superseded:
        lines.append(f"{summary.superseded:,} of them had changed: their old rows are gone.")
    if summary.left:
        lines.append(f"{summary.left:,} were not available: run the same command again.")
    return [*lines, f"Table: {out}/results"]
