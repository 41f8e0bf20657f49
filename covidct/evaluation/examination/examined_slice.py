"""The slices that are examined, with what is known about them: rows of a manifest, or phantoms.

Knows files, masks and phantoms. Knows nothing of models.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from covidct.data.manifest import DataPlan, Row, to_label
from covidct.data.masks import Mask, find_mask, to_turn
from covidct.errors import ManifestError, ReadError
from covidct.images.dicom import read_hounsfield
from covidct.images.hounsfield import LUNG_CENTRE, LUNG_WIDTH, to_display
from covidct.images.phantoms.slice import Phantom, draw_slice
from covidct.images.read import read_slice
from covidct.stats.resampling import Bools
from covidct.types import Pixels

PHANTOM = "phantom"
PHANTOM_SIZE = 384


@dataclass(frozen=True)
class ExaminedSlice:
    """A slice: `pixels` (H, W) uint8 display, and where they are known `lungs` and `lesions` (H, W) bool.

    `label` is 1 for COVID-19, 0 for everything else, None if unknown; `patient` is an id unique over all
    sources. `hu` (H, W) are Hounsfield units if `is_hu`, else those that the grey levels would have in a lung
    window.
    """

    path: str
    label: int | None
    source: str
    patient: str
    pixels: Pixels = field(repr=False, compare=False)
    hu: NDArray[np.float32] = field(repr=False, compare=False)
    is_hu: bool = False
    lungs: Bools | None = field(default=None, repr=False, compare=False)
    lesions: Bools | None = field(default=None, repr=False, compare=False)


def read_examined_slice(
    row: Row, patient: str, plan: DataPlan, *, turns: Mapping[Path, int]
) -> ExaminedSlice:
    """Read a row's slice and the masks beside it, those of lesions turned by `turns` (`masks.find_turns`).

    Raises ManifestError for a file that cannot be read.
    """
    try:
        item = read_slice(row.path)
        is_hu = item.source.series_uid is not None
        hu = read_hounsfield(row.path, name=str(row.path)) if is_hu else to_hu(item.pixels)
    except ReadError as error:
        raise ManifestError(f"{error}; repair the file, or remove its line from the manifest") from error
    shape = item.pixels.shape
    lesions = find_mask(row, Mask.LESION)
    return ExaminedSlice(
        path=str(row.path),
        label=to_label(row, plan) if row.label in plan.labels else None,
        source=row.source,
        patient=patient,
        pixels=item.pixels,
        hu=hu.astype(np.float32),
        is_hu=is_hu,
        lungs=_read_inside(find_mask(row, Mask.LUNG), shape),
        lesions=_read_inside(lesions, shape, turn=to_turn(lesions, turns) if lesions else 0),
    )


def draw_examined_slices(count: int) -> Iterator[ExaminedSlice]:
    """Draw `count` phantoms with lesions, and the same chests without; every pair is one patient."""
    for seed in range(count):
        for kind in (Phantom.LESIONS, Phantom.NORMAL):
            yield draw_examined_slice(kind, seed=seed)


def draw_examined_slice(
    kind: Phantom = Phantom.LESIONS, *, seed: int = 0, size: int = PHANTOM_SIZE, source: str = PHANTOM
) -> ExaminedSlice:
    """Draw one phantom of `size` x `size` pixels; its patient is named by `source` and `seed`."""
    drawn = draw_slice(kind, seed=seed, size=size)
    return ExaminedSlice(
        path=f"{source}-{kind}-{seed}",
        label=int(kind is not Phantom.NORMAL),
        source=source,
        patient=f"{source}/{seed}",
        pixels=to_display(drawn.hu),
        hu=drawn.hu.astype(np.float32),
        is_hu=True,
        lungs=drawn.lung_mask,
        lesions=drawn.lesion_mask,
    )


def to_hu(pixels: Pixels) -> NDArray[np.float32]:
    """Hounsfield units (H, W) that the lung window shows as these grey levels; between its ends only."""
    return np.asarray(pixels / 255 * LUNG_WIDTH + LUNG_CENTRE - LUNG_WIDTH / 2, np.float32)


def stretch(mask: Bools, shape: Sequence[int]) -> Bools:
    """A mask (h, w) stretched to another shape, to the nearest pixel."""
    rows, columns = (
        (np.arange(side) * 2 + 1) * length // (2 * side)
        for side, length in zip(shape, mask.shape, strict=True)
    )
    return np.asarray(mask[rows[:, None], columns])


def _read_inside(path: Path | None, shape: Sequence[int], *, turn: int = 0) -> Bools | None:
    if path is None:
        return None
    try:
        return stretch(np.rot90(read_slice(path).pixels > 127, turn), shape)
    except ReadError as error:
        raise ManifestError(f"{error}; repair the mask, or remove it") from error
