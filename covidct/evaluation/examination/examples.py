"""Slices to look at: what was drawn as lesion, and where the evidence lies, trained and shuffled.

Knows pixels and maps. Knows nothing of figures.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from covidct.evaluation.examination.evidence_maps import to_box
from covidct.evaluation.examination.examined_slice import ExaminedSlice
from covidct.evaluation.examination.pointing import find_peak
from covidct.inference.session import Session
from covidct.stats.resampling import Bools
from covidct.types import Box, Evidence, Pixels


@dataclass(frozen=True)
class Exhibit:
    """A slice (H, W) uint8 with its lesions (H, W) and its evidence over `box`.

    `peak` is its row and column, None where no evidence is positive. `shuffled` is the evidence of the graph
    whose weights are in disorder; None where there is none.
    """

    source: str
    pixels: Pixels = field(repr=False)
    lesions: Bools = field(repr=False)
    evidence: Evidence = field(repr=False)
    box: Box
    peak: tuple[int, int] | None
    shuffled: Evidence | None = field(default=None, repr=False)


def to_exhibit(examined: ExaminedSlice, session: Session, shuffled: Session | None) -> Exhibit:
    """A slice with lesions as the graphs see it. Raises ValueError for one without a mask of lesions."""
    if examined.lesions is None:
        raise ValueError(f"{examined.path}: has no mask of lesions to show")
    outputs = session.run(examined.pixels[None])
    evidence, box = outputs.evidence[0], to_box(outputs.box[0])
    return Exhibit(
        source=examined.source,
        pixels=examined.pixels,
        lesions=examined.lesions,
        evidence=evidence,
        box=box,
        peak=find_peak(evidence, box, examined.lesions.shape) if evidence.size > 1 else None,
        shuffled=shuffled.run(examined.pixels[None]).evidence[0] if shuffled is not None else None,
    )
