"""Random changes to a training slice, on the fly: what other scanners, papers and screens do to it.

Each function maps (H, W) float32 grey levels in [0, 255] to the same and draws from the given generator, so
one seed gives one picture. Knows nothing of labels or networks.
"""

from __future__ import annotations

import io

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from covidct.data.recipe import Augmentation
from covidct.types import Pixels

Grey = NDArray[np.float32]


def augment_slice(pixels: Pixels, plan: Augmentation, rng: Generator, *, size: int) -> Pixels:
    """One random view of a slice: (H, W) uint8 display -> (size, size) uint8 display."""
    return render(place(pixels, plan, rng, size=size), plan, rng)


def render(grey: Grey, plan: Augmentation, rng: Generator) -> Pixels:
    """All that changes grey levels and leaves every structure where it is."""
    if rng.random() < plan.field_of_view:
        grey = round_field_of_view(grey, rng)
    grey = rewindow(grey, plan, rng)
    if rng.random() < plan.resolution:
        grey = coarsen(grey, rng)
    if rng.random() < plan.noise:
        grey = add_noise(grey, rng)
    if rng.random() < plan.marks:
        grey = paint_marks(grey, rng)
    if rng.random() < plan.boxes:
        grey = blank_box(grey, rng)
    if rng.random() < plan.jpeg:
        grey = compress(grey, rng)
    return to_uint8(grey)


def place(pixels: Pixels, plan: Augmentation, rng: Generator, *, size: int) -> Grey:
    """Rotate, mirror, scale, stretch and shift in one resampling, onto a square of `size`.

    What comes in from outside the slice is black, as outside a scanner's field of view.
    """
    height, width = pixels.shape
    return resample(pixels, draw_placement((height, width), plan, rng, size=size), size=size)


def draw_placement(
    shape: tuple[int, int], plan: Augmentation, rng: Generator, *, size: int
) -> tuple[float, ...]:
    """The affine map (six numbers) from pixels of a square of `size` to a slice of (H, W)."""
    height, width = shape
    angle = np.deg2rad(rng.uniform(-plan.rotation, plan.rotation))
    scale = np.exp(rng.uniform(np.log(plan.scale[0]), np.log(plan.scale[1])))
    stretch = np.exp(rng.uniform(-plan.aspect, plan.aspect) / 2)
    mirror = -1.0 if rng.random() < plan.flip else 1.0
    shift = rng.uniform(-plan.shift, plan.shift, 2)
    # From output to input, both seen as squares of side 2 about their centres.
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    matrix = turn @ np.diag([mirror / (scale * stretch), stretch / scale])
    sides = np.diag([width / size, height / size])
    matrix = sides @ matrix
    offset = np.array([width, height]) * (0.5 + shift) - matrix @ np.array([size / 2, size / 2])
    return (*matrix[0], offset[0], *matrix[1], offset[1])


def resample(pixels: Pixels, placement: tuple[float, ...], *, size: int) -> Grey:
    """(H, W) uint8 onto a square of `size`, black (or no lesion, in a mask) where nothing lies."""
    image = Image.fromarray(pixels).transform(
        (size, size),
        Image.Transform.AFFINE,
        placement,
        resample=Image.Resampling.BILINEAR,
        fillcolor=0,
    )
    return np.asarray(image, dtype=np.float32)


def round_field_of_view(grey: Grey, rng: Generator) -> Grey:
    """Darken all outside a circle, as full-field reconstructions do."""
    size = grey.shape[0]
    rows, columns = np.ogrid[:size, :size]
    radius = rng.uniform(0.46, 0.56) * size
    centre = size / 2 + rng.uniform(-0.03, 0.03, 2) * size
    outside = (rows - centre[0]) ** 2 + (columns - centre[1]) ** 2 > radius**2
    return np.where(outside, np.float32(rng.uniform(0, 50)), grey)


def rewindow(grey: Grey, plan: Augmentation, rng: Generator) -> Grey:
    """Move both ends of the grey scale and bend it: another window, another screen."""
    low = rng.uniform(-plan.window, plan.window)
    high = 1 + rng.uniform(-plan.window, plan.window)
    gamma = np.exp(rng.uniform(-plan.gamma, plan.gamma))
    scaled = np.clip(grey / 255.0, 0, 1) ** gamma * (high - low) + low
    return np.asarray(np.clip(scaled * 255.0, 0, 255), np.float32)


