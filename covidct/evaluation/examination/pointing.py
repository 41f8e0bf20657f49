"""Where the evidence points: at lesions, or elsewhere; beside what chance and a plain guess reach.

Knows evidence maps and masks. Only positive evidence counts as pointing; where no cell has any, nothing is
pointed at, which is a miss. Pointing game: Zhang et al., "Top-down Neural Attention by Excitation Backprop"
(ECCV 2016), whose 15 pixels on pictures of some 500 are a tolerance of 3 % of the longer side.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage
from sklearn.metrics import roc_auc_score

from covidct.evaluation.examination.examined_slice import ExaminedSlice
from covidct.inference.overlay import FULL
from covidct.stats.resampling import Bools
from covidct.types import Box, Evidence

TOLERANCE = 0.03  # of the longer side
# Evidence a cell from which a pixel counts as shown to be diseased: half of the overlay's full colour.
LEVEL = FULL / 2
Strengths = NDArray[np.float32]


@dataclass(frozen=True)
class Pointing:
    """How well one map points, in one slice with lesions; all in [0, 1], None if undefined.

    `hit` is 1 if the peak is in a lesion, `near` if it is within the tolerance of one. `iou` is the overlap
    of lesions with evidence of at least `LEVEL`, `auc` the AUC of evidence over lung pixels, those in lesions
    being positive.
    """

    hit: float | None
    near: float | None
    iou: float | None
    auc: float | None


@dataclass(frozen=True)
class Inside:
    """The share of positive evidence in the lungs, exactly and within the tolerance; None without evidence.

    `chance` is what evidence spread evenly over the map's part of the slice reaches.
    """

    share: float | None
    near: float | None
    chance: float


@dataclass(frozen=True)
class Guess:
    """What needs no model, in one slice: `hit` and `near` of a random point of the lungs, and of their depth.

    The depth is the point of the lungs farthest from their edge. `iou` is that of calling all lung diseased.
    """

    hit: float
    near: float
    depth_hit: float
    depth_near: float
    iou: float


def has_place(evidence: Evidence) -> bool:
    """Whether a map (h, w) can point at all: one cell alone knows no place."""
    return evidence.size > 1


def measure_pointing(evidence: Evidence, box: Box, examined: ExaminedSlice) -> Pointing:
    """Measure a map (h, w) float32 over `box` of a slice with lungs and lesions.

    All is None for a map of one cell. Raises ValueError for a slice without masks or without lesions.
    """
    lungs, lesions = _masks(examined)
    if not lesions.any():
        raise ValueError(f"{examined.path}: has no lesion to point at")
    if not has_place(evidence):
        return Pointing(None, None, None, None)
    spread = to_strengths(evidence, box, lesions.shape)
    peak = find_peak(evidence, box, lesions.shape)
    hit, near = (0.0, 0.0) if peak is None else _is_in(lesions, peak)
    return Pointing(hit, near, to_iou(spread >= LEVEL, lesions), _auc(spread, lungs, lesions))


def measure_inside(evidence: Evidence, box: Box, examined: ExaminedSlice) -> Inside | None:
    """Measure how much of a map (h, w) lies in the lungs of a slice; None for a map of one cell.

    Every cell's evidence is spread evenly over its part of the slice. Raises ValueError without a mask.
    """
    if examined.lungs is None:
        raise ValueError(f"{examined.path}: has no mask of its lungs")
    if not has_place(evidence):
        return None
    lungs = examined.lungs
    positive = np.maximum(evidence, 0)
    cells = to_cells(box, evidence.shape, lungs.shape)
    mass = np.where(cells >= 0, positive.ravel()[cells], 0.0)
    total, covered = float(mass.sum()), cells >= 0
    wide = _reach(lungs) <= to_tolerance(lungs.shape)
    return Inside(
        share=float(mass[lungs].sum()) / total if total > 0 else None,
        near=float(mass[wide].sum()) / total if total > 0 else None,
        chance=float(lungs[covered].mean()) if covered.any() else 0.0,
    )


def guess(examined: ExaminedSlice) -> Guess:
    """What a slice with lungs and lesions gives away without a model. Raises as `measure_pointing`."""
    lungs, lesions = _masks(examined)
    wide = _reach(lesions) <= to_tolerance(lesions.shape)
    depth = np.unravel_index(int(np.argmax(ndimage.distance_transform_edt(lungs))), lungs.shape)
    hit, near = _is_in(lesions, (int(depth[0]), int(depth[1])))
    there = lungs if lungs.any() else np.ones_like(lungs)
    return Guess(float(lesions[there].mean()), float(wide[there].mean()), hit, near, to_iou(lungs, lesions))


def find_peak(evidence: Evidence, box: Box, shape: tuple[int, int]) -> tuple[int, int] | None:
    """Row and column of the slice under the middle of the strongest cell; None without positive evidence."""
    if not evidence.max() > 0:
        return None
    row, column = np.unravel_index(int(np.argmax(evidence)), evidence.shape)
    left, top, right, bottom = box
    y = top + (bottom - top) * (row + 0.5) / evidence.shape[0]
    x = left + (right - left) * (column + 0.5) / evidence.shape[1]
    return min(int(y * shape[0]), shape[0] - 1), min(int(x * shape[1]), shape[1] - 1)


def to_cells(box: Box, cells: tuple[int, int], shape: tuple[int, int]) -> NDArray[np.int64]:
    """The cell over each pixel of a slice, (H, W), counted row by row; -1 where the map does not reach."""
    places = []
    for start, stop, count, side in zip((box[1], box[0]), (box[3], box[2]), cells, shape, strict=True):
        across = ((np.arange(side) + 0.5) / side - start) / max(stop - start, 1e-6)
        places.append(np.where((across >= 0) & (across < 1), np.floor(across * count), -1).astype(np.int64))
    rows, columns = places[0][:, None], places[1][None, :]
    return np.where((rows >= 0) & (columns >= 0), rows * cells[1] + columns, -1)


def to_strengths(evidence: Evidence, box: Box, shape: tuple[int, int]) -> Strengths:
    """Evidence at each pixel of a slice, (H, W), linear between the middles of cells; 0 beyond the box."""
    height, width = shape
    x0, x1 = (round(side * width) for side in (box[0], box[2]))
    y0, y1 = (round(side * height) for side in (box[1], box[3]))
    spread = np.zeros(shape, np.float32)
    if x1 > x0 and y1 > y0:
        image = Image.fromarray(np.asarray(evidence, np.float32))
        spread[y0:y1, x0:x1] = np.asarray(image.resize((x1 - x0, y1 - y0), Image.Resampling.BILINEAR))
    return spread


def to_tolerance(shape: tuple[int, ...]) -> float:
    """In pixels of the slice."""
    return TOLERANCE * max(shape)


def to_iou(shown: Bools, wanted: Bools) -> float:
    """Intersection over union of two masks; 0 where both are empty."""
    return float((shown & wanted).sum() / max(1, (shown | wanted).sum()))


def _masks(examined: ExaminedSlice) -> tuple[Bools, Bools]:
    if examined.lungs is None or examined.lesions is None:
        raise ValueError(f"{examined.path}: has no masks of lungs and lesions")
    return examined.lungs, examined.lesions


def _is_in(mask: Bools, point: tuple[int, int]) -> tuple[float, float]:
    reach = float(_reach(mask)[point])
    return float(reach == 0), float(reach <= to_tolerance(mask.shape))


def _reach(mask: Bools) -> NDArray[np.float64]:
    """How far each pixel is from a mask, in pixels; without end from an empty one."""
    if not mask.any():
        return np.full(mask.shape, math.inf)
    return np.asarray(ndimage.distance_transform_edt(~mask))


def _auc(spread: Strengths, lungs: Bools, lesions: Bools) -> float | None:
    """AUC of evidence over pixels of lung or lesion; None where they are all of one kind."""
    there = lungs | lesions
    wanted = lesions[there]
    return None if wanted.all() else float(roc_auc_score(wanted, spread[there]))
