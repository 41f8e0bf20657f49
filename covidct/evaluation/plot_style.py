"""What the plots are made of: figures, axes, and marks in a few calm colours.

Drawn on figures of their own, never through pyplot's shared state. Knows numbers and names. Knows nothing of
what they mean. With `plots` the home of matplotlib.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.gridspec import SubplotSpec
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import FuncFormatter, MaxNLocator

from covidct.stats.resampling import Bools, Floats

# Okabe & Ito 2008: told apart with any colour vision, and by their lightness.
BLUE, VERMILION, GREEN, PURPLE, ORANGE, SKY = "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9"
PALETTE = (BLUE, VERMILION, GREEN, PURPLE, ORANGE, SKY)
STYLES = ("-", "--", "-.", ":")
INK, GREY, PALE = "#222222", "#6E6E6E", "#CFCFCF"
COVID, OTHER = VERMILION, BLUE
DPI = 150
EDGES = np.linspace(0, 1, 41)


def new_figure(width: float, height: float) -> Figure:
    """An empty figure, in inches."""
    return Figure(figsize=(width, height), layout=ConstrainedLayoutEngine(w_pad=0.1, h_pad=0.1))


def save_figure(figure: Figure, path: Path) -> None:
    """Write a PNG, without matplotlib's name inside, so that the same numbers give the same bytes."""
    figure.align_ylabels()
    figure.savefig(path, format="png", dpi=DPI, facecolor="white", metadata={"Software": None})


def add_panel(figure: Figure, title: str, subtitle: str, *, place: SubplotSpec | None = None) -> Axes:
    """Axes without a box; title and subtitle above, at the left."""
    axes = figure.add_subplot(place) if place else figure.add_subplot()
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(GREY)
    axes.tick_params(colors=GREY, labelcolor=INK, labelsize=9)
    if subtitle:
        axes.annotate(subtitle, (0, 1), (0, 5), "axes fraction", "offset points", color=GREY, fontsize=9)
    if title:
        axes.set_title(title, loc="left", fontsize=11.5, fontweight="bold", color=INK, pad=21)
    return axes


def draw_diagonal(axes: Axes) -> None:
    """The line of chance, or of perfect calibration, behind everything else."""
    axes.plot([0, 1], [0, 1], color=PALE, linewidth=1.2, zorder=1)


def draw_histogram(axes: Axes, labels: Bools, probabilities: Floats) -> None:
    """Counts of probabilities (n,) in [0, 1]: those with COVID-19 upwards, the others downwards."""
    for truth, sign, color, word in ((True, 1, COVID, "COVID-19 ▲"), (False, -1, OTHER, "other ▼")):
        counts, _ = np.histogram(probabilities[labels == truth], EDGES)
        axes.bar(EDGES[:-1], sign * counts, width=np.diff(EDGES), align="edge", color=color, alpha=0.85)
        if counts.any():
            y, side = (1, "top") if truth else (0, "bottom")
            place = (1.01, y)
            axes.annotate(word, place, xycoords="axes fraction", color=color, fontsize=8.5, va=side)
    axes.axhline(0, color=GREY, linewidth=0.8)
    axes.set_xlim(-0.01, 1.01)
    axes.set_ylabel("slices", fontsize=9)
    axes.yaxis.set_major_locator(MaxNLocator(4, integer=True))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{abs(value):.0f}"))


def draw_cells(axes: Axes, rows: Sequence[Sequence[int]], columns: Sequence[str]) -> None:
    """A table of counts, COVID-19 above, other below, with each row's shares, darker where larger."""
    counts = np.array(rows)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    axes.pcolormesh(shares, cmap="Blues", vmin=0, vmax=1.25, edgecolors="white", linewidth=2)
    for (i, j), count in np.ndenumerate(counts):
        color = "white" if shares[i, j] > 0.75 else INK
        axes.text(j + 0.5, i + 0.5, f"{count}", ha="center", va="bottom", color=color, fontsize=17)
        share = f"{100 * shares[i, j]:.0f} %"
        axes.text(j + 0.5, i + 0.56, share, ha="center", va="top", color=color, fontsize=10)
    axes.set_xticks(np.arange(len(columns)) + 0.5, columns)
    axes.set_yticks((0.5, 1.5), ("COVID-19", "other"))
    axes.invert_yaxis()
    axes.tick_params(length=0, labelsize=10)
    axes.spines[:].set_visible(False)


def draw_lines(axes: Axes, x: Floats, lines: Mapping[str, Floats]) -> None:
    """Lines over x (n,), NaN for gaps: the first one thickest and blue, each with its name at its end."""
    colors = (BLUE, GREY, VERMILION, GREEN, PURPLE, ORANGE, SKY)
    ends = []
    for i, (name, values) in enumerate(lines.items()):
        color, width = colors[i % len(colors)], 1.0 if i else 1.9
        axes.plot(x, values, "o-", color=color, markersize=2.5, linewidth=width, zorder=3 if i else 4)
        if (known := values[~np.isnan(values)]).size:
            ends.append((float(known[-1]), name, color))
    low, high = axes.get_ylim()
    height = -np.inf
    for value, name, color in sorted(ends):
        # Names of lines that end close together step aside, upwards.
        height = max(value, height + (high - low) * 0.075)
        place = ("axes fraction", "data")
        axes.annotate(name, (1, height), (5, 0), place, "offset points", color=color, fontsize=9, va="center")
