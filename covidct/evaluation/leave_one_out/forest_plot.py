"""The forest plot of a benchmark: AUC on sources left out, beside the shortcut floor, and chance."""

from __future__ import annotations

from pathlib import Path

from matplotlib.axes import Axes

from covidct.evaluation.leave_one_out.figures import Standing
from covidct.evaluation.leave_one_out.names import to_sources
from covidct.evaluation.leave_one_out.table import Floor, Standings, by_height
from covidct.evaluation.plot_style import BLUE, GREY, INK, PALE, VERMILION, add_panel, new_figure, save_figure
from covidct.types import Estimate

ROW, MARGIN = 0.34, 1.6  # inches


def plot_standings(standings: Standings, path: Path) -> None:
    """One panel a source left out: recipes with their intervals, dots for single seeds; probes below."""
    names = list(dict.fromkeys(row.left_out for row in standings.rows))
    blocks = [
        ([row for row in standings.rows if row.left_out == name], standings.floors.get(name, {}))
        for name in names
    ]
    heights = [len(rows) + len(floor) + 0.8 for rows, floor in blocks]
    figure = new_figure(7.6, sum(ROW * height + MARGIN for height in heights))
    grid = figure.add_gridspec(len(names), 1, height_ratios=[ROW * height + MARGIN for height in heights])
    for place, (name, (rows, floor)) in enumerate(zip(names, blocks, strict=True)):
        subtitle = f"{rows[0].slices} slices, {rows[0].positives} with COVID-19, none of them trained on"
        axes = add_panel(figure, f"Without {_shorten(name)}", subtitle, place=grid[place, 0])
        _draw_block(axes, rows, floor)
    save_figure(figure, path)


def _shorten(left_out: str) -> str:
    """What was left out, for a title that has a line."""
    sources = to_sources(left_out)
    return left_out if len(sources) == 1 else f"{len(sources)} sources at once"


def _draw_block(axes: Axes, rows: list[Standing], floor: Floor) -> None:
    axes.axvline(0.5, color=PALE, linewidth=1.2, zorder=0)
    foot = (0.5, 0.0)
    axes.annotate(
        "chance", foot, (4, 4), ("data", "axes fraction"), "offset points", color=GREY, fontsize=8.5
    )
    labels = []
    for place, row in enumerate(rows):
        _draw_interval(axes, row.metrics["auc"], place, BLUE)
        known = [auc for auc in row.aucs.values() if auc is not None]
        axes.plot(known, [place + 0.24] * len(known), "|", color=BLUE, markersize=6)
        labels.append(row.recipe)
    for place, (probe, auc) in enumerate(by_height(floor).items(), start=len(rows)):
        _draw_interval(axes, auc, place, VERMILION)
        labels.append(f"shortcut: {probe}")
    axes.set_yticks(range(len(labels)), labels)
    axes.set(ylim=(len(labels) - 0.2, -0.6), xlim=(0.0, 1.01))
    if all((one.low or 0.31) > 0.3 for one in (*(row.metrics["auc"] for row in rows), *floor.values())):
        axes.set_xlim(0.3, 1.01)
    axes.set_xlabel("AUC, 95 % interval over patients; ticks below: single seeds", fontsize=9)
    axes.tick_params(axis="y", length=0)


def _draw_interval(axes: Axes, found: Estimate, place: int, color: str) -> None:
    if found.value is None:
        axes.text(0.5, place, "  undefined", color=GREY, fontsize=8.5, va="center")
        return
    if found.low is not None and found.high is not None:
        axes.plot([found.low, found.high], [place, place], "-", color=color, linewidth=1.6)
    axes.plot([found.value], [place], "o", color=color, markersize=5.5)
    axes.annotate(
        found.to_text(),
        (1, place),
        (6, 0),
        ("axes fraction", "data"),
        "offset points",
        color=INK,
        fontsize=8.5,
        va="center",
    )
