"""The evidence map as a picture: where the logit came from, laid over the slice.

The map is the decision (its mean, with the bias, is the logit), so nothing is computed here but
colours. The scale is fixed, so that two pictures can be compared: full colour means that lungs made
of such cells alone would be positive beyond doubt.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from covidct.images.files import OVERLAY_ENDING, write_beside
from covidct.types import WHOLE, Box, Evidence, Pixels, Slice

# Evidence (logit per cell) at which the colour is full. Lungs fill less than half of the map, so the logit is
# some 8 where all of them reach it, and the probability 0.98 or more. Lesions reach 20 to 40.
FULL = 20.0
# The strength up to which nothing is coloured: normal lungs stay below, and would be dark red all over.
FAINT = 0.05
OPACITY = 0.6
# Dark red to yellow: readable on grey, and for readers who cannot tell red from green.
COLOURS = np.array([(96, 0, 32), (214, 40, 40), (247, 127, 0), (252, 211, 77)], np.float32)


def to_overlay(pixels: Pixels, evidence: Evidence, *, box: Box = WHOLE) -> NDArray[np.uint8]:
    """Lay evidence (h, w) float32 over the part `box` of a slice (H, W) uint8; gives (H, W, 3) uint8 RGB.

    Only evidence for COVID-19 is coloured, where it is stronger than FAINT.
    """
    strength = lay_strength(evidence, shape=pixels.shape, box=box)
    seen = np.clip((strength - FAINT) / (1 - FAINT), 0, 1)
    opacity = (OPACITY * np.sqrt(seen))[..., None]
    grey = np.repeat(pixels[..., None], 3, axis=2).astype(np.float32)
    mixed = grey * (1 - opacity) + _to_colour(strength) * opacity
    return np.asarray(mixed + 0.5, np.uint8)


def lay_strength(evidence: Evidence, *, shape: tuple[int, ...], box: Box = WHOLE) -> NDArray[np.float32]:
    """Strength at each pixel of a slice (H, W), float32 in [0, 1]; 0 outside of its part `box`.

    1 is the full colour of an overlay.
    """
    columns, rows = (_to_span(box[at], box[at + 2], shape[1 - at]) for at in (0, 1))
    strength = np.zeros(shape, np.float32)
    strength[rows, columns] = to_strength(
        evidence, shape=(rows.stop - rows.start, columns.stop - columns.start)
    )
    return strength


def to_strength(evidence: Evidence, *, shape: tuple[int, int]) -> NDArray[np.float32]:
    """Evidence resampled to (H, W) float32 in [0, 1]; 0 where it speaks against COVID-19."""
    # Clipped before it is resampled too: a cubic overshoots above 0 between cells that are all below.
    image = Image.fromarray(np.maximum(np.asarray(evidence, np.float32), 0))
    smooth = np.asarray(image.resize((shape[1], shape[0]), Image.Resampling.BICUBIC), np.float32)
    strength: NDArray[np.float32] = np.clip(smooth / FULL, 0, 1)
    return strength


def _to_span(start: float, stop: float, side: int) -> slice:
    """Pixels from `start` to `stop`, both in [0, 1] of a side; at least one."""
    first = min(max(round(start * side), 0), side - 1)
    return slice(first, min(max(round(stop * side), first + 1), side))


class Overlays:
    """A folder of overlays, one PNG a slice, named after the slice's path."""

    def __init__(self, folder: Path):
        """Makes the folder where it is missing. Raises OSError."""
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._taken: set[str] = set()

    def write(self, item: Slice, evidence: Evidence, *, box: Box = WHOLE) -> Path:
        """Write the overlay of one slice, under another name, then renamed; returns where."""
        path = self._folder / f"{self._name(item.source.path)}{OVERLAY_ENDING}"
        overlay = Image.fromarray(to_overlay(item.pixels, evidence, box=box))
        write_beside(path, lambda partial: overlay.save(partial, "PNG"))
        return path

    def _name(self, path: str) -> str:
        """`study/slice.png` -> `study_slice.png`: flat, and no other slice of this run has it."""
        parts = [part for part in Path(path).parts if part not in ("..", "/", "\\")]
        # Names of files may have 255 bytes, four a letter; the end of a path says more than its beginning.
        # Where it is cut, it must not begin as hidden files and options do.
        wanted = re.sub(r"[^\w.\-]+", "_", "_".join(parts))[-56:].lstrip(".-") or "slice"
        name, copy = wanted, 1
        # Without case: some file systems hold `a` and `A` for one name.
        while name.casefold() in self._taken:
            copy += 1
            name = f"{wanted}-{copy}"
        self._taken.add(name.casefold())
        return name


def _to_colour(strength: NDArray[np.float32]) -> NDArray[np.float32]:
    steps = np.linspace(0, 1, len(COLOURS))
    channels = [np.interp(strength, steps, COLOURS[:, channel]) for channel in range(3)]
    return np.stack(channels, axis=-1).astype(np.float32)
