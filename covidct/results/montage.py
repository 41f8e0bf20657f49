"""Slices of a series as pictures for a page: as they are, and with their evidence.

Knows which slices to show and how to make small JPEGs of them, shown as usual (the patient's right on the
left). Knows nothing of pages.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from covidct.images.orientation import turn
from covidct.inference.overlay import to_overlay
from covidct.results.finding_words import CAPTIONS
from covidct.results.series_curve import to_positions
from covidct.series.slices import read_instance
from covidct.series.types import SeriesAnswer
from covidct.types import Decision

OVERVIEW = 21
SIDE, QUALITY = 256, 85


@dataclass(frozen=True)
class Shown:
    """One slice to show; `plain` and `overlay` are `data:` URIs, `above_mm` is from the lowest slice.

    `finding` is a sentence, "" if there is none.
    """

    slice_index: int
    above_mm: float
    probability: float | None
    decision: Decision | None
    finding: str
    plain: str
    overlay: str


def show_telling(answer: SeriesAnswer) -> list[Shown]:
    """The most telling slices, the most telling first. Raises ReadError."""
    return _show(answer, answer.result.series.telling if answer.result.series else ())


def show_overview(answer: SeriesAnswer) -> list[Shown]:
    """At most OVERVIEW slices with lung, evenly spread from feet to head. Raises ReadError."""
    answered = [at for at, item in enumerate(answer.slices) if item.probability is not None]
    return _show(answer, spread(answered or list(range(len(answer.slices))), OVERVIEW))


def spread(items: Sequence[int], count: int) -> list[int]:
    """At most `count` of the items, evenly spread, both ends among them."""
    if len(items) <= count:
        return list(items)
    return [items[round(at * (len(items) - 1) / (count - 1))] for at in range(count)]


def _show(answer: SeriesAnswer, places: Iterable[int]) -> list[Shown]:
    positions = to_positions(answer)
    return [_show_one(answer, at, positions[at]) for at in places]


def _show_one(answer: SeriesAnswer, at: int, above: float) -> Shown:
    item, result = read_instance(answer.series.instances[at]), answer.slices[at]
    plain = np.repeat(item.pixels[..., None], 3, axis=2)
    made, overlay = result.prediction, plain
    if made is not None and made.evidence is not None:
        overlay = to_overlay(item.pixels, made.evidence, box=made.box)
    spacing = item.spacing_mm or (1.0, 1.0)
    aspect = spacing[0] / spacing[1] if not item.turn.transpose else spacing[1] / spacing[0]
    pictures = [_to_uri(turn(picture, item.turn), aspect) for picture in (plain, overlay)]
    finding = CAPTIONS[result.finding] if result.finding else ""
    return Shown(at, above, result.probability, result.decision, finding, *pictures)


def _to_uri(picture: NDArray[np.uint8], aspect: float) -> str:
    """A JPEG (at most SIDE pixels high and wide); `aspect` is the height of a pixel over its width."""
    height, width = picture.shape[0] * aspect, float(picture.shape[1])
    scale = SIDE / max(height, width)
    image = Image.fromarray(np.ascontiguousarray(picture))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    buffer = BytesIO()
    image.resize(size, Image.Resampling.LANCZOS).save(buffer, "JPEG", quality=QUALITY)
    return f"data:image/jpeg;base64,{b64encode(buffer.getvalue()).decode('ascii')}"
