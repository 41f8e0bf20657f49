"""Evaluation: from scored slices to a report.

What is measured is the exported graph's answers, as people get them, not the network's: nothing here needs
torch. Knows nothing of how slices are scored, nor of how a report is written.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from covidct.evaluation.mistakes import Mistake, Picture, find_mistakes
from covidct.evaluation.sections import Scored, Section, to_sections
from covidct.stats.resampling import RESAMPLING, Resampling
from covidct.types import OperatingPoint

# Where PPV and NPV are given unless asked otherwise: rare, and as often as not.
PREVALENCES = (0.05, 0.5)


@dataclass(frozen=True)
class Protocol:
    """What was evaluated on what, and how.

    `manifest_digest` is the manifest's SHA-256; `threshold` in [0, 1] and `band`, the (low, high) around it
    that stays indeterminate, are those of the operating point; `seed` and `resamples` are of the intervals.
    `points` are all operating points that are measured, and `prevalences`, in (0, 1), where their PPV and NPV
    are given.
    """

    bundle: str
    version: str
    manifest_digest: str
    split: str
    threshold: float
    band: tuple[float, float] | None = None
    seed: int = RESAMPLING.seed
    resamples: int = RESAMPLING.resamples
    points: tuple[OperatingPoint, ...] = ()
    prevalences: tuple[float, ...] = PREVALENCES


@dataclass(frozen=True)
class Report:
    """Everything that was measured: `overall`, and each of the `sources` by name; and the worst `mistakes`.

    `pictures` are those of the mistakes, one each, None if it can no longer be read; or empty.
    """

    protocol: Protocol
    overall: Section
    sources: tuple[Section, ...]
    mistakes: tuple[Mistake, ...] = ()
    pictures: tuple[Picture | None, ...] = field(default=(), compare=False, repr=False)


def to_report(rows: Sequence[Scored], protocol: Protocol) -> Report:
    """Measure scored slices. Raises ValueError without rows or for values out of range."""
    overall, *sources = to_sections(
        rows,
        threshold=protocol.threshold,
        resampling=Resampling(protocol.resamples, protocol.seed),
        points=protocol.points,
        prevalences=protocol.prevalences,
    )
    # A band that takes in everything says nothing of any slice; the threshold does.
    called = [replace(row, decision=None) for row in rows] if protocol.band == (0.0, 1.0) else rows
    return Report(protocol, overall, tuple(sources), find_mistakes(called, threshold=protocol.threshold))
