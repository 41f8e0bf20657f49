"""Two slices that are alike, and how."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Likeness(StrEnum):
    """The same pixels; the same picture, changed; or pictures as alike as neighbours in one series."""

    EXACT = "exact"
    COPY = "copy"
    NEIGHBOUR = "neighbour"


@dataclass(frozen=True)
class Match:
    """A pair of slices by their places, `first` below `second`; `correlation` in [-1, 1]."""

    first: int
    second: int
    likeness: Likeness
    correlation: float
