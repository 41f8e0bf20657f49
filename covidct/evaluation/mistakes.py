"""The worst mistakes: the answers of highest loss, as values, and as a sheet of slices with their evidence.

Knows scored slices, pixels and evidence maps. Knows nothing of how they were answered.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from unicodedata import normalize

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, findfont, get_font
from matplotlib.patches import Rectangle
from matplotlib.text import Text
from numpy.typing import NDArray

from covidct.audit.report.text import to_printable
from covidct.evaluation.plot_style import COVID, DPI, GREY, INK, OTHER, save_figure
from covidct.evaluation.sections import Scored
from covidct.inference.overlay import FULL, to_overlay
from covidct.types import WHOLE, Box, Decision, Evidence, Pixels

MOST = 25
ACROSS = 3  # on a page or a screen, captions can still be read
# A probability of the truth below this counts as this: no answer has a loss without end.
MIN_GIVEN = 1e-7
# In points, 72 an inch. A cell holds two tiles side by side, the slice and its evidence, and a caption.
TILE, GAP, CAPTION = 112, 2, 41
CELL = 2 * TILE + GAP
MARGIN, BETWEEN, HEAD = 24, 18, 72
LINE, SCALE = 12.5, 112
TITLE, LETTERS, SMALL = 14.0, 8.5, 7.5
# Evidence a cell that is always drawn in less than full colour: below it, a map is next to empty.
LEAST = 1.0
# Of the pixels that a tile can show, all are kept; of enormous slices every n-th.
SIDE = 512
FAMILY = "DejaVu Sans"  # comes with matplotlib
NIGHT = "#101010"


@dataclass(frozen=True)
class Mistake:
    """One answer: `loss` is -log of the probability given to the truth, `wrong` is meant at the threshold."""

    row: Scored
    loss: float
    wrong: bool

    @property
    def verdict(self) -> str:
        """One word; an indeterminate answer is neither right nor wrong."""
        if self.row.decision == Decision.INDETERMINATE:
            return "indeterminate"
        return ("false alarm", "missed")[self.row.label] if self.wrong else "right"


@dataclass(frozen=True)
class Picture:
    """What was answered for, and why: `pixels` (H, W) uint8 display, `evidence` (h, w) float32 over `box`."""

    pixels: Pixels = field(repr=False)
    evidence: Evidence = field(repr=False)
    box: Box = WHOLE


def find_mistakes(rows: Sequence[Scored], *, threshold: float, most: int = MOST) -> tuple[Mistake, ...]:
    """The answers of highest loss, right ones too, the worst first; of equal ones those that come first.

    A slice is called positive where its probability is at least `threshold`; a probability of the truth below
    1e-7 counts as that.
    """
    mistakes = (_to_mistake(row, threshold) for row in rows)
    return tuple(sorted(mistakes, key=lambda mistake: -mistake.loss)[:most])


def to_picture(pixels: Pixels, evidence: Evidence, *, box: Box = WHOLE) -> Picture:
    """A picture small enough to keep: (H, W) uint8 display, its evidence (h, w) float32 over `box`."""
    step = max(1, max(pixels.shape) // SIDE)
    return Picture(pixels[::step, ::step].copy(), evidence, box)


def plot_mistakes(
    mistakes: Sequence[Mistake],
    pictures: Sequence[Picture | None],
    path: Path,
    *,
    n: int,
    threshold: float,
) -> None:
    """Draw mistakes as a sheet, three a row, and write it as PNG.

    Each is shown as it is and with its evidence for COVID-19, by truth, probability, loss and name; a picture
    that is None stays dark. The colours reach as far as the evidence does, but not beyond an overlay's.
    `n` is how many slices were answered. Raises ValueError without mistakes.
    """
    if not mistakes:
        raise ValueError("no answers: there is nothing to show")
    across = min(ACROSS, len(mistakes))
    down = -(-len(mistakes) // across)
    # Two cells wide at least: the title needs them.
    width = 2 * MARGIN + max(2, across) * (CELL + BETWEEN) - BETWEEN
    height = HEAD + down * (TILE + CAPTION + BETWEEN) - BETWEEN + MARGIN
    figure = Figure(figsize=(width / 72, height / 72), dpi=DPI)
    paper = figure.add_axes((0, 0, 1, 1), xlim=(0, width), ylim=(height, 0))
    paper.set_axis_off()
    full = find_full(pictures)
    _draw_head(paper, mistakes, width=width, n=n, threshold=threshold)
    _draw_scale(paper, width - MARGIN, full=full)
    for i, (mistake, picture) in enumerate(zip(mistakes, pictures, strict=True)):
        x = MARGIN + i % across * (CELL + BETWEEN)
        y = HEAD + i // across * (TILE + CAPTION + BETWEEN)
        _draw_pictures(paper, x, y, picture, full=full)
        _draw_caption(paper, x, y + TILE, mistake, number=i + 1)
    save_figure(figure, path)


def find_full(pictures: Sequence[Picture | None]) -> float:
    """The evidence a cell, logit, at which the colours of a sheet are full; in [LEAST, FULL].

    Networks taught by a few pictures give little evidence: in the colours of the model that ships, their maps
    would be empty.
    """
    highest = [float(picture.evidence.max()) for picture in pictures if picture is not None]
    return min(FULL, max(LEAST, *highest)) if highest else FULL


def to_drawable(text: str) -> str:
    """The text in letters that the font has; others, of which matplotlib would warn, become U+FFFD."""
    letters = get_font(findfont(FontProperties(family=FAMILY))).get_charmap()
    plain = normalize("NFC", to_printable(text))
    return "".join(char if ord(char) in letters else "\N{REPLACEMENT CHARACTER}" for char in plain)


def shorten(text: Text, width: float) -> None:
    """Take letters out of the middle of a drawn text, until it is no wider than `width` points."""
    if measure_width(text) <= width:
        return
    whole = text.get_text()
    fitting, too_many = 0, len(whole)
    while too_many - fitting > 1:
        kept = (fitting + too_many) // 2
        text.set_text(_elide(whole, kept))
        if measure_width(text) <= width:
            fitting = kept
        else:
            too_many = kept
    text.set_text(_elide(whole, fitting))


def measure_width(text: Text) -> float:
    """How wide a text is drawn, in points."""
    return text.get_window_extent().width / DPI * 72


def _to_mistake(row: Scored, threshold: float) -> Mistake:
    given = row.probability if row.label else 1 - row.probability
    wrong = (row.probability >= threshold) != bool(row.label)
    return Mistake(row, math.log(1 / max(given, MIN_GIVEN)), wrong)


def _draw_head(paper: Axes, mistakes: Sequence[Mistake], *, width: float, n: int, threshold: float) -> None:
    verdicts = [mistake.verdict for mistake in mistakes]
    unsure, right = (verdicts.count(word) for word in ("indeterminate", "right"))
    wrong = len(verdicts) - unsure - right
    title = f"Highest losses: {len(mistakes)} of {n:,} slice{'' if n == 1 else 's'}"
    called = f"{wrong} ✗ wrong at threshold {threshold:.2f}, {unsure} ? indeterminate, {right} ✓ right"
    meant = "probability of COVID-19; loss: −log of the truth's probability"
    _write(paper, MARGIN, 30, title, size=TITLE, bold=True)
    _write(paper, MARGIN, 45, called, color=GREY)
    _write(paper, MARGIN, 45 + LINE, meant, color=GREY)


def _draw_scale(paper: Axes, right: float, *, full: float) -> None:
    """What the colours of the evidence are, up to where they are full."""
    left = right - SCALE
    strip = to_overlay(np.zeros((1, 256), np.uint8), np.linspace(0, FULL, 256, dtype=np.float32)[None])
    _write(paper, left, 30, "evidence for COVID-19", color=GREY)
    _show(paper, strip, (left, 36, SCALE, 8))
    _write(paper, left, 45 + LINE, "0", size=SMALL, color=GREY)
    _write(paper, right, 45 + LINE, f"{full:.2g} or more", size=SMALL, color=GREY, to_right=True)


def _draw_pictures(paper: Axes, x: float, y: float, picture: Picture | None, *, full: float) -> None:
    """Two tiles, the slice and its evidence laid over it, each as large as its sides allow."""
    paper.add_patch(Rectangle((x, y), CELL, TILE, facecolor=NIGHT, linewidth=0))
    if picture is None:
        _write(paper, x + 10, y + TILE / 2, "can no longer be read", color="white")
        return
    rows, columns = picture.pixels.shape
    scale = TILE / max(rows, columns)
    height, width = max(1.0, scale * rows), max(1.0, scale * columns)
    overlay = to_overlay(picture.pixels, picture.evidence * (FULL / full), box=picture.box)
    for left, shown in ((x, np.repeat(picture.pixels[..., None], 3, axis=2)), (x + TILE + GAP, overlay)):
        _show(paper, shown, (left + (TILE - width) / 2, y + (TILE - height) / 2, width, height))


def _draw_caption(paper: Axes, x: float, y: float, mistake: Mistake, *, number: int) -> None:
    row, right = mistake.row, x + CELL
    _write(paper, x, y + LINE, f"{number}", color=GREY)
    truth, color = (("other", OTHER), ("COVID-19", COVID))[row.label]
    _write(paper, x + 17, y + LINE, f"truth: {truth}", color=color, bold=True)
    word = mistake.verdict
    mark, missed = {"indeterminate": ("?", False), "right": ("✓", False)}.get(word, ("✗", True))
    color = INK if missed else GREY
    _write(paper, right, y + LINE, f"{mark} {word}", color=color, bold=missed, to_right=True)
    figures = f"probability {_to_text(row.probability)} · loss {mistake.loss:.2f}"
    _write(paper, x, y + 2 * LINE, figures)
    last = y + 3 * LINE
    source = _write(paper, right, last, to_drawable(row.source), size=SMALL, color=GREY, to_right=True)
    shorten(source, CELL / 3)
    name = _write(paper, x, last, to_drawable(Path(row.path).name), size=SMALL, color=GREY)
    shorten(name, CELL - 8 - measure_width(source))


def _to_text(probability: float) -> str:
    """Three digits; what they would round to certainty is given as less."""
    if 0 < probability < 0.0005:
        return "< 0.001"
    return "> 0.999" if 0.9995 <= probability < 1 else f"{probability:.3f}"


def _show(paper: Axes, picture: NDArray[np.uint8], box: tuple[float, float, float, float]) -> None:
    """A picture (H, W, 3) uint8 in a box of left, top, width, height."""
    left, top, width, height = box
    paper.imshow(picture, extent=(left, left + width, top + height, top), aspect="auto", zorder=2)


def _write(
    paper: Axes,
    x: float,
    y: float,
    text: str,
    *,
    size: float = LETTERS,
    color: str = INK,
    bold: bool = False,
    to_right: bool = False,
) -> Text:
    """One line whose letters stand on y, from x on or up to it; as it stands, a dollar starts no formula."""
    return paper.text(
        x,
        y,
        text,
        color=color,
        fontsize=size,
        family=FAMILY,
        weight="bold" if bold else "normal",
        ha="right" if to_right else "left",
        va="baseline",
        parse_math=False,
        zorder=3,
    )


def _elide(text: str, kept: int) -> str:
    return f"{text[: kept // 2]}…{text[len(text) - (kept + 1) // 2 :]}"
