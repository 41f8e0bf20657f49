"""What a check says: a level, figures with intervals, the files concerned, and what to do. Frozen values.

Knows no data and no surface: the checks make them; `text`, `document` and `page` show them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from covidct.stats.resampling import Floats
from covidct.types import Estimate


class Level(StrEnum):
    """A traffic light, from good to bad."""

    PASS = "pass"
    WARN = "warn"
    FAIL = "fail"

    @property
    def rank(self) -> int:
        """0 for pass, 1 for warn, 2 for fail."""
        return list(Level).index(self)


@dataclass(frozen=True)
class Finding:
    """One thing that was found, in one sentence; `files` are the paths concerned, all of them."""

    level: Level
    text: str
    files: tuple[str, ...] = ()


@dataclass(frozen=True)
class Figure:
    """A measured number with its interval; `unit` says what it is, as in "AUC" or "share of slices"."""

    name: str
    unit: str
    estimate: Estimate


@dataclass(frozen=True)
class Table:
    """Cells as text, the first column being names. `rows` may be empty."""

    title: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Curve:
    """An ROC curve: `x` is 1 - specificity, `y` sensitivity, (k,) each and rising."""

    name: str
    x: Floats = field(compare=False, repr=False)
    y: Floats = field(compare=False, repr=False)


@dataclass(frozen=True)
class Pair:
    """Two slices shown side by side: paths as in the manifest, a caption for each and one for both."""

    first: str
    second: str
    captions: tuple[str, str]
    text: str


@dataclass(frozen=True)
class Bars:
    """Counts to draw as stacked bars: `counts[i]` belongs to `names[i]`, as (COVID-19, other)."""

    title: str
    names: tuple[str, ...]
    counts: tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Check:
    """The answer of one check.

    `name` is a word for JSON and `--only`, `title` the reader's; `headline` the one sentence that sums it up,
    `advice` the one on what to do (empty where nothing is). The rest is evidence.
    """

    name: str
    title: str
    headline: str
    advice: str = ""
    findings: tuple[Finding, ...] = ()
    figures: tuple[Figure, ...] = ()
    tables: tuple[Table, ...] = ()
    curves: tuple[Curve, ...] = ()
    pairs: tuple[Pair, ...] = ()
    bars: tuple[Bars, ...] = ()

    @property
    def level(self) -> Level:
        """The worst of its findings."""
        return worst(finding.level for finding in self.findings)


@dataclass(frozen=True)
class Audit:
    """All checks of one data set, in the order in which they are reported.

    `subject` is the manifest's name as it was given, `digest` its SHA-256; `slices` and `positives` count
    what was looked at.
    """

    subject: str
    digest: str
    slices: int
    positives: int
    checks: tuple[Check, ...]

    @property
    def level(self) -> Level:
        """The worst of its checks."""
        return worst(check.level for check in self.checks)


def worst(levels: Iterable[Level]) -> Level:
    """The worst of some levels; pass where there are none."""
    return max(levels, key=lambda level: level.rank, default=Level.PASS)


def advise(findings: Iterable[Finding], advice: str) -> str:
    """The advice, where any finding calls for one."""
    return "" if worst(finding.level for finding in findings) is Level.PASS else advice


def sum_up(findings: Sequence[Finding], text: str) -> str:
    """The headline: the text where all has passed, else the first of the worst findings."""
    level = worst(finding.level for finding in findings)
    if level is Level.PASS:
        return text
    return next(finding.text for finding in findings if finding.level is level)


def count(n: int, noun: str, plural: str = "") -> str:
    """`1 file`, `2 files`."""
    return f"{n} {noun if n == 1 else plural or noun + 's'}"
