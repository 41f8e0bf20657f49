"""Pictures that are no axial chest CT, drawn in code, for the gate to learn from.

Knows how photographs, documents, ultrasound, heads, bellies and limbs look from far enough: their layout and
their statistics, not their detail. Dead leaves (shapes over shapes, of all sizes) have the statistics of
photographs; a slice with its places or phases shuffled has those of a slice and none of its anatomy.

Source: Lee, Mumford, Huang, "Occlusion models for natural images" (IJCV 2001).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from covidct.images.phantoms.canvas import Canvas, Field, blur
from covidct.images.phantoms.landscape import draw_picture
from covidct.training.augment import to_uint8
from covidct.types import Pixels, Reason

Draw = Callable[[Generator, int], Pixels]
LETTERS = "abcdefghijklmnopqrstuvwxyz      ,.-ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"


def draw_stranger(reason: Reason, rng: Generator, *, size: int) -> Pixels:
    """One picture (size, size) uint8 that is to be refused for a reason: NOT_CT or NOT_CHEST."""
    draws = DRAWS[reason]
    return draws[int(rng.integers(len(draws)))](rng, size)


def shuffle_slice(pixels: Pixels, rng: Generator) -> Pixels:
    """A slice (H, W) uint8 that is none any more: its tiles, or the phases of its waves, out of place."""
    match int(rng.integers(3)):
        case 0:
            return _shuffle_tiles(pixels, int(rng.integers(2, 6)), rng)
        case 1:
            return _shuffle_phases(pixels, rng)
        case _:
            return _panel(pixels, int(rng.integers(2, 5)), rng)


def _landscape(rng: Generator, size: int) -> Pixels:
    return draw_picture(seed=int(rng.integers(2**31)), size=size)


def _leaves(rng: Generator, size: int) -> Pixels:
    """Shapes over shapes, smooth or rough inside, of all sizes."""
    canvas = Canvas(size, value=float(rng.uniform(0, 255)))
    canvas.warp(rng, cells=int(rng.integers(2, 8)), amount=float(rng.uniform(0, 0.15)))
    grain = canvas.noise(rng, cells=int(rng.integers(8, 60)))
    for _ in range(int(rng.integers(4, 60))):
        long = 0.04 * (0.03 + rng.random()) ** -0.9
        field = canvas.ellipse(
            (rng.uniform(-1, 1), rng.uniform(-1, 1)),
            (long, long * rng.uniform(0.2, 1)),
            turn=rng.uniform(0, np.pi),
            squarish=bool(rng.random() < 0.5),
        )
        shade = canvas.x * np.float32(rng.normal(0, 30)) + canvas.y * np.float32(rng.normal(0, 30))
        shade = shade + np.float32(rng.uniform(0, 30) * (rng.random() < 0.5)) * grain
        canvas.fill(field, np.asarray(rng.uniform(0, 255) + shade, np.float32), edge=rng.choice((0.0, 0.05)))
    return _finish(canvas, rng)


def _thing(rng: Generator, size: int) -> Pixels:
    """One object of a few parts before a plain or blurred background."""
    canvas = Canvas(size, value=float(rng.choice((0, 255, rng.uniform(0, 255)))))
    background = float(rng.uniform(0, 35) * (rng.random() < 0.6))
    canvas.values += np.float32(background) * canvas.noise(rng, cells=int(rng.integers(2, 12)))
    canvas.warp(rng, cells=int(rng.integers(2, 7)), amount=float(rng.uniform(0, 0.2)))
    spot = rng.uniform(-0.4, 0.4, 2)
    texture = canvas.noise(rng, cells=int(rng.integers(10, 70)))
    for _ in range(int(rng.integers(1, 9))):
        centre = spot + rng.normal(0, 0.25, 2)
        field = canvas.ellipse(
            (centre[0], centre[1]),
            (rng.uniform(0.05, 0.7), rng.uniform(0.05, 0.7)),
            turn=rng.uniform(0, np.pi),
            squarish=bool(rng.random() < 0.5),
        )
        value = rng.uniform(0, 255) + rng.uniform(0, 40) * texture + rng.normal(0, 50) * canvas.y
        canvas.fill(field, np.asarray(value, np.float32))
    return _finish(canvas, rng)


def _rough(rng: Generator, size: int) -> Pixels:
    """Noise whose power falls with frequency: clouds, fur, gravel, static."""
    waves = np.hypot(np.fft.fftfreq(size)[:, None], np.fft.rfftfreq(size)[None]) + 1 / size
    spectrum = np.fft.rfft2(rng.standard_normal((size, size))) / waves ** rng.uniform(0, 2)
    return _stretch(np.fft.irfft2(spectrum, (size, size)), rng)


def _pattern(rng: Generator, size: int) -> Pixels:
    """Gradients, stripes, rings and chequers."""
    canvas = Canvas(size, value=0.0)
    angle, waves = rng.uniform(0, np.pi), rng.uniform(0.3, 20)
    along = canvas.x * np.cos(angle) + canvas.y * np.sin(angle)
    across = canvas.y * np.cos(angle) - canvas.x * np.sin(angle)
    match int(rng.integers(4)):
        case 0:
            values = along
        case 1:
            values = np.sin(waves * along)
        case 2:
            values = np.sin(waves * np.hypot(canvas.x - rng.uniform(-1, 1), canvas.y - rng.uniform(-1, 1)))
        case _:
            values = np.sign(np.sin(waves * along) * np.sin(waves * across))
    return _stretch(values + rng.uniform(0, 0.2) * rng.standard_normal(values.shape), rng)


def _document(rng: Generator, size: int) -> Pixels:
    """Text, tables, plots and boxes, dark on light or light on dark."""
    image = Image.new("L", (size, size), int(rng.integers(200, 256)))
    draw = ImageDraw.Draw(image)
    ink, step = int(rng.integers(0, 90)), int(rng.integers(9, 24))
    for y in range(step, size - step, step):
        match rng.choice(("text", "text", "text", "gap", "rule", "plot", "box"), p=None):
            case "text":
                letters = rng.choice(list(LETTERS), int(rng.integers(4, size // 5)))
                draw.text((int(rng.integers(4, size // 3)), y), "".join(letters), fill=ink)
            case "rule":
                draw.line((4, y, size - 4, y), fill=ink)
            case "plot" if rng.random() < 0.3:
                heights = y + np.cumsum(rng.normal(0, 6, 20))
                points = zip(np.linspace(8, size - 8, 20).tolist(), heights.tolist(), strict=True)
                draw.line(list(points), fill=ink, width=int(rng.integers(1, 4)))
            case "box" if rng.random() < 0.3:
                left, wide = int(rng.integers(0, size // 2)), int(rng.integers(8, size // 2))
                draw.rectangle(
                    (left, y, left + wide, y + int(rng.integers(8, size // 2))),
                    outline=ink,
                    fill=int(rng.integers(0, 256)),
                )
    pixels = np.asarray(image, np.uint8)
    return 255 - pixels if rng.random() < 0.25 else pixels


def _ultrasound(rng: Generator, size: int) -> Pixels:
    """A sector of speckle on black."""
    canvas = Canvas(size, value=0.0)
    top = rng.uniform(-1.5, -0.9)
    radius, angle = np.hypot(canvas.x, canvas.y - top), np.arctan2(canvas.x, canvas.y - top)
    inside = (np.abs(angle) < rng.uniform(0.4, 0.9)) & (radius > rng.uniform(0.1, 0.4)) & (radius < 1 - top)
    tissue = 1 + 0.8 * canvas.noise(rng, cells=int(rng.integers(3, 9)))
    speckle = np.abs(blur(rng.standard_normal((size, size)).astype(np.float32), sigma=rng.uniform(0.6, 1.6)))
    return _stretch(np.where(inside, np.clip(tissue, 0.1, None) * speckle, 0), rng)


def _head(rng: Generator, size: int) -> Pixels:
    """A head in CT or MR: scalp, skull, brain with its folds and ventricles."""
    canvas = Canvas(size, value=float(rng.uniform(0, 12)))
    canvas.warp(rng, cells=5, amount=0.03)
    wide, tall = rng.uniform(0.5, 0.78), rng.uniform(0.65, 0.92)
    scalp, skull, brain, liquid = (float(value) for value in rng.uniform(0, 255, 4))
    if rng.random() < 0.5:
        skull, brain = 255.0, float(rng.uniform(90, 240))
    head = canvas.ellipse((0, 0), (wide, tall))
    canvas.fill(head, scalp)
    canvas.fill(head - np.float32(rng.uniform(0.03, 0.08)), skull)
    inside = head - np.float32(rng.uniform(0.1, 0.16))
    folds = np.abs(canvas.noise(rng, cells=int(rng.integers(9, 18)))) * np.float32(rng.uniform(0, 60))
    canvas.fill(inside, np.asarray(brain + folds, np.float32))
    rim = np.minimum(inside, 0.12 - inside)
    canvas.paint(0.5 * canvas.cover(rim - 0.03 * canvas.noise(rng, cells=20)), liquid)
    for side in (-1, 1):
        centre = (side * rng.uniform(0.06, 0.14), rng.uniform(-0.2, 0.2))
        radii = (rng.uniform(0.02, 0.1), rng.uniform(0.1, 0.28))
        canvas.fill(canvas.ellipse(centre, radii, turn=-side * 0.3), liquid, edge=0.03)
    canvas.fill(np.asarray(np.minimum(0.006 - np.abs(canvas.x), inside), np.float32), liquid)
    return _finish(canvas, rng)


def _belly(rng: Generator, size: int) -> Pixels:
    """An axial slice below the lungs: liver, spleen, kidneys, gut with some gas, spine."""
    canvas = Canvas(size, value=float(rng.uniform(0, 40)))
    fat = float(rng.uniform(90, 215))
    tissue = fat + float(rng.uniform(15, 60))
    bone = min(255.0, tissue + float(rng.uniform(10, 120)))
    canvas.warp(rng, cells=5, amount=0.03)
    wide, deep = rng.uniform(0.7, 0.95), rng.uniform(0.48, 0.72)
    body = canvas.ellipse((0, 0), (wide, deep), squarish=True)
    canvas.fill(body, fat)
    wall = body - np.float32(rng.uniform(0.03, 0.15))
    canvas.fill(wall, tissue)
    canvas.fill(wall - np.float32(0.05), fat)
    organs = (
        ((-0.38, -0.1), (0.34, 0.34)),
        ((0.48, 0.08), (0.16, 0.2)),
        ((-0.3, 0.25), (0.13, 0.1)),
        ((0.3, 0.25), (0.13, 0.1)),
        ((0.05, 0.2), (0.06, 0.06)),
        ((0.2, -0.25), (0.22, 0.14)),
    )
    for (x, y), (across, down) in organs:
        if rng.random() < 0.8:
            centre = (x * wide + rng.normal(0, 0.04), y * deep / 0.6 + rng.normal(0, 0.03))
            field = canvas.ellipse(centre, (across * rng.uniform(0.7, 1.2), down * rng.uniform(0.7, 1.2)))
            organ = np.minimum(field + 0.02 * canvas.noise(rng, cells=9), wall - np.float32(0.04))
            canvas.fill(organ, tissue + float(rng.normal(5, 8)))
    _add_gut(canvas, wall, tissue, rng)
    canvas.fill(canvas.ellipse((0, 0.3 * deep / 0.6), (0.13, 0.1), squarish=True), bone)
    canvas.fill(canvas.ellipse((0, 0.3 * deep / 0.6 + 0.15), (0.05, 0.1)), bone)
    return _finish(canvas, rng)


def _add_gut(canvas: Canvas, wall: Field, tissue: float, rng: Generator) -> None:
    for _ in range(int(rng.integers(2, 12))):
        centre = (rng.uniform(-0.5, 0.5), rng.uniform(-0.35, 0.1))
        radius = rng.uniform(0.04, 0.12)
        loop = np.minimum(canvas.ellipse(centre, (radius, radius * rng.uniform(0.6, 1))), wall - 0.06)
        canvas.fill(np.asarray(loop, np.float32), tissue)
        if rng.random() < 0.4:
            gas = np.minimum(loop - np.float32(0.015), np.float32(centre[1]) - canvas.y)
            canvas.fill(np.asarray(gas, np.float32), float(rng.uniform(0, 60)))


def _limbs(rng: Generator, size: int) -> Pixels:
    """One or two round cuts through arms, legs or a neck, each with bone."""
    canvas = Canvas(size, value=float(rng.uniform(0, 30)))
    canvas.warp(rng, cells=5, amount=0.03)
    tissue, count = float(rng.uniform(60, 240)), int(rng.integers(1, 3))
    for at in range(count):
        x = 0.0 if count == 1 else (-0.48, 0.48)[at]
        radius = rng.uniform(0.25, 0.45)
        canvas.fill(canvas.ellipse((x, 0), (radius, radius * rng.uniform(0.8, 1.2))), tissue * 0.85)
        canvas.fill(canvas.ellipse((x, 0), (radius * 0.85, radius * 0.85)), tissue)
        bone = canvas.ellipse((x, rng.uniform(-0.1, 0.1)), (radius * 0.35, radius * 0.35))
        canvas.fill(bone, min(255.0, tissue * 1.4))
        canvas.fill(bone - np.float32(0.03), float(rng.uniform(0.6, 1.3)) * tissue)
    return _finish(canvas, rng)


DRAWS: Mapping[Reason, tuple[Draw, ...]] = {
    Reason.NOT_CT: (_landscape, _leaves, _leaves, _thing, _thing, _rough, _pattern, _document, _ultrasound),
    Reason.NOT_CHEST: (_head, _head, _belly, _belly, _limbs),
}


def _finish(canvas: Canvas, rng: Generator) -> Pixels:
    sharp = blur(canvas.values, sigma=float(rng.uniform(0.3, 1.2)))
    return to_uint8(sharp + np.float32(rng.uniform(0, 8)) * rng.standard_normal(sharp.shape, np.float32))


def _stretch(values: NDArray[np.floating], rng: Generator) -> Pixels:
    """Any values onto the grey scale, a little of either end cut off."""
    low, high = np.percentile(values, (rng.uniform(0, 5), rng.uniform(95, 100)))
    return to_uint8(np.asarray((values - low) / max(high - low, 1e-6) * 255, np.float32))


def _shuffle_tiles(pixels: Pixels, across: int, rng: Generator) -> Pixels:
    height, width = (length // across for length in pixels.shape)
    tiles = [
        pixels[row * height : (row + 1) * height, column * width : (column + 1) * width]
        for row in range(across)
        for column in range(across)
    ]
    order = rng.permutation(len(tiles))
    return np.block([[tiles[order[row * across + at]] for at in range(across)] for row in range(across)])


def _shuffle_phases(pixels: Pixels, rng: Generator) -> Pixels:
    waves = np.fft.rfft2(pixels)
    phases = np.angle(np.fft.rfft2(rng.standard_normal(pixels.shape)))
    return _stretch(np.fft.irfft2(np.abs(waves) * np.exp(1j * phases), pixels.shape), rng)


def _panel(pixels: Pixels, across: int, rng: Generator) -> Pixels:
    """The slice many times over, as a page of slices: none of them large enough to answer for."""
    one = Image.fromarray(pixels).resize([max(1, length // across) for length in pixels.shape[::-1]])
    return np.tile(np.asarray(one, np.uint8), (across, across))