def coarsen(grey: Grey, rng: Generator) -> Grey:
    """Resample from a coarser grid: a thumbnail from a paper, a smooth kernel."""
    size = grey.shape[0]
    small = max(8, round(size * rng.uniform(0.35, 0.9)))
    kinds = (Image.Resampling.BILINEAR, Image.Resampling.BICUBIC, Image.Resampling.BOX)
    image = Image.fromarray(to_uint8(grey))
    image = image.resize((small, small), kinds[int(rng.integers(len(kinds)))])
    return np.asarray(image.resize((size, size), Image.Resampling.BICUBIC), dtype=np.float32)


def add_noise(grey: Grey, rng: Generator) -> Grey:
    """Grain of a sharp kernel or a low dose."""
    deviation = rng.uniform(2, 14)
    noise = rng.standard_normal(grey.shape, dtype=np.float32) * np.float32(deviation)
    return np.clip(grey + noise, 0, 255)


def compress(grey: Grey, rng: Generator) -> Grey:
    """JPEG at a random quality."""
    buffer = io.BytesIO()
    Image.fromarray(to_uint8(grey)).save(buffer, "JPEG", quality=int(rng.integers(25, 92)))
    return np.asarray(Image.open(buffer), dtype=np.float32)


def paint_marks(grey: Grey, rng: Generator) -> Grey:
    """Letters, arrows and rulers, so that none of them means anything."""
    image = Image.fromarray(to_uint8(grey))
    draw = ImageDraw.Draw(image)
    for _ in range(int(rng.integers(1, 4))):
        tone = int(rng.choice([0, 255, int(rng.integers(0, 256))]))
        match int(rng.integers(3)):
            case 0:
                _letters(draw, image.width, tone, rng)
            case 1:
                _arrow(draw, image.width, tone, rng)
            case _:
                _ruler(draw, image.width, tone, rng)
    return np.asarray(image, dtype=np.float32)


def blank_box(grey: Grey, rng: Generator) -> Grey:
    """Blank a strip along one border, or a small box anywhere."""
    size = grey.shape[0]
    tone = np.float32(rng.choice((0.0, 255.0, rng.uniform(0, 255))))
    changed = grey.copy()
    if rng.random() < 0.6:
        depth = int(rng.uniform(0.01, 0.12) * size) + 1
        turned = np.rot90(changed, int(rng.integers(4)))
        turned[:depth] = tone
    else:
        height, width = (int(side * size) + 1 for side in rng.uniform(0.04, 0.2, 2))
        top, left = int(rng.integers(0, size - height)), int(rng.integers(0, size - width))
        changed[top : top + height, left : left + width] = tone
    return changed


def to_uint8(grey: Grey) -> Pixels:
    """Round to the nearest grey level."""
    return (np.clip(grey, 0, 255) + np.float32(0.5)).astype(np.uint8)


def _letters(draw: ImageDraw.ImageDraw, size: int, tone: int, rng: Generator) -> None:
    alphabet = "ABCDEFGHLRabcdef0123456789"
    text = "".join(rng.choice(list(alphabet), int(rng.integers(1, 6))))
    draw.text(tuple(rng.uniform(0, 0.92, 2) * size), text, fill=tone, font_size=float(rng.uniform(7, 26)))


def _arrow(draw: ImageDraw.ImageDraw, size: int, tone: int, rng: Generator) -> None:
    tip = rng.uniform(0.1, 0.9, 2) * size
    angle = rng.uniform(0, 2 * np.pi)
    length, spread = rng.uniform(0.04, 0.12) * size, rng.uniform(0.3, 0.6)
    sides = [tip + length * _direction(angle + turn) for turn in (-spread, spread)]
    draw.polygon([tuple(tip), *(tuple(side) for side in sides)], fill=tone)
    tail = tip + 2 * length * _direction(angle)
    draw.line([tuple(tip), tuple(tail)], fill=tone, width=int(rng.integers(1, 4)))


def _direction(angle: float) -> NDArray[np.float64]:
    return np.array([np.cos(angle), np.sin(angle)])


def _ruler(draw: ImageDraw.ImageDraw, size: int, tone: int, rng: Generator) -> None:
    column, top = rng.choice((0.02, 0.98)) * size, rng.uniform(0.1, 0.4) * size
    step = rng.uniform(0.02, 0.05) * size
    for tick in range(int(rng.integers(5, 12))):
        row = top + tick * step
        draw.line([(column - 3, row), (column + 3, row)], fill=tone, width=1)
