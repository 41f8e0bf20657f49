"""Slices of one volume, stacked: coronal and sagittal views of it, and radiographs made from it.

Knows rows that belong together, and projections. Heights are not known where slices carry no position, so
views are drawn at many. What is made is a view of a chest as seen from elsewhere; its detail is coarse.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from PIL import Image

from covidct.data.manifest import Row
from covidct.training.augment import to_uint8
from covidct.types import Pixels

FEWEST = 12  # slices of a volume
HEIGHTS = (0.55, 1.15)  # of a stack, as a share of its width
BODY = 40  # grey level above which something is body, not air around it


def stack_rows(rows: Sequence[Row], pixels: Sequence[Pixels]) -> list[NDArray[np.uint8]]:
    """Volumes (D, H, W) uint8 of those rows that have a patient's id or a folder of their own in common.

    In the order of the numbers in their names; what has too few slices, or of different sizes, is none.
    """
    groups: dict[tuple[str, str, str, tuple[int, ...]], list[tuple[list[int], Pixels]]] = defaultdict(list)
    for row, slice_ in zip(rows, pixels, strict=True):
        place = (row.source, row.patient_id, str(row.path.parent), slice_.shape)
        groups[place].append((_numbers(row.path), slice_))
    return [
        np.stack([slice_ for _, slice_ in sorted(members, key=lambda member: member[0])])
        for (_, patient, folder, _), members in groups.items()
        if len(members) >= FEWEST and _is_series(members)
    ]


def _numbers(path: Path) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", path.stem)]


def _is_series(members: Sequence[tuple[list[int], Pixels]]) -> bool:
    """Whether the slices look like neighbours: a stack of single slices does not, whatever their names."""
    slices = [slice_[::4, ::4].astype(np.float32) for _, slice_ in sorted(members, key=lambda item: item[0])]
    likeness = [np.corrcoef(one.ravel(), next_.ravel())[0, 1] for one, next_ in pairwise(slices)]
    return float(np.median(likeness)) > 0.75


def draw_reformat(volume: NDArray[np.uint8], rng: Generator, *, size: int) -> Pixels:
    """A coronal or sagittal view (size, size) uint8 through the middle half of a volume (D, H, W)."""
    axis = int(rng.integers(1, 3))
    at = int(rng.uniform(0.25, 0.75) * volume.shape[axis])
    thick = int(rng.integers(1, 5))
    view = np.take(volume, range(at, min(at + thick, volume.shape[axis])), axis=axis).mean(axis)
    return _upright(view, rng, size=size)


def draw_radiograph(volume: NDArray[np.uint8], rng: Generator, *, size: int) -> Pixels:
    """A frontal or lateral radiograph (size, size) uint8: the mean of a volume (D, H, W) along the rays."""
    axis = 1 if rng.random() < 0.7 else 2
    # Every second column: twice as fast, and a radiograph of a stack this coarse has no finer detail.
    values = volume[:, ::2, ::2].astype(np.float32)
    # Rays through the whole body, bones counted for more than the lung window shows of them.
    weights = values + rng.uniform(0, 3) * np.clip(values - 215, 0, None)
    shadow = weights.mean(axis)
    inside = shadow > np.percentile(shadow, 5)
    low, high = np.percentile(shadow[inside], (rng.uniform(0, 10), rng.uniform(90, 100)))
    shown = np.clip((shadow - low) / max(high - low, 1e-6), 0, 1) ** rng.uniform(0.6, 1.5)
    return _upright(shown * 255, rng, size=size)


def _upright(view: NDArray[np.floating], rng: Generator, *, size: int) -> Pixels:
    """Head up or down, cut to the body or not, and as tall as a chest may be, onto a square."""
    view = view[::-1] if rng.random() < 0.5 else view
    if rng.random() < 0.6:
        columns = np.flatnonzero((view > BODY).mean(0) > 0.1)
        if columns.size > 8:
            view = view[:, columns[0] : columns[-1] + 1]
    tall = max(8, round(size * rng.uniform(*HEIGHTS)))
    image = Image.fromarray(to_uint8(np.asarray(view, np.float32)))
    image = image.resize((size, tall), Image.Resampling.BICUBIC)
    if tall > size or rng.random() < 0.7:
        # Files are cut to what they show: the network stretches whatever shape they have.
        return np.asarray(image.resize((size, size), Image.Resampling.BILINEAR), np.uint8)
    page = Image.new("L", (size, size), int(rng.integers(0, 30)))
    page.paste(image, (0, (size - tall) // 2))
    return np.asarray(page, np.uint8)
