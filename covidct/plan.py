"""What of a manifest is used: sources, the labels of both classes, shares of the splits. Knows no files."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class DataPlan:
    """Which rows of a manifest are used, and how rows without a split get one.

    `tune` and `calibrate` are shares of the slices of each source. `block` is how many
    neighbours in number stand in for one patient where a source has no patient ids.
    """

    sources: tuple[str, ...] = ()
    positive: tuple[str, ...] = ("covid",)
    negative: tuple[str, ...] = ("non-covid", "no-lesion")
    exclude_note: str = "label conflict"
    tune: float = 0.15
    calibrate: float = 0.10
    block: int = 50
    seed: int = 2020  # of the split, so that runs of other seeds are tuned on the same slices

    @property
    def labels(self) -> tuple[str, ...]:
        """All labels that mean something, those of COVID-19 first."""
        return (*self.positive, *self.negative)
