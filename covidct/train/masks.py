"""Masks beside slices: where the lungs and the lesions are, drawn by readers.

A mask has the name of its slice, in a folder beside the slice's own: `image/7.png`, `lung/7.png`,
`infection/7.png`. Knows files; knows nothing of networks.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path

import numpy as np
from PIL import Image

from covidct.errors import ManifestError, ReadError
from covidct.images import read_slice
from covidct.manifest import Row
from covidct.types import Pixels


class Mask(StrEnum):
    """What a mask shows: the name of its folder."""

    LUNG = "lung"
    LESION = "infection"


def find_mask(row: Row, kind: Mask) -> Path | None:
    """The mask of a slice, None where there is none."""
    path = row.path.parent.parent / kind / row.path.name
    return path if path != row.path and path.is_file() else None


def has_mask(rows: Sequence[Row], kind: Mask) -> list[Row]:
    """Those of the rows that have a mask."""
    return [row for row in rows if find_mask(row, kind) is not None]


def read_mask(path: Path, *, side: int) -> Pixels:
    """A mask as (side, side) uint8, 255 inside. Raises ManifestError for a file that is no picture."""
    try:
        stored = read_slice(path).pixels
    except ReadError as error:
        raise ManifestError(f"{error}; mend the mask or remove it") from error
    inside = Image.fromarray((stored > 127).astype(np.uint8) * 255)
    return np.asarray(inside.resize((side, side), Image.Resampling.BILINEAR), np.uint8)
