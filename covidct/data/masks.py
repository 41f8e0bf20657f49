"""Masks beside slices: where the lungs and the lesions are, drawn by readers.

A mask has the name of its slice, in a folder beside the slice's own: `image/7.png`, `lung/7.png`,
`infection/7.png`. Masks of lesions and lungs often come from different conversions, so one may be rotated
relative to the other; lesions are trusted only inside the lungs. Knows files; knows nothing of networks.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from enum import StrEnum
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from covidct.data.manifest import Row
from covidct.errors import ManifestError, ReadError
from covidct.images.read import read_slice
from covidct.types import Pixels

SIDE = 128  # of the copies by which turned masks are noticed


class Mask(StrEnum):
    """What a mask shows: the name of its folder."""

    LUNG = "lung"
    LESION = "infection"


def find_mask(row: Row, kind: Mask) -> Path | None:
    """The mask of a slice, None where there is none."""
    path = row.path.parent.parent / kind / row.path.name
    return path if path != row.path and path.is_file() else None


def has_mask(rows: Sequence[Row], kind: Mask) -> list[Row]:
    """The rows that have a mask."""
    return [row for row in rows if find_mask(row, kind) is not None]


def find_turns(rows: Sequence[Row]) -> dict[Path, int]:
    """For each folder of lesion masks, the quarter turns anticlockwise that bring them into the lungs.

    0 if they are inside already, or fit no better when turned, and for folders without lung masks. Raises
    ManifestError for a mask that is not a picture.
    """
    shares: dict[Path, NDArray[np.float64]] = defaultdict(lambda: np.zeros(4))
    for row in rows:
        lesion, lung = find_mask(row, Mask.LESION), find_mask(row, Mask.LUNG)
        if lesion is None or lung is None:
            continue
        lesions, lungs = (read_mask(path, side=SIDE) > 127 for path in (lesion, lung))
        shares[lesion.parent] += [(np.rot90(lesions, turn) & lungs).sum() for turn in range(4)]
    return {folder: int(np.argmax(inside)) for folder, inside in shares.items()}


def to_turn(path: Path, turns: Mapping[Path, int]) -> int:
    """The quarter turns of a lesion mask, 0 for a folder that is not in `turns`."""
    return turns.get(path.parent, 0)


def read_mask(path: Path, *, side: int, turn: int = 0) -> Pixels:
    """A mask as (side, side) uint8, 255 inside, after `turn` quarter turns anticlockwise.

    Raises ManifestError for a file that is not a picture.
    """
    try:
        stored = read_slice(path).pixels
    except ReadError as error:
        raise ManifestError(f"{error}; repair the mask, or remove it") from error
    inside = Image.fromarray(np.rot90((stored > 127).astype(np.uint8) * 255, turn))
    return np.asarray(inside.resize((side, side), Image.Resampling.BILINEAR), np.uint8)
