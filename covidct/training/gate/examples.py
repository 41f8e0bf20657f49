"""What the gate is shown: pictures of every class, from the manifest and made in code, each in many views.

Knows which rows show what. Knows nothing of networks but what a lung finder says of the rows.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.random import Generator
from numpy.typing import NDArray

from covidct.data.manifest import Row
from covidct.data.recipe import Gating
from covidct.errors import ForeignDicom, ManifestError, ReadError
from covidct.images.dicom import read_shown
from covidct.images.files import ENDINGS
from covidct.images.read import read_slice
from covidct.training.augment import augment_slice
from covidct.training.fit_lung_finder import KEPT, VARIETY
from covidct.training.gate.ood_pictures import draw_stranger, shuffle_slice
from covidct.training.gate.reformats import draw_radiograph, draw_reformat, stack_rows
from covidct.training.networks.gate_head import CHEST, CLASSES
from covidct.training.networks.lung_finder import SIDE, LungFinder
from covidct.training.slices import to_square
from covidct.types import Pixels, Reason

IN_VIEW, HARDLY = 0.02, 0.004  # share of the slice: above, lung is in view; below, it is not
CHESTS = 0.4  # of the views
MADE = "made in code"
VIEW = replace(VARIETY, scale=(0.6, 1.6))


@dataclass(frozen=True)
class Exhibits:
    """Squares (N, 160, 160) uint8, display, with their class and source, (N,) each; and whole volumes."""

    pixels: NDArray[np.uint8]
    classes: tuple[str, ...]
    sources: tuple[str, ...]
    rows: tuple[Row, ...]
    volumes: tuple[NDArray[np.uint8], ...]

    def kinds(self, what: str) -> dict[str, NDArray[np.int64]]:
        """The places of the exhibits of a class, by source."""
        found: dict[str, list[int]] = {}
        for at, (name, source) in enumerate(zip(self.classes, self.sources, strict=True)):
            if name == what:
                found.setdefault(source, []).append(at)
        return {source: np.array(places) for source, places in found.items()}


@dataclass(frozen=True)
class View:
    """What was drawn: (96, 96) uint8, its class by number, and its exhibit, -1 where made in code."""

    pixels: Pixels
    label: int
    exhibit: int


def read_exhibits(
    chests: Sequence[Row], others: Sequence[Row], gating: Gating, finder: LungFinder
) -> Exhibits:
    """Chests with lung in view, and those of the other rows whose source means something to the gate.

    Rows of the sources `levels` are chests where the finder sees lung, and no chests where it sees none.
    """
    meaning = gating.meaning()
    known = [row for row in others if row.source in {*meaning, *gating.levels} and _is_picture(row.path)]
    rows = [*chests, *known]
    shown = [read_stranger(row) for row in rows]
    volumes = stack_rows(rows, shown)
    pixels = np.stack([to_square(picture, KEPT) for picture in shown])
    lungs = measure_lungs(finder, pixels)
    classes = [
        _to_class(row, float(lung), meaning, at < len(chests))
        for at, (row, lung) in enumerate(zip(rows, lungs, strict=True))
    ]
    kept = [at for at, name in enumerate(classes) if name]
    return Exhibits(
        pixels=pixels[kept],
        classes=tuple(classes[at] for at in kept),
        sources=tuple(rows[at].source for at in kept),
        rows=tuple(rows[at] for at in kept),
        volumes=tuple(volumes),
    )


def read_stranger(row: Row) -> Pixels:
    """Any picture as grey levels (H, W) uint8, whatever a DICOM header says it is. Raises ManifestError."""
    try:
        return read_slice(row.path).pixels
    except ForeignDicom:
        return read_shown(row.path, name=str(row.path))
    except ReadError as error:
        raise ManifestError(f"{error}; repair the file, or remove its line from the manifest") from error


def measure_lungs(finder: LungFinder, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """The share of each picture (N, H, W) that the finder takes for lung, (N,)."""
    with torch.inference_mode():
        parts = [
            torch.sigmoid(finder(torch.from_numpy(pixels[at : at + 64]))).mean((1, 2))
            for at in range(0, len(pixels), 64)
        ]
    return torch.cat(parts).numpy()


def draw_views(exhibits: Exhibits, *, count: int, seed: int) -> Iterator[View]:
    """Views under strong rendering; view `n` of a seed is always the same."""
    present = [name for name in CLASSES if exhibits.kinds(name) or _can_make(name, exhibits)]
    shares = np.array([CHESTS if name == CHEST else (1 - CHESTS) / (len(CLASSES) - 1) for name in present])
    kinds = {name: [*exhibits.kinds(name).items()] for name in present}
    for number in range(count):
        rng = np.random.default_rng((seed, number))
        name = present[int(rng.choice(len(present), p=shares / shares.sum()))]
        choices = len(kinds[name]) + _can_make(name, exhibits)
        at = int(rng.integers(choices))
        exhibit = -1
        if at < len(kinds[name]):
            exhibit = int(rng.choice(kinds[name][at][1]))
            picture: Pixels = exhibits.pixels[exhibit]
        else:
            picture = _make(name, exhibits, rng)
        yield View(augment_slice(picture, VIEW, rng, size=SIDE), CLASSES.index(name), exhibit)


def _is_picture(path: Path) -> bool:
    return path.suffix.lower() in ENDINGS


def _to_class(row: Row, lung: float, meaning: dict[str, Reason], is_chest: bool) -> str:
    """What a row shows, "" for what is neither one thing nor another."""
    if is_chest:
        return CHEST if lung >= IN_VIEW else ""
    if row.source in meaning:
        reason = meaning[row.source]
        # The uppermost slices of a belly show the bases of the lungs: they are chests, or might be.
        return "" if reason is Reason.NOT_CHEST and lung >= IN_VIEW and "ct" in row.source else reason
    return CHEST if lung >= IN_VIEW else Reason.NOT_CHEST if lung < HARDLY else ""


def _can_make(name: str, exhibits: Exhibits) -> int:
    """In how many kinds pictures of a class can be made."""
    match name:
        case Reason.NOT_CT:
            return 2
        case Reason.NOT_CHEST:
            return 1
        case Reason.RADIOGRAPH | Reason.NOT_AXIAL:
            return 1 if exhibits.volumes else 0
    return 0


def _make(name: str, exhibits: Exhibits, rng: Generator) -> Pixels:
    match name:
        case Reason.NOT_CT if rng.random() < 0.2 and len(exhibits.pixels):
            return shuffle_slice(exhibits.pixels[int(rng.integers(len(exhibits.pixels)))], rng)
        case Reason.NOT_CT | Reason.NOT_CHEST:
            return draw_stranger(Reason(name), rng, size=KEPT)
        case Reason.RADIOGRAPH:
            return draw_radiograph(exhibits.volumes[int(rng.integers(len(exhibits.volumes)))], rng, size=KEPT)
        case _:
            return draw_reformat(exhibits.volumes[int(rng.integers(len(exhibits.volumes)))], rng, size=KEPT)
