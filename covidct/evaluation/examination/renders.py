"""One slice as different hospitals would show it: windows, fields of view, sizes, files, scans, bodies.

Knows Hounsfield units, grey levels and geometry. Where a slice came without Hounsfield units, other windows
are made from its grey levels as if they were the lung window's: what that window had cut off stays lost.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from covidct.audit.lung_segmentation import find_lungs
from covidct.evaluation.examination.examined_slice import ExaminedSlice, stretch
from covidct.evaluation.examination.scans import change_body, scan_otherwise
from covidct.images.hounsfield import to_display
from covidct.images.read import parse_slice
from covidct.stats.resampling import Bools
from covidct.types import Pixels

# Centre and width in HU of windows in which lungs are read; the first, -600/1500, is the slice itself.
WINDOWS = {"wide": (-500.0, 2000.0), "narrow": (-700.0, 1000.0), "high": (-450.0, 1500.0)}
SIZES = (256, 512, 1024)  # of the longer side
QUALITY = 60
SHIFTS = ((3, 2), (-4, -3))  # pixels to the right and down
FIELD = 1.3  # of the longer side: the circle's diameter
TABLE_HU, AIR_HU, NOTHING_HU = 60.0, -1000.0, -2000.0
ROOM = 0.05  # of the box of the lungs, left around them
SMALLEST = 32  # pixels: a smaller crop is no slice


class Kind(StrEnum):
    """What is different about a render."""

    WINDOW = "window"
    FIELD = "field of view"
    SIZE = "size"
    JPEG = "JPEG"
    MIRROR = "mirrored"
    SHIFT = "shifted"
    SCAN = "scan"
    BODY = "body"


@dataclass(frozen=True)
class Render:
    """A slice shown in another way, (H, W) uint8 display."""

    kind: Kind
    name: str
    pixels: Pixels = field(repr=False, compare=False)


def render_slice(examined: ExaminedSlice, inside: Bools | None) -> Iterator[Render]:
    """All renders of a slice; the crop to its lungs only where `inside` (H, W) says where they are.

    The slice that they are to be compared with is `examined.pixels`, losslessly stored.
    """
    pixels = examined.pixels
    for name, (centre, width) in WINDOWS.items():
        shown = to_display(examined.hu, centre=centre, width=width)
        yield Render(Kind.WINDOW, f"{name} {centre:g}/{width:g}", shown)
    yield from _fields(examined, inside)
    for side in SIZES:
        yield Render(Kind.SIZE, f"{side} pixels", resize(pixels, side))
    yield Render(Kind.JPEG, f"quality {QUALITY}", through_jpeg(pixels))
    yield Render(Kind.MIRROR, "mirrored", np.ascontiguousarray(pixels[:, ::-1]))
    for right, down in SHIFTS:
        yield Render(Kind.SHIFT, f"{right:+d}, {down:+d} pixels", shift(pixels, right=right, down=down))
    yield from (Render(Kind.SCAN, name, shown) for name, shown in scan_otherwise(examined.hu))
    yield from (Render(Kind.BODY, name, shown) for name, shown in change_body(examined.hu, inside))


def resize(pixels: Pixels, side: int) -> Pixels:
    """(H, W) uint8 with the longer side brought to `side`, cubic."""
    scale = side / max(pixels.shape)
    height, width = (max(1, round(scale * length)) for length in pixels.shape)
    return np.asarray(Image.fromarray(pixels).resize((width, height), Image.Resampling.BICUBIC), np.uint8)


def through_jpeg(pixels: Pixels) -> Pixels:
    """(H, W) uint8, written as JPEG and read again as people's files are."""
    buffer = BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=QUALITY)
    return parse_slice(buffer.getvalue(), name="render.jpg").pixels


def shift(pixels: Pixels, *, right: int, down: int) -> Pixels:
    """(H, W) uint8 moved by whole pixels; what comes in repeats the edge."""
    height, width = pixels.shape
    reach = max(abs(right), abs(down))
    padded = np.pad(pixels, reach, mode="edge")
    return np.ascontiguousarray(
        padded[reach - down : reach - down + height, reach - right : reach - right + width]
    )


def to_full_field(hu: NDArray[np.float32]) -> NDArray[np.float32]:
    """(H, W) HU in the middle of a round field of view a third wider, with a table below."""
    height, width = hu.shape
    side = round(FIELD * max(height, width))
    top, left = (side - height) // 2, (side - width) // 2
    corners = float(np.median(hu[[0, 0, -1, -1], [0, -1, 0, -1]]))
    # Pictures have a black of their own for air, which is to go on beyond their edge.
    wide = np.full((side, side), corners if corners < AIR_HU / 2 else AIR_HU, np.float32)
    y, x = np.mgrid[:side, :side] / (side - 1) * 2 - 1
    dip = y - (2 * (top + height) / side - 1) + 0.12 * x**2
    wide[(dip > 0.0) & (dip < 0.05) & (np.abs(x) < 0.7)] = TABLE_HU
    wide[top : top + height, left : left + width] = hu
    wide[x**2 + y**2 > 1] = NOTHING_HU
    return wide


def _fields(examined: ExaminedSlice, inside: Bools | None) -> Iterator[Render]:
    yield Render(Kind.FIELD, "full field", to_display(to_full_field(examined.hu)))
    pixels = examined.pixels
    crops = {"cropped to the body": stretch(find_lungs(pixels).body, pixels.shape)}
    if inside is not None:
        crops["cropped to the lungs"] = inside
    for name, mask in crops.items():
        part = crop(pixels, mask)
        if part is not None:
            yield Render(Kind.FIELD, name, part)


def crop(pixels: Pixels, mask: Bools) -> Pixels | None:
    """The box of a mask with a little room; None where that is too small to be a slice."""
    if not mask.any():
        return None
    spans = []
    for axis, side in ((1, pixels.shape[0]), (0, pixels.shape[1])):
        there = np.flatnonzero(mask.any(axis=axis))
        room = round(ROOM * (there[-1] - there[0] + 1))
        spans.append(slice(max(0, there[0] - room), min(side, there[-1] + 1 + room)))
    part = np.ascontiguousarray(pixels[spans[0], spans[1]])
    return part if min(part.shape) >= SMALLEST else None
