"""Plots of an evaluation and of a training run, as PNG.

Knows sections and rows. Knows nothing of how they came about.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from covidct.evaluation.plot_style import (
    GREY,
    INK,
    PALETTE,
    STYLES,
    add_panel,
    draw_cells,
    draw_diagonal,
    draw_histogram,
    draw_lines,
    new_figure,
    save_figure,
)
from covidct.evaluation.sections import Section
from covidct.stats.curves import reliability, roc_points
from covidct.stats.metrics import Evaluation
from covidct.stats.resampling import Floats
from covidct.types import Estimate

Row = Mapping[str, Any]
Band = tuple[float, float]


def plot_roc(sections: Sequence[Section], path: Path, *, threshold: float) -> None:
    """ROC curves with AUC and operating point: the first section in black, then each of the others."""
    figure = new_figure(6.4, 6.9)
    axes = add_panel(figure, f"ROC: AUC {_text(sections[0].evaluation, 'auc')}", _size(sections[0]))
    draw_diagonal(axes)
    curves = [section for section in sections if section.has_both_classes]
    for i, section in enumerate(curves):
        _draw_roc(axes, section, place=i)
    axes.set(xlabel="1 − specificity", ylabel="sensitivity", aspect="equal")
    axes.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.01))
    if curves:
        axes.plot([], [], "o", color=GREY, markersize=7, label=f"operating point (threshold {threshold:.2f})")
        axes.legend(loc="lower right", frameon=False, fontsize=8.5)
    if one_class := [_name(section) for section in sections if not section.has_both_classes]:
        note, above = "\n".join(("one class only, no curve:", *one_class)), 0.1 + 0.034 * len(curves)
        axes.text(0.98, above, note, color=GREY, fontsize=8.5, ha="right", linespacing=1.4)
    save_figure(figure, path)


def plot_calibration(section: Section, path: Path) -> None:
    """Share of COVID-19 by predicted probability, with exact intervals, over the probabilities' histogram."""
    figure = new_figure(6.4, 7.6)
    grid = figure.add_gridspec(2, 1, height_ratios=(3.4, 1))
    evaluation = section.evaluation
    title = f"Calibration: ECE {_text(evaluation, 'ece')}, Brier {_text(evaluation, 'brier')}"
    _draw_reliability(add_panel(figure, title, _size(section), place=grid[0]), section)
    below = add_panel(figure, "", "", place=grid[1])
    draw_histogram(below, section.labels == 1, section.probabilities)
    below.set_xlabel("probability of COVID-19")
    save_figure(figure, path)


def plot_confusion(section: Section, path: Path, *, threshold: float) -> None:
    """Truth against call at the threshold, and against decision where any slice was decided."""
    decisions, evaluation = section.decisions, section.evaluation
    if decisions and not decisions.decided.n:
        decisions = None
    figure = new_figure(11.6, 4.4) if decisions else new_figure(5.4, 4.4)
    grid = figure.add_gridspec(1, 2 if decisions else 1, width_ratios=(4, 5) if decisions else (1,))
    title = f"{evaluation.n} slices called at threshold {threshold:.2f}"
    axes = add_panel(figure, title, _rates(evaluation), place=grid[0])
    counts = evaluation.confusion
    draw_cells(axes, ((counts.tp, counts.fn), (counts.fp, counts.tn)), ("positive", "negative"))
    if decisions:
        columns = (decisions.positive, decisions.indeterminate, decisions.negative)
        title = (
            f"{decisions.n} slices with an answer, {100 * decisions.indeterminate_share:.0f} % indeterminate"
        )
        axes = add_panel(figure, title, f"without these: {_rates(decisions.decided)}", place=grid[1])
        cells = ([one.covid for one in columns], [one.other for one in columns])
        draw_cells(axes, cells, ("positive", "indeterminate", "negative"))
    save_figure(figure, path)


def plot_scores(
    sections: Sequence[Section], path: Path, *, threshold: float, band: Band | None = None
) -> None:
    """Histograms of probability by class, a panel a section, with threshold and indeterminate band."""
    figure = new_figure(7.4, 1.2 + 2.2 * len(sections))
    grid = figure.add_gridspec(len(sections), 1)
    for i, section in enumerate(sections):
        evaluation = section.evaluation
        shown = f"AUC {_text(evaluation, 'auc')}" if section.has_both_classes else _rates(evaluation)
        axes = add_panel(figure, _name(section), f"{_size(section)} · {shown}", place=grid[i])
        draw_histogram(axes, section.labels == 1, section.probabilities)
        axes.axvline(threshold, color=INK, linewidth=1)
        if band:
            axes.axvspan(*band, color=INK, alpha=0.07, linewidth=0)
        axes.tick_params(labelbottom=i == len(sections) - 1)
    shaded = f", indeterminate {band[0]:.2f}–{band[1]:.2f} (shaded)" if band else ""
    axes.set_xlabel(f"probability of COVID-19\nthreshold {threshold:.2f} (line){shaded}")
    save_figure(figure, path)


