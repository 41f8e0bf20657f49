"""Slices in memory, and which of them a training step sees.

Knows how to read, draw and batch. The networks' own resizing stays in the graph; what is kept
here is a square a little larger than the network's input, so that augmentation has room.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from torch.utils.data import Dataset, Sampler

from covidct.data.manifest import DataPlan, Row, to_label
from covidct.data.masks import Mask, find_mask, find_turns, read_mask, to_turn
from covidct.data.pixels import read_pixels
from covidct.data.recipe import Augmentation
from covidct.data.slice_store import Read
from covidct.images.read import read_slice
from covidct.training.augment import draw_placement, render, resample, to_uint8
from covidct.training.lesion_paste import Pastes
from covidct.types import Pixels

ROOM = 1.15  # how much larger than the network's input a slice is kept


@dataclass(frozen=True)
class Slices:
    """Slices of one split: squares (N, side, side) uint8 display, labels (N,), sources.

    `lesions` has the mask (side, side) uint8, by the slice's place, of those whose lesions were drawn.
    """

    pixels: NDArray[np.uint8]
    labels: NDArray[np.int64]
    sources: tuple[str, ...]
    rows: tuple[Row, ...]
    lesions: Mapping[int, Pixels] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.rows)


def read_slices(
    rows: Sequence[Row],
    plan: DataPlan,
    *,
    side: int,
    label: str = "",
    resize: str = "antialias",
    read: Read = read_slice,
) -> Slices:
    """Read rows into squares of `side`. Raises ManifestError naming the first file that cannot be read."""
    pixels = np.empty((len(rows), side, side), np.uint8)
    for index, stored in enumerate(read_pixels(rows, label=label, read=read)):
        pixels[index] = to_square(stored, side, resize=resize)
    labels = np.array([to_label(row, plan) for row in rows], np.int64)
    return Slices(pixels, labels, tuple(row.source for row in rows), tuple(rows))


def name_sources(slices: Slices) -> list[str]:
    """The sources of the slices, each once, by name."""
    return sorted(set(slices.sources))


def with_lesions(slices: Slices) -> Slices:
    """The slices with those masks of lesions that lie beside them, turned as their lungs are.

    Raises ManifestError for a broken one.
    """
    side, turns = slices.pixels.shape[1], find_turns(slices.rows)
    paths = {index: find_mask(row, Mask.LESION) for index, row in enumerate(slices.rows)}
    lesions = {
        index: read_mask(path, side=side, turn=to_turn(path, turns))
        for index, path in paths.items()
        if path is not None
    }
    return replace(slices, lesions=lesions)


def to_square(pixels: Pixels, side: int, *, resize: str = "antialias") -> Pixels:
    """Stretch (H, W) uint8 to (side, side), as the exported graph does: with antialiasing, or "nearest"."""
    if resize == "nearest":
        rows, columns = (np.arange(side) * length // side for length in pixels.shape)
        return np.asarray(pixels[rows[:, None], columns])
    image = Image.fromarray(pixels).resize((side, side), Image.Resampling.BILINEAR)
    return np.asarray(image, np.uint8)


class Draws(Sampler[tuple[int, int, int]]):
    """Draws (epoch, draw, slice) by weight; the same seed and epoch draw the same.

    With replacement, unless told: then `count` must not exceed the slices.
    """

    def __init__(self, weights: Tensor, *, count: int, seed: int, replacement: bool = True):
        self.weights, self.count, self.seed = weights, count, seed
        self.replacement = replacement
        self.epoch = 0

    def __len__(self) -> int:
        return self.count

    def __iter__(self) -> Iterator[tuple[int, int, int]]:
        generator = torch.Generator().manual_seed(self.seed * 10_007 + self.epoch)
        drawn = torch.multinomial(self.weights, self.count, replacement=self.replacement, generator=generator)
        return ((self.epoch, draw, int(index)) for draw, index in enumerate(drawn))


class Batch(NamedTuple):
    """Views (N, S, S) uint8, labels (N,) float32, lesions (N, S, S) uint8, whether these were drawn (N,).

    `sources` (N,) int64 is each slice's place in `name_sources`; `apart` (N,) whether that source teaches a
    context of its own; `pasted` (N,) whether something was put in.
    """

    slices: Tensor
    labels: Tensor
    lesions: Tensor
    drawn: Tensor
    sources: Tensor
    apart: Tensor
    pasted: Tensor


class AugmentedSlices(Dataset[Batch]):
    """Random views of slices. What a draw looks like depends on the seed, the epoch and the draw alone.

    With `pastes`, a share `plan.pastes` of their targets is given lesions, or healthy lung, of another.
    """

    def __init__(
        self,
        slices: Slices,
        plan: Augmentation,
        *,
        size: int,
        seed: int,
        pastes: Pastes | None = None,
        apart: Sequence[str] = (),
    ):
        self.slices, self.plan, self.size, self.seed = slices, plan, size, seed
        self.pastes = pastes
        self.names = name_sources(slices)
        self.apart = apart

    def __len__(self) -> int:
        return len(self.slices)

    def __getitem__(self, key: tuple[int, int, int]) -> Batch:
        """(epoch, draw, slice) -> one slice's part of a batch."""
        epoch, draw, index = key
        rng = np.random.default_rng((self.seed, epoch, draw))
        pixels, lesions = self.slices.pixels[index], self.slices.lesions.get(index)
        label, pasted = float(self.slices.labels[index]), None
        if self.pastes is not None and index in self.pastes.targets and rng.random() < self.plan.pastes:
            pasted = self.pastes.paste(index, rng)
            if pasted is not None:
                pixels, lesions, label = pasted.pixels, pasted.lesions, float(pasted.is_positive)
        height, width = pixels.shape
        placement = draw_placement((height, width), self.plan, rng, size=self.size)
        view = render(resample(pixels, placement, size=self.size), self.plan, rng)
        moved = (
            np.zeros_like(view) if lesions is None else to_uint8(resample(lesions, placement, size=self.size))
        )
        return Batch(
            torch.from_numpy(view),
            torch.tensor(label),
            torch.from_numpy(moved),
            torch.tensor(lesions is not None),
            torch.tensor(self.names.index(self.slices.sources[index])),
            torch.tensor(self.slices.sources[index] in self.apart),
            torch.tensor(pasted is not None),
        )
