"""Faults of pictures: copies, marks, frames, crops, mirrors, windows, and pictures of something else."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from io import BytesIO

import numpy as np
from PIL import Image, ImageDraw

from planted.cohort import SIZE, Cohort, Line

MIRROR = Image.Transpose.FLIP_LEFT_RIGHT


def copy_across_splits(change: Callable[[Image.Image], Image.Image]) -> Callable[[Cohort], None]:
    """A copy of a slice of train, changed by `change`, is in test, under another id."""

    def plant(cohort: Cohort) -> None:
        assert cohort.lines[0].split == "train"
        line = replace(cohort.lines[0], path="copy.png", patient_id="other", split="test")
        cohort.add(line, np.asarray(change(cohort.image(0))))

    return plant


def recompress(image: Image.Image) -> Image.Image:
    """As JPEG, quality 50."""
    buffer = BytesIO()
    image.save(buffer, "JPEG", quality=50)
    return Image.open(buffer)


def brighten(image: Image.Image) -> Image.Image:
    """As in a narrower window."""
    return image.point([min(255, max(0, round(1.4 * grey - 40))) for grey in range(256)])


def _frame(image: Image.Image, _: int) -> Image.Image:
    ImageDraw.Draw(image).rectangle((0, 0, SIZE - 1, SIZE - 1), outline=180, width=2)
    return image


def frame_for_covid(cohort: Cohort) -> None:
    """A grey frame around one class."""
    cohort.redraw(cohort.covid, _frame)


def write(text: str, x: int, y: int, *, step: int = 1) -> Callable[[Image.Image, int], Image.Image]:
    """White letters at a place, which is another one for each picture where `step` is above 1."""

    def draw(image: Image.Image, at: int) -> Image.Image:
        ImageDraw.Draw(image).text((x + at % step, y + at % max(1, step - 2)), text, fill=255)
        return image

    return draw


def marks_for_covid(cohort: Cohort) -> None:
    """A name in the corner of one class."""
    cohort.redraw(cohort.covid, write("R 12", 4, 3, step=9))


def letter_on_some_covid(cohort: Cohort) -> None:
    """An L in the corner of 40 % of one class."""
    cohort.redraw([at for at in cohort.covid if at % 10 in (0, 4)], write("L", 3, 2))


def letter_on_some_others(cohort: Cohort) -> None:
    """An R in another corner of 40 % of the other class."""
    cohort.redraw([at for at in cohort.others if at % 10 in (1, 5)], write("R", SIZE - 9, SIZE - 12))


def scale_for_others(cohort: Cohort) -> None:
    """A scale at the edge of one class."""

    def draw(image: Image.Image, _: int) -> Image.Image:
        for y in range(20, SIZE - 20, 8):
            ImageDraw.Draw(image).line((SIZE - 6, y, SIZE - 3, y), fill=255)
        return image

    cohort.redraw(cohort.others, draw)


def arrow_on_some_covid(cohort: Cohort) -> None:
    """A red arrow in 40 % of one class."""

    def draw(image: Image.Image, at: int) -> Image.Image:
        coloured = image.convert("RGB")
        x, y = SIZE // 3 + at % 9, SIZE // 2 + at % 7
        ImageDraw.Draw(coloured).polygon([(x, y), (x + 8, y - 3), (x + 8, y + 3)], fill=(255, 0, 0))
        return coloured

    cohort.redraw(range(len(cohort.lines)), lambda image, _: image.convert("RGB"))
    cohort.redraw([at for at in cohort.covid if at % 10 in (0, 4)], draw)


def mirrored_covid(cohort: Cohort) -> None:
    """One class is mirrored."""
    cohort.redraw(cohort.covid, lambda image, _: image.transpose(MIRROR))


def half_mirrored(cohort: Cohort) -> None:
    """Half of one class is mirrored."""
    cohort.redraw(cohort.covid[::2], lambda image, _: image.transpose(MIRROR))


def tighter_for_covid(cohort: Cohort) -> None:
    """One class is cropped closer to the body."""
    edge = SIZE // 12
    box = (edge, edge, SIZE - edge, SIZE - edge)
    cohort.redraw(cohort.covid, lambda image, _: image.crop(box).resize((SIZE, SIZE)))


def window_for_covid(cohort: Cohort) -> None:
    """One class is shown in another window."""
    cohort.redraw(cohort.covid, lambda image, _: brighten(image))


def noise_for_covid(cohort: Cohort) -> None:
    """One class is of a noisier scanner."""
    rng = np.random.default_rng(0)

    def draw(image: Image.Image, _: int) -> Image.Image:
        grey = np.asarray(image) + rng.normal(0, 12, (SIZE, SIZE))
        return Image.fromarray(np.clip(grey, 0, 255).astype(np.uint8))

    cohort.redraw(cohort.covid, draw)


def photographs(cohort: Cohort) -> None:
    """Six photographs among the slices."""
    rng = np.random.default_rng(0)
    for number in range(6):
        small = rng.integers(0, 255, (6, 6, 3), np.uint8)
        photo = Image.fromarray(small).resize((128, 96), Image.Resampling.BICUBIC)
        cohort.add(
            Line(f"photo{number}x.png", "covid", "north", f"photo{number}", "train"), np.asarray(photo)
        )
