"""The contact sheet of a run: slices that it learned from, each with views as training drew them.

Knows rows, recipes and pixels.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from covidct.data.manifest import Row, to_label
from covidct.data.recipe import Recipe
from covidct.data.slice_store import Read
from covidct.images.read import read_slice
from covidct.training.lessons.loader import to_side
from covidct.training.slices import ROOM, AugmentedSlices, read_slices, to_square

EACH, VIEWS = 3, 5  # slices of a class, and views of each
TILE, GAP = 104, 4  # pixels
WHITE = 255


def draw_sheet(rows: Sequence[Row], recipe: Recipe, *, read: Read = read_slice) -> NDArray[np.uint8]:
    """Slices of `train`, (H, W) uint8: a line each, the slice as it is and views of it; COVID-19 first."""
    chosen = choose_rows([row for row in rows if row.split == "train"], recipe)
    side = to_side(recipe)
    slices = read_slices(
        chosen, recipe.data, side=round(side * ROOM), label="contact sheet", resize=recipe.resize, read=read
    )
    views = AugmentedSlices(slices, recipe.augment, size=side, seed=recipe.seed, apart=recipe.apart)
    lines = [
        [pixels, *(views[0, draw, at].slices.numpy() for draw in range(VIEWS))]
        for at, pixels in enumerate(slices.pixels)
    ]
    return _lay_out(lines)


def choose_rows(rows: Sequence[Row], recipe: Recipe) -> list[Row]:
    """Originals of either class, spread over the rows."""
    chosen = []
    for label in (1, 0):
        own = [row for row in rows if to_label(row, recipe.data) == label and row.parent is None]
        places = np.linspace(0, len(own) - 1, min(EACH, len(own))).round().astype(int)
        chosen += [own[at] for at in places]
    return chosen


def _lay_out(lines: Sequence[Sequence[NDArray[np.uint8]]]) -> NDArray[np.uint8]:
    """Lines of pictures (h, w) as one, the first of each line a little apart."""
    step = TILE + GAP
    sheet = np.full((len(lines) * step - GAP, (VIEWS + 1) * step + GAP), WHITE, np.uint8)
    for down, line in enumerate(lines):
        for across, pixels in enumerate(line):
            left = across * step + (2 * GAP if across else 0)
            sheet[down * step : down * step + TILE, left : left + TILE] = to_square(pixels, TILE)
    return sheet