def plot_history(rows: Sequence[Row], path: Path, choose: str = "auc") -> None:
    """Training curves by epoch: losses, AUC on `tune`, learning rate; phases shaded, the best epoch marked,
    which is best in `choose` on `tune`, "auc" or "accuracy", or the "last".

    Rows have epoch, phase, train_loss, tune_loss, tune_auc and rate, as numbers or their text; a missing
    value leaves a gap. Where there are several columns tune_auc_<source>, they are drawn beside the mean.
    Raises ValueError without rows.
    """
    if not rows:
        raise ValueError("no epochs: there is nothing to plot")
    figure = new_figure(7.4, 7.6)
    grid = figure.add_gridspec(3, 1, height_ratios=(3, 3, 1.3))
    losses = {name: _column(rows, f"{name}_loss") for name in ("tune", "train")}
    panels = (
        add_panel(figure, _history_title(rows, choose), "loss", place=grid[0]),
        add_panel(figure, "", "AUC on tune", place=grid[1]),
        add_panel(figure, "", "learning rate", place=grid[2]),
    )
    for axes, lines in zip(panels, (losses, _aucs(rows), {"": _column(rows, "rate")}), strict=True):
        draw_lines(axes, _column(rows, "epoch"), lines)
        _draw_phases(axes, rows, choose, named=axes is panels[0])
        axes.tick_params(labelbottom=axes is panels[-1])
    _mark_best(panels[1], rows, choose)
    panels[-1].set_xlabel("epoch")
    panels[-1].set_ylim(bottom=0)
    panels[-1].yaxis.set_major_formatter("{x:g}")
    save_figure(figure, path)


def plot_rates(rates: Sequence[float], losses: Sequence[float], suggestion: float, path: Path) -> None:
    """The smoothed loss over the learning rate, logarithmic, with the suggested rate marked."""
    figure = new_figure(7.4, 4.2)
    axes = add_panel(figure, f"Learning-rate search: {suggestion:.1e} suggested", "smoothed training loss")
    axes.plot(rates, losses, color=PALETTE[0], linewidth=1.9)
    axes.plot(suggestion, np.interp(suggestion, rates, losses), "o", color=INK, markersize=7)
    axes.set_xscale("log")
    axes.set_xlabel("learning rate of the head")
    save_figure(figure, path)


def _text(evaluation: Evaluation, name: str) -> str:
    return evaluation.metrics[name].to_text()


def _name(section: Section) -> str:
    """The name as it stands: a dollar would start a formula."""
    return section.name.replace("$", r"\$")


def _rates(evaluation: Evaluation) -> str:
    """Sensitivity and specificity, as far as these slices have them."""
    names = [name for name in ("sensitivity", "specificity") if evaluation.metrics[name].n]
    return ", ".join(f"{name} {_text(evaluation, name)}" for name in names) or "no slices"


def _size(section: Section) -> str:
    """How much it is, and what the intervals are over."""
    known, groups = section.patients, section.stand_ins
    units = [f"{known} patient{'' if known == 1 else 's'}"] if known else []
    if groups < section.unidentified:
        units.append(f"{groups} group{'' if groups == 1 else 's'} of neighbours without ids")
    elif section.unidentified:
        units.append(f"{section.unidentified} slices without id" if known else "no patient ids")
    evaluation = section.evaluation
    return f"{evaluation.n} slices, {evaluation.positives} COVID-19, {', '.join(units)}"


