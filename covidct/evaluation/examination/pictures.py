"""The pictures of an examination, as PNG: evidence beside lesions, answers by view, answers by render.

Knows estimates and exhibits. Knows nothing of how they came about.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from covidct.evaluation.examination.blackout import Blackout, Masking, both_classes
from covidct.evaluation.examination.examples import Exhibit
from covidct.evaluation.examination.stability import ALL, FLIP_TARGET, MEDIAN_TARGET, Stability, shortened
from covidct.evaluation.plot_style import (
    BLUE,
    GREY,
    INK,
    ORANGE,
    PALE,
    PURPLE,
    VERMILION,
    add_panel,
    new_figure,
    save_figure,
)
from covidct.inference.overlay import to_overlay
from covidct.stats.resampling import Bools
from covidct.types import Estimate

CYAN = "#00E5FF"  # lesions: seen on grey, dark red and yellow
TILE = 1.75  # inches
VIEWS = {Masking.WHOLE: INK, Masking.LUNGS: BLUE, Masking.NO_LUNGS: VERMILION, Masking.BORDER: ORANGE}


def plot_evidence(exhibits: Sequence[Exhibit], path: Path) -> None:
    """Slices with lesions outlined; evidence and its peak; evidence with all weights shuffled."""
    if not exhibits:
        raise ValueError("no exhibits: there is nothing to show")
    figure = new_figure(max(5.5, TILE * len(exhibits)), 3 * TILE + 0.6)
    grid = figure.add_gridspec(3, len(exhibits))
    names = ("lesions drawn by readers", "evidence, + its peak", "evidence, weights shuffled")
    for column, exhibit in enumerate(exhibits):
        plain = np.repeat(exhibit.pixels[..., None], 3, axis=2)
        overlay = to_overlay(exhibit.pixels, exhibit.evidence, box=exhibit.box)
        tiles = [plain, overlay]
        if exhibit.shuffled is not None:
            tiles.append(to_overlay(exhibit.pixels, exhibit.shuffled, box=exhibit.box))
        for row, tile in enumerate(tiles):
            axes = figure.add_subplot(grid[row, column])
            _show(axes, tile, exhibit.lesions)
            if column == 0:
                axes.set_title(names[row], loc="left", fontsize=9, color=INK)
        if exhibit.peak is not None:
            figure.axes[-len(tiles) + 1].plot(
                *exhibit.peak[::-1], "+", color="white", markersize=9, markeredgewidth=1.6
            )
    figure.suptitle(
        f"Where the evidence lies: {exhibits[0].source} (lesions in cyan)",
        x=0.01,
        ha="left",
        fontsize=11.5,
        fontweight="bold",
        color=INK,
    )
    save_figure(figure, path)


def plot_blackout(blackouts: Sequence[Blackout], path: Path) -> None:
    """AUC of every source with both classes, by what of the slices is left; the line is chance."""
    rows = both_classes(blackouts)
    figure = new_figure(7.4, 1.9 + 0.8 * max(1, len(rows)))
    axes = add_panel(
        figure,
        "What is left when the lungs are gone",
        "AUC by what of each slice is shown; bars: 95 % over patients",
    )
    axes.axvline(0.5, color=GREY, linewidth=1, linestyle="--", zorder=1)
    for at, one in enumerate(rows):
        for place, (view, color) in enumerate(VIEWS.items()):
            y = at + (place - 1.5) * 0.17
            _dot(axes, one.aucs[view], y, color, label=str(view) if at == 0 else None)
    axes.set_yticks(range(len(rows)), [f"{_plain(one.source)}\nn = {one.n}" for one in rows])
    axes.set(xlim=(-0.02, 1.02), ylim=(max(1, len(rows)) - 0.5, -0.5), xlabel="AUC (0.5 is chance)")
    if rows:
        axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), frameon=False, fontsize=8.5)
    else:
        axes.text(0.5, 0, "no source has both classes", ha="center", color=GREY)
    save_figure(figure, path)


def plot_stability(stabilities: Sequence[Stability], path: Path) -> None:
    """Median change of probability and share of flips, by source and kind of render; lines are targets."""
    rows = shortened(stabilities)
    figure = new_figure(9.6, 1.6 + 0.24 * max(1, len(rows)))
    grid = figure.add_gridspec(1, 2)
    panels = (
        ("Change of probability", "median; line: target 0.05", MEDIAN_TARGET, BLUE),
        (
            "Decisions flipped",
            "line: target 3 %; hollow: to or from doubt",
            FLIP_TARGET,
            VERMILION,
        ),
    )
    for place, (title, note, target, color) in enumerate(panels):
        axes = add_panel(figure, title, note, place=grid[place])
        axes.axvline(target, color=GREY, linewidth=1, linestyle="--", zorder=1)
        for y, one in enumerate(rows):
            if place:
                _dot(axes, one.doubts, y, PURPLE, hollow=True)
            _dot(axes, one.flips if place else one.change, y, color)
            if one.kind == ALL and y:
                axes.axhline(y - 0.5, color=PALE, linewidth=0.8)
        axes.set_yticks(range(len(rows)), [] if place else [_name(one) for one in rows])
        axes.set_ylim(max(1, len(rows)) - 0.5, -0.5)
        axes.set_xlim(left=-0.005)
    save_figure(figure, path)


def _name(one: Stability) -> str:
    return f"{_plain(one.source)}, all (n = {one.n})" if one.kind == ALL else f"{one.kind} (n = {one.n})"


def _plain(text: str) -> str:
    """As it stands: a dollar would start a formula."""
    return text.replace("$", r"\$")


def _dot(
    axes: Axes, estimate: Estimate, y: float, color: str, *, label: str | None = None, hollow: bool = False
) -> None:
    if estimate.value is None:
        return
    if estimate.low is not None and estimate.high is not None:
        axes.plot([estimate.low, estimate.high], [y, y], color=color, linewidth=1.4, alpha=0.6, zorder=2)
    face = "white" if hollow else color
    axes.plot(
        estimate.value, y, "o", color=color, markerfacecolor=face, markersize=5.5, label=label, zorder=3
    )


def _show(axes: Axes, tile: NDArray[np.uint8], lesions: Bools) -> None:
    axes.imshow(tile, interpolation="nearest")
    if lesions.any() and not lesions.all():
        axes.contour(lesions, levels=[0.5], colors=[CYAN], linewidths=0.9)
    axes.set_axis_off()
