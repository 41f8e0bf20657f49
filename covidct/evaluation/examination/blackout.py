"""Lungs blacked out: what is left of the answer when what it should rest on is gone.

If an AUC survives it, the model reads the hospital and not the lung. Knows pixels, outlines and logits.
The blacked-out slices go straight through the graph: the gate would refuse them, as it should.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from covidct.audit.lung_segmentation import find_lungs
from covidct.evaluation.examination.examined_slice import ExaminedSlice
from covidct.inference.session import Session
from covidct.stats.metrics import estimate_auc
from covidct.stats.resampling import Bools
from covidct.types import Estimate, Pixels

BORDER = 4  # pixels
BLANK = 128  # the grey of what nothing may be read from
TISSUE = 192  # where a slice shows none


class Masking(StrEnum):
    """What is left of a slice."""

    WHOLE = "as it is"
    NO_LUNGS = "lungs blacked out"
    BORDER = "border alone"
    LUNGS = "lungs alone"


@dataclass(frozen=True)
class Viewed:
    """The logits of one slice by view; `outlined` is who said where its lungs are."""

    source: str
    patient: str
    label: int
    logits: Mapping[Masking, float]
    outlined: str


@dataclass(frozen=True)
class Blackout:
    """AUCs of the same `n` slices of `groups` patients by view; `positives` of them have COVID-19.

    `outlined` counts who said where the lungs are: mask, graph, grey levels.
    """

    source: str
    n: int
    positives: int
    groups: int
    outlined: Mapping[str, int]
    aucs: Mapping[str, Estimate]


def view_slice(session: Session, examined: ExaminedSlice, inside: Bools, *, outlined: str) -> Viewed:
    """Answer for every view of a labelled slice; `inside` (H, W) is the outline of its lungs."""
    if examined.label is None:
        raise ValueError(f"{examined.path}: has no label; an AUC needs one")
    views = to_views(examined.pixels, inside)
    outputs = session.run(np.stack(list(views.values())))
    logits = dict(zip(views, map(float, outputs.logit), strict=True))
    return Viewed(examined.source, examined.patient, examined.label, logits, outlined)


def to_views(pixels: Pixels, inside: Bools) -> dict[Masking, Pixels]:
    """The views of a slice (H, W) uint8 with lungs `inside` (H, W).

    Lungs, or all but the lungs, are filled with the slice's own soft tissue; all but the outermost four
    pixels with one grey for all slices.
    """
    tissue = to_tissue(pixels, inside)
    framed = pixels.copy()
    framed[BORDER:-BORDER, BORDER:-BORDER] = BLANK
    return {
        Masking.WHOLE: pixels,
        Masking.NO_LUNGS: np.where(inside, tissue, pixels),
        Masking.BORDER: framed,
        Masking.LUNGS: np.where(inside, pixels, tissue),
    }


def to_tissue(pixels: Pixels, inside: Bools) -> np.uint8:
    """The grey of soft tissue: the median of what is bright outside the lungs."""
    bright = pixels[~inside & (pixels > find_lungs(pixels).threshold)]
    return np.uint8(np.median(bright) if bright.size else TISSUE)


def to_blackouts(viewed: Sequence[Viewed]) -> tuple[Blackout, ...]:
    """AUC by view, for each source: over several, recognising the source would be enough."""
    return tuple(
        _measure(source, [one for one in viewed if one.source == source])
        for source in dict.fromkeys(one.source for one in viewed)
    )


def both_classes(blackouts: Sequence[Blackout]) -> list[Blackout]:
    """Those of sources with both classes: the others have no AUC."""
    return [one for one in blackouts if 0 < one.positives < one.n]


def _measure(source: str, viewed: Sequence[Viewed]) -> Blackout:
    labels, groups = [one.label for one in viewed], [one.patient for one in viewed]
    outlined = [one.outlined for one in viewed]
    aucs = {}
    for view in Masking:
        aucs[str(view)] = estimate_auc(labels, [one.logits[view] for one in viewed], groups)
    return Blackout(
        source=source,
        n=len(viewed),
        positives=sum(labels),
        groups=len(set(groups)),
        outlined={name: outlined.count(name) for name in dict.fromkeys(outlined)},
        aucs=aucs,
    )
