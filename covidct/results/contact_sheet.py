"""Slices with their evidence side by side, as one picture for people.

Knows tiles, captions and the fonts that come with Pillow. Knows nothing of DICOM or models, and draws no text
but what it is given.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from covidct.images.orientation import turn
from covidct.inference.overlay import to_overlay
from covidct.types import UPRIGHT, WHOLE, Box, Evidence, Pixels, Turn

Rgb = NDArray[np.uint8]
SIDE, EDGE, CAPTION = 384, 12, 26
TITLE_SIZE, TEXT_SIZE = 22, 16
PAPER, INK, QUIET = (16, 16, 16), (240, 240, 240), (170, 170, 170)


@dataclass(frozen=True)
class Tile:
    """One slice (H, W) uint8 display as stored, its evidence (h, w) float32 if any, and lines of text.

    It is shown turned by `turn`.
    """

    pixels: Pixels
    caption: str
    evidence: Evidence | None = field(default=None, compare=False)
    box: Box = WHOLE
    turn: Turn = UPRIGHT


def draw_contact_sheet(tiles: Sequence[Tile], *, title: Sequence[str], footer: str) -> Rgb:
    """Draw tiles in rows of three under a title of a few lines; gives (H, W, 3) uint8 RGB.

    Slices keep their shape; the smaller side of one that is not square is filled with black. Lines that would
    run over the edge are broken.
    """
    columns = max(min(len(tiles), 3), 2)
    width = columns * (SIDE + EDGE) + EDGE
    lines = [piece for line in title for piece in _break(line, width - 2 * EDGE, _size(line, title))]
    top = EDGE + len(lines) * (TITLE_SIZE + 8)
    caption = CAPTION + (TEXT_SIZE + 4) * max((tile.caption.count("\n") for tile in tiles), default=0)
    height = top + math.ceil(len(tiles) / columns) * (SIDE + caption + EDGE) + TEXT_SIZE + 2 * EDGE
    sheet = Image.new("RGB", (width, height), PAPER)
    draw = ImageDraw.Draw(sheet)
    for number, line in enumerate(lines):
        size = TITLE_SIZE if number == 0 else TEXT_SIZE
        draw.text((EDGE, EDGE + number * (TITLE_SIZE + 8)), line, fill=INK, font_size=size)
    for number, tile in enumerate(tiles):
        row, column = divmod(number, columns)
        left, upper = EDGE + column * (SIDE + EDGE), top + row * (SIDE + caption + EDGE)
        sheet.paste(_draw_tile(tile), (left, upper))
        draw.text((left, upper + SIDE + 4), tile.caption, fill=INK, font_size=TEXT_SIZE)
    draw.text((EDGE, height - TEXT_SIZE - EDGE), footer, fill=QUIET, font_size=TEXT_SIZE)
    return np.asarray(sheet, np.uint8)


def _draw_tile(tile: Tile) -> Image.Image:
    if tile.evidence is None:
        stored = np.repeat(tile.pixels[..., None], 3, axis=2)
    else:
        stored = to_overlay(tile.pixels, tile.evidence, box=tile.box)
    shown = Image.fromarray(np.ascontiguousarray(turn(stored, tile.turn)))
    scale = SIDE / max(shown.size)
    shown = shown.resize((max(round(shown.width * scale), 1), max(round(shown.height * scale), 1)))
    square = Image.new("RGB", (SIDE, SIDE))
    square.paste(shown, ((SIDE - shown.width) // 2, (SIDE - shown.height) // 2))
    return square


def _size(line: str, title: Sequence[str]) -> int:
    return TITLE_SIZE if line is title[0] else TEXT_SIZE


def _break(line: str, width: int, size: int) -> list[str]:
    """A line in pieces that fit, broken between words."""
    draw = ImageDraw.Draw(Image.new("L", (1, 1)))
    pieces = [""]
    for word in line.split():
        longer = f"{pieces[-1]} {word}".strip()
        if pieces[-1] and draw.textlength(longer, font_size=size) > width:
            pieces.append(word)
        else:
            pieces[-1] = longer
    return pieces