def _draw_roc(axes: Axes, section: Section, *, place: int) -> None:
    """One curve and its operating point; the first in black, and with the point's intervals."""
    color = PALETTE[(place - 1) % len(PALETTE)] if place else INK
    style = STYLES[(place - 1) // len(PALETTE) % len(STYLES)] if place else "-"
    x, y = roc_points(section.labels, section.probabilities)
    label = f"{_name(section)}  {_text(section.evaluation, 'auc')}"
    axes.plot(
        x,
        y,
        color=color,
        linestyle=style,
        linewidth=1.5 if place else 2.2,
        label=label,
        zorder=3 if place else 4,
    )
    point = section.evaluation.metrics["specificity"], section.evaluation.metrics["sensitivity"]
    x0, y0 = 1 - (point[0].value or 0), point[1].value or 0
    if not place:
        (left, right), (down, up) = (_reach([one])[:, 0] for one in point)
        axes.errorbar(x0, y0, [[down], [up]], [[right], [left]], fmt="none", ecolor=INK, elinewidth=1)
    axes.plot(x0, y0, "o", color=color, markeredgecolor="white", markersize=7 if place else 9, zorder=5)


def _draw_reliability(axes: Axes, section: Section) -> None:
    draw_diagonal(axes)
    bins = reliability(section.labels, section.probabilities)
    observed = [one.observed for one in bins]
    x, y = [one.probability for one in bins], [one.value or 0.0 for one in observed]
    axes.errorbar(x, y, _reach(observed), fmt="o-", color=INK, elinewidth=1, linewidth=1.3, markersize=5)
    axes.set(ylabel="share with COVID-19", xlim=(-0.01, 1.01), ylim=(-0.02, 1.02))
    axes.tick_params(labelbottom=False)
    note = "bars: exact 95 % intervals over slices; pale line: perfect calibration"
    axes.set_xlabel(note, color=GREY, fontsize=8.5, loc="left")


def _reach(estimates: Sequence[Estimate]) -> Floats:
    """How far the intervals reach below and above their values, (2, n); 0 where there is none."""
    reach = np.zeros((2, len(estimates)))
    for i, one in enumerate(estimates):
        if one.value is not None and one.low is not None and one.high is not None:
            reach[:, i] = one.value - one.low, one.high - one.value
    return reach


def _column(rows: Sequence[Row], name: str) -> Floats:
    """The column as numbers, (epochs,), NaN where there is none."""
    cells = (row.get(name) for row in rows)
    return np.array([float("nan" if cell in (None, "") else cell) for cell in cells])


def _aucs(rows: Sequence[Row]) -> dict[str, Floats]:
    """The mean AUC, and each source's where there are several."""
    names = [name for name in rows[0] if name.startswith("tune_auc_")]
    mean = _column(rows, "tune_auc")
    if len(names) < 2:
        return {"": mean}
    return {"mean": mean} | {name.removeprefix("tune_auc_"): _column(rows, name) for name in names}


def _best(rows: Sequence[Row], choose: str) -> int | None:
    """Index of the row that is best in `choose`, of ties the one with the lowest loss, and the first."""
    if choose == "last":
        return len(rows) - 1
    scores, losses = _column(rows, f"tune_{choose}"), _column(rows, "tune_loss")
    if np.isnan(scores).all():
        return None
    return min(
        range(len(rows)), key=lambda at: (-np.nan_to_num(scores[at], nan=-np.inf), np.nan_to_num(losses[at]))
    )


def _history_title(rows: Sequence[Row], choose: str) -> str:
    best = _best(rows, choose)
    if best is None:
        return f"Training: {len(rows)} epochs"
    if choose == "last":
        return f"Training: {len(rows)} epochs, of which the last is kept"
    score, word = _column(rows, f"tune_{choose}")[best], {"auc": "AUC"}.get(choose, choose)
    return f"Training: epoch {rows[best]['epoch']} of {len(rows)} is best, {word} on tune {score:.3f}"


def _draw_phases(axes: Axes, rows: Sequence[Row], choose: str, *, named: bool) -> None:
    """Shade every other of several phases; in the first panel give them their names, and room for these."""
    epochs, start = _column(rows, "epoch"), 0
    low, high = axes.get_ylim()
    phases = [(phase, len(list(group))) for phase, group in groupby(str(row["phase"]) for row in rows)]
    phases = phases if len(phases) > 1 else []
    axes.set_ylim(low, high + (high - low) * (0.12 if named and phases else 0))
    for i, (phase, epochs_of) in enumerate(phases):
        end = start + epochs_of
        left, right = epochs[start] - 0.5, epochs[end - 1] + 0.5
        if i % 2 == 0:
            axes.axvspan(left, right, color=INK, alpha=0.045, linewidth=0)
        if named:
            axes.annotate(
                phase, (left, 0.98), (4, 0), ("data", "axes fraction"), "offset points", color=GREY, va="top"
            )
        start = end
    axes.set_xlim(epochs[0] - 0.5, epochs[-1] + 0.5)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    if (best := _best(rows, choose)) is not None:
        axes.axvline(epochs[best], color=INK, linewidth=0.9, linestyle=":", zorder=2)


def _mark_best(axes: Axes, rows: Sequence[Row], choose: str) -> None:
    if (best := _best(rows, choose)) is not None:
        epoch, auc = _column(rows, "epoch")[best], _column(rows, "tune_auc")[best]
        axes.plot(epoch, auc, "o", color=INK, markersize=6, zorder=6)
