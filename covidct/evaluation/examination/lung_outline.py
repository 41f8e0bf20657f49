"""Where the lungs of a slice are, by whoever knows best: a reader's mask, the graph, or grey levels.

Made for blacking out and cropping: what is given reaches over the pleura and over solid lesions under it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np
from scipy import ndimage

from covidct.audit.lung_segmentation import find_lungs, hull
from covidct.evaluation.examination.examined_slice import ExaminedSlice, stretch
from covidct.inference.session import Session
from covidct.stats.resampling import Bools

SIDE = 128  # of the copy that is drawn on
REACH = 3  # pixels of the copy by which the outline is widened
MIN_SHARE = 0.02  # of the slice: less is no lung
SPECK = 0.004  # of the slice: a smaller piece is no part of it


class Origin(StrEnum):
    """Who says where the lungs are."""

    MASK = "mask"
    GRAPH = "graph"
    GREYS = "grey levels"


@dataclass(frozen=True)
class Outline:
    """The lungs' outline, (H, W) bool, and where it comes from."""

    inside: Bools = field(repr=False, compare=False)
    origin: Origin


def outline_lungs(examined: ExaminedSlice, finder: Session | None) -> Outline | None:
    """The outline of a slice's lungs; None if none are found.

    `finder` is a graph whose map is the shares of lung (`graph_surgery.expose_lungs`). A reader's mask has
    priority; without mask and graph, a classical lung finder is used.
    """
    shape = examined.pixels.shape
    if examined.lungs is not None:
        return _to_outline(stretch(examined.lungs, (SIDE, SIDE)), shape, Origin.MASK)
    if finder is not None:
        shares = finder.run(examined.pixels[None]).evidence[0]
        found = _to_outline(stretch(shares >= 0.5, (SIDE, SIDE)), shape, Origin.GRAPH)
        if found is not None:
            return found
    regions = find_lungs(examined.pixels).regions
    dark = np.logical_or.reduce((np.zeros((SIDE, SIDE), bool), *regions))
    return _to_outline(dark, shape, Origin.GREYS)


def _to_outline(inside: Bools, shape: Sequence[int], origin: Origin) -> Outline | None:
    """Convex hulls of the pieces, widened, so that solid lesions under the pleura are covered."""
    if inside.mean() < MIN_SHARE:
        return None
    pieces, count = ndimage.label(inside)
    large = (pieces == number for number in range(1, count + 1))
    hulls = [hull(piece) for piece in large if piece.mean() >= SPECK]
    covered = np.logical_or.reduce((inside, *hulls))
    wide = ndimage.binary_dilation(covered, iterations=REACH)
    return Outline(stretch(wide, shape), origin)
