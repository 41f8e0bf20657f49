"""Lesions moved from one chest into another: positives in every source, with every lesion known.

If each source has its own kind of positive, a network learns to recognise the sources. A lesion from one,
pasted into the healthy lungs of another at that slice's grey levels, breaks the link. Healthy lung pasted in
the same way, in a lesion's shape, keeps the seam from becoming a new shortcut.

Knows arrays and geometry. Sources: Ghiasi et al., "Simple Copy-Paste" (CVPR 2021); for lesions in CT,
Zhang et al., "CarveMix" (MICCAI 2021).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.random import Generator
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from covidct.training.networks.lung_crop import to_box, to_levels
from covidct.training.networks.lung_finder import CELLS, LungFinder
from covidct.types import Pixels

BATCH = 32
SHAM = 0.4  # share of pastes that bring healthy lung
MIN_SHARE = 0.005  # of the slice: what covers less of it is no lesion worth a label
TURN, SCALE, SHIFT = 25.0, (0.7, 1.4), 0.15  # degrees; of the size; of the lungs' box
STRENGTH = (0.6, 1.0)  # how much of the lesion shows: down to faint ground glass
SEAM = 0.006  # of the side: deviation of the blur of a lesion's edge


class Pasted(NamedTuple):
    """A slice with something put in, and the mask of lesions in it, both (side, side) uint8."""

    pixels: Pixels
    lesions: Pixels

    @property
    def is_positive(self) -> bool:
        """Whether there are lesions now."""
        return bool(self.lesions.any())


@dataclass(frozen=True)
class Anatomy:
    """What was found in N slices, all in [0, 1].

    Shares of lung (N, 48, 48), boxes (N, 4), greys of lung and tissue (N, 2).
    """

    lungs: NDArray[np.float32]
    boxes: NDArray[np.float32]
    levels: NDArray[np.float32]


@torch.inference_mode()
def find_anatomy(finder: LungFinder, pixels: NDArray[np.uint8]) -> Anatomy:
    """The lungs in slices (N, side, side) uint8, and their brightness."""
    parts = []
    for at in range(0, len(pixels), BATCH):
        slices = torch.from_numpy(pixels[at : at + BATCH])
        lungs = torch.sigmoid(finder(slices))
        boxes = to_box(lungs)
        small = torch.nn.functional.interpolate(
            slices[:, None].float(), size=(CELLS, CELLS), mode="bilinear", antialias=True
        )
        levels = torch.stack(to_levels(small[:, 0] / 255, lungs, boxes), dim=1)
        parts.append((lungs, boxes, levels))
    return Anatomy(*(torch.cat(part).numpy() for part in zip(*parts, strict=True)))


@dataclass(frozen=True)
class Pastes:
    """What can be moved among slices (N, side, side) uint8: lesions of some, healthy lung of others.

    `targets` are the slices that something may be put into.
    """

    pixels: NDArray[np.uint8]
    anatomy: Anatomy
    lesions: Mapping[int, Pixels]
    healthy: tuple[int, ...]
    targets: frozenset[int]

    def paste(self, index: int, rng: Generator) -> Pasted | None:
        """A negative slice with a lesion, or healthy lung in its shape; None where too little meets lung."""
        shape = int(rng.choice(list(self.lesions)))
        donor = int(rng.choice(self.healthy)) if rng.random() < SHAM else shape
        side = self.pixels.shape[1]
        move = draw_move(rng)
        mask = _carry(
            self.lesions[shape], _place(self.anatomy.boxes[shape], self.anatomy.boxes[index], move, side)
        )
        shown = Image.fromarray(mask).filter(ImageFilter.GaussianBlur(SEAM * side))
        lungs = _enlarge(self.anatomy.lungs[index], side)
        cover = np.asarray(shown, np.float32) / 255 * lungs
        if cover.mean() < MIN_SHARE:
            return None
        brought = _carry(
            self.pixels[donor], _place(self.anatomy.boxes[donor], self.anatomy.boxes[index], move, side)
        )
        greys = _match(brought, self.anatomy.levels[donor], self.anatomy.levels[index])
        share = cover * rng.uniform(*STRENGTH)
        mixed = self.pixels[index] * (1 - share) + greys * share
        lesions = cover * 255 if donor == shape else np.zeros_like(cover)
        return Pasted(np.rint(mixed).clip(0, 255).astype(np.uint8), lesions.astype(np.uint8))


def find_pastes(
    finder: LungFinder, pixels: NDArray[np.uint8], clear: NDArray[np.bool_], lesions: Mapping[int, Pixels]
) -> Pastes | None:
    """What can be moved among slices (N, side, side), into and out of those that are `clear` (N,).

    None where no lesion was drawn.
    """
    anatomy = find_anatomy(finder, pixels)
    donors = {index: mask for index, mask in lesions.items() if mask.mean() >= 255 * MIN_SHARE}
    # Slices without lung have no healthy lung to give.
    has_lung = anatomy.lungs.mean((1, 2)) > 10 * MIN_SHARE
    healthy = tuple(np.flatnonzero(clear & has_lung).tolist())
    targets = frozenset(np.flatnonzero(clear).tolist())
    return Pastes(pixels, anatomy, donors, healthy, targets) if donors and healthy else None


def draw_move(rng: Generator) -> NDArray[np.float64]:
    """A random turn, mirroring, scaling and shift inside the unit square, as (2, 3)."""
    angle = np.deg2rad(rng.uniform(-TURN, TURN))
    scale = np.exp(rng.uniform(*np.log(SCALE)))
    mirror = rng.choice((-1.0, 1.0))
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    matrix = turn @ np.diag([mirror / scale, 1 / scale])
    centre = np.array([0.5, 0.5])
    return np.column_stack([matrix, centre + rng.uniform(-SHIFT, SHIFT, 2) - matrix @ centre])


def _place(
    source: NDArray[np.float32], target: NDArray[np.float32], move: NDArray[np.float64], side: int
) -> NDArray[np.float64]:
    """Where each pixel of a target slice lies in the source, their boxes laid over each other: (2, 3)."""
    into = np.diag([1 / (target[2] - target[0]), 1 / (target[3] - target[1])]) / side
    start = -np.array([target[0] / (target[2] - target[0]), target[1] / (target[3] - target[1])])
    out = np.diag([source[2] - source[0], source[3] - source[1]]) * side
    matrix = out @ move[:, :2] @ into
    offset = out @ (move[:, :2] @ start + move[:, 2]) + np.array([source[0], source[1]]) * side
    return np.column_stack([matrix, offset])


def _carry(pixels: Pixels, place: NDArray[np.float64]) -> Pixels:
    image = Image.fromarray(pixels)
    moved = image.transform(
        image.size, Image.Transform.AFFINE, tuple(place.ravel()), resample=Image.Resampling.BILINEAR
    )
    return np.asarray(moved, np.uint8)


def _enlarge(lungs: NDArray[np.float32], side: int) -> NDArray[np.float32]:
    image = Image.fromarray(np.rint(lungs * 255).astype(np.uint8))
    return np.asarray(image.resize((side, side), Image.Resampling.BILINEAR), np.float32) / np.float32(255)


def _match(pixels: Pixels, given: NDArray[np.float32], wanted: NDArray[np.float32]) -> NDArray[np.float32]:
    """Greys with lung and tissue at `given` moved to where `wanted` has them, in [0, 255]."""
    scaled = (pixels / 255.0 - given[0]) / (given[1] - given[0])
    moved = wanted[0] + scaled * (wanted[1] - wanted[0])
    greys: NDArray[np.float32] = (255 * moved).clip(0, 255).astype(np.float32)
    return greys
