"""What `covidct train` and `benchmark` are asked for, as values."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class RunOptions:
    """One run of training: its recipe, by name or path, its folder `out`, and what is to come of it.

    `positive` and `negative` are labels of your own; `rate` is "recipe" or "auto"; `number` is the version of
    the model; `pool` a benchmark to calibrate on. None or empty where not asked for.
    """

    recipe: str
    out: Path
    positive: tuple[str, ...]
    negative: tuple[str, ...]
    pretrained: Path | None
    number: str
    notes: Path | None
    workers: int
    rate: str
    threads: int | None
    find_rate: bool
    gate_only: bool
    accept: str
    pool: Path | None


@dataclass(frozen=True)
class TrialOptions:
    """Trainings without one source each: their data, their folder `out`, and which sources to leave out."""

    data: Path | None
    pretrained: Path | None
    out: Path
    left_out: tuple[str, ...]
    seeds: int
    finder: Path | None
    workers: int
    accept: str
    table_only: bool
