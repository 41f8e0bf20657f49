"""Charts of an audit as SVG to be set into a page: ROC curves, and bars of counts.

Drawn on figures of their own, never through pyplot's shared state. Knows curves and counts. Knows nothing
of pages, but for the CSS variables `--chart-ink`, `--chart-grey` and `--chart-pale`: a dark page may set them
to change the colours of letters and lines.

Names are set in after the drawing, in place of marks: matplotlib would take a dollar for a formula, and warn
of each letter that its own font lacks and the reader's has.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from html import escape
from io import StringIO

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from covidct.audit.report.text import elide, to_printable
from covidct.audit.verdict import Bars, Curve

# Okabe & Ito 2008: told apart with any colour vision, and by their lightness.
BLUE, VERMILION, GREEN, PURPLE, ORANGE, SKY = "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9"
PALETTE = (BLUE, VERMILION, GREEN, PURPLE, ORANGE, SKY)
STYLES = ("-", "--", "-.", ":")
# Not blue beside vermilion: where they touch, a print without colour shows them as one.
COVID, OTHER = VERMILION, SKY
INK, GREY, PALE = "#222222", "#6e6e6e", "#cfcfcf"
VARIABLES = {INK: "--chart-ink", GREY: "--chart-grey", PALE: "--chart-pale"}
# In points, 72 an inch, which become the SVG's own units.
WIDTH, SIDE, LEFT, TOP, ROW = 320, 266, 48, 8, 18
BAR_HEAD, BAR_ROW, BAR = 24, 37, 11
LETTERS, SMALL = 11.5, 10
MAX_BARS = 20
NAME, BAR_NAME = 45, 32


def draw_curves(curves: Sequence[Curve]) -> str:
    """ROC curves on one chart, named below it, as an <svg> of 360 units width without ids or sizes.

    Raises ValueError without curves.
    """
    if not curves:
        raise ValueError("no curves: there is nothing to draw")
    below = TOP + SIDE + 52
    height = below + ROW * len(curves)
    figure = Figure(figsize=(WIDTH / 72, height / 72))
    axes = _add_square(figure, (LEFT / WIDTH, 1 - (TOP + SIDE) / height, SIDE / WIDTH, SIDE / height))
    paper = _add_paper(figure, height)
    for i, curve in enumerate(curves):
        y = below + ROW * (i + 0.5)
        _draw_line(axes, curve.x, curve.y, i)
        _draw_line(paper, (0, 26), (y, y), i)
        _write(paper, 33, y, _mark(i))
    names = [to_printable(curve.name) for curve in curves]
    return _to_svg(figure, [elide(name, NAME) for name in names], f"ROC curves: {'; '.join(names)}")


def draw_bars(bars: Bars) -> str:
    """Stacked bars, COVID-19 first, one below the other, as an <svg> like that of `draw_curves`.

    Of more than 20 bars the last ones are drawn as one. Raises ValueError without names.
    """
    rows = _to_rows(bars)
    if not rows:
        raise ValueError("no names: there is nothing to draw")
    height = BAR_HEAD + BAR_ROW * len(rows)
    figure = Figure(figsize=(WIDTH / 72, height / 72))
    paper = _add_paper(figure, height)
    _add_key(paper)
    scale = WIDTH / max(1, *(covid + other for _, covid, other in rows))
    for i, (_, covid, other) in enumerate(rows):
        y = BAR_HEAD + BAR_ROW * i + 8
        _write(paper, 0, y, _mark(i))
        _write(paper, WIDTH, y, f"{covid:,} / {other:,}", to_right=True)
        paper.barh(y + 15, covid * scale, BAR, color=COVID, linewidth=0, clip_on=False)
        paper.barh(y + 15, other * scale, BAR, left=covid * scale, color=OTHER, linewidth=0, clip_on=False)
    values = "; ".join(f"{name}: {covid} COVID-19, {other} other" for name, covid, other in rows)
    names = [elide(to_printable(name), BAR_NAME) for name, _, _ in rows]
    return _to_svg(figure, names, f"{bars.title}. {values}")


def _to_rows(bars: Bars) -> list[tuple[str, int, int]]:
    rows = [
        (name, int(covid), int(other)) for name, (covid, other) in zip(bars.names, bars.counts, strict=True)
    ]
    if len(rows) <= MAX_BARS:
        return rows
    shown, rest = rows[: MAX_BARS - 1], rows[MAX_BARS - 1 :]
    return [*shown, (f"{len(rest)} more", sum(row[1] for row in rest), sum(row[2] for row in rest))]


def _add_square(figure: Figure, place: tuple[float, float, float, float]) -> Axes:
    """Axes of an ROC chart, with the line of chance; without tick marks, which SVG would need ids for."""
    axes = figure.add_axes(place, xlim=(0, 1), ylim=(0, 1))
    axes.patch.set_visible(False)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(GREY)
    ticks = (0, 0.25, 0.5, 0.75, 1)
    for set_ticks in (axes.set_xticks, axes.set_yticks):
        set_ticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.tick_params(length=0, pad=5, labelcolor=GREY, labelsize=SMALL)
    for tick in ticks[1:]:
        axes.plot((0, 1), (tick, tick), color=PALE, linewidth=0.5, clip_on=False, zorder=1)
        axes.plot((tick, tick), (0, 1), color=PALE, linewidth=0.5, clip_on=False, zorder=1)
    axes.plot((0, 1), (0, 1), color=GREY, linewidth=0.8, clip_on=False, zorder=2)
    axes.text(0.76, 0.705, "chance", color=GREY, fontsize=SMALL, rotation=45, ha="center", va="center")
    axes.set_xlabel("1 − specificity", color=INK, fontsize=LETTERS)
    axes.set_ylabel("sensitivity", color=INK, fontsize=LETTERS)
    return axes


def _add_paper(figure: Figure, height: float) -> Axes:
    """The whole figure as axes that are not seen, in points from its upper left corner."""
    paper = figure.add_axes((0, 0, 1, 1), xlim=(0, WIDTH), ylim=(height, 0))
    paper.set_axis_off()
    return paper


def _add_key(paper: Axes) -> None:
    """What the colours are, and above the counts the same in words."""
    for left, color, word in ((0, COVID, "COVID-19"), (76, OTHER, "other")):
        paper.barh(8, 9, 9, left=left, color=color, linewidth=0, clip_on=False)
        _write(paper, left + 14, 8, word, color=GREY)
    _write(paper, WIDTH, 8, "COVID-19 / other", color=GREY, to_right=True)


def _draw_line(axes: Axes, x: ArrayLike, y: ArrayLike, i: int) -> None:
    """A line in the i-th colour and style: where colours come round again, the styles differ."""
    style = STYLES[(i + i // len(PALETTE)) % len(STYLES)]
    color = PALETTE[i % len(PALETTE)]
    axes.plot(x, y, color=color, linestyle=style, linewidth=1.8, clip_on=False, zorder=3)


def _write(paper: Axes, x: float, y: float, text: str, *, color: str = INK, to_right: bool = False) -> None:
    """Letters that start, or end, at x; ink is for names, other colours for small print."""
    size, side = LETTERS if color == INK else SMALL, "right" if to_right else "left"
    paper.text(x, y, text, color=color, fontsize=size, va="center_baseline", ha=side)


def _mark(i: int) -> str:
    """What stands for the i-th name while the chart is drawn."""
    return f"@{i}@"


def _to_svg(figure: Figure, names: Sequence[str], description: str) -> str:
    """The figure as an <svg> with the names in it, fit to stand beside others on one page."""
    figure.patch.set_visible(False)
    buffer = StringIO()
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": "covidct"}):
        figure.savefig(buffer, format="svg", metadata=dict.fromkeys(("Date", "Creator", "Format", "Type")))
    body = buffer.getvalue().partition("<svg")[2].partition(">")[2]
    body = re.sub(r"\s*<defs>.*?</defs>", "", body, flags=re.DOTALL)
    body = re.sub(r' id="[^"]*"', "", body)
    body = re.sub(r"(font(-family)?: ([\d.]+px )?)'[^;\"]*", r"\1system-ui, sans-serif", body)
    for color, variable in VARIABLES.items():
        body = body.replace(color, f"var({variable}, {color})")
    body = re.sub(r"@(\d+)@", lambda mark: escape(names[int(mark[1])]), body)
    width, height = (round(72 * float(size)) for size in figure.get_size_inches())
    attributes = f'viewBox="0 0 {width} {height}" role="img" aria-label="{escape(to_printable(description))}"'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {attributes}>{body}'.rstrip()
