"""What `studies/original.py` measured: tables of docs/research/original.md, and docs/img/original-*.png.

`python studies/original_report.py runs/original/results.json` rewrites the tables between the page's
marks and draws the pictures. No picture of a patient is drawn: mistakes are shown on synthetic slices.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click
import numpy as np
from PIL import Image, ImageDraw

from covidct.evaluation.plot_style import (
    BLUE,
    GREY,
    INK,
    VERMILION,
    add_panel,
    draw_cells,
    draw_lines,
    new_figure,
    save_figure,
)
from covidct.images.hounsfield import to_display
from covidct.images.phantoms.slice import Phantom, draw_phantom
from covidct.inference.classifier import Classifier
from covidct.inference.overlay import to_overlay
from covidct.stats.estimate import exact_interval
from covidct.stats.metrics import bootstrap, confusion, evaluate_scores
from covidct.stats.resampling import ONCE, Floats
from covidct.types import Slice, Source

ROOT = Path(__file__).parents[1]
PAGE, PICTURES = ROOT / "docs" / "research" / "original.md", ROOT / "docs" / "img"
APPROACHES = {"original-scratch": "six layers, from scratch", "original-mobilenet": "MobileNetV2, transfer"}
PROTOCOLS = {
    "original": "original: augment, then split at random",
    "honest": "honest: split by patient, then augment",
    "all": "honest, all slices",
}
HOME, ABROAD = "covid-ct", "sarscov2-ct"
# Losses above it are drawn at it.
HIGHEST = 1.5
Record = Mapping[str, Any]
Cell = tuple[str, str]


@click.command()
@click.argument("results", type=click.Path(exists=True, path_type=Path))
def main(results: Path) -> None:
    """Rewrite the page's tables and draw its pictures."""
    cells: dict[Cell, list[Record]] = defaultdict(list)
    for record in json.loads(results.read_text(encoding="utf-8")):
        cells[record["approach"], record["protocol"]].append(record)
    PICTURES.mkdir(exist_ok=True)
    draw_reported(cells)
    draw_confusions(cells)
    draw_curves(cells)
    draw_synthetic(results.parent)
    page = PAGE.read_text(encoding="utf-8")
    page = put(page, "accuracy", to_accuracy_table(cells))
    page = put(page, "tested", to_tested_table(cells))
    PAGE.write_text(page, encoding="utf-8")


def put(page: str, name: str, text: str) -> str:
    """The page with what stands between its marks of this name replaced."""
    pattern = rf"(<!-- {name} -->\n).*?(<!-- end {name} -->)"
    return re.sub(pattern, lambda found: f"{found[1]}{text}\n{found[2]}", page, flags=re.DOTALL)


def measure(records: Sequence[Record], source: str, metric: str) -> tuple[float, float, float, float, float]:
    """Mean over draws with its 95 % interval over patients, and the lowest and highest draw.

    Every draw is tested on the same slices; a resample draws the same patients for all of them.
    """
    values, resampled = [], []
    for record in records:
        tested = record["tested"][source]
        arguments = tested["labels"], tested["probabilities"], tested["patients"]
        value = evaluate_scores(*arguments, threshold=0.5, resampling=ONCE).metrics[metric].value
        values.append(float("nan") if value is None else value)
        resampled.append(bootstrap(*arguments, threshold=0.5)[metric])
    mean: Floats = np.mean(resampled, axis=0)
    low, high = np.nanpercentile(mean, (2.5, 97.5))
    return float(np.mean(values)), float(low), float(high), min(values), max(values)


def own(records: Sequence[Record]) -> tuple[int, int]:
    """Right answers and slices of the runs' own tune splits, all draws together."""
    return sum(r["own"]["right"] for r in records), sum(r["own"]["n"] for r in records)


def to_accuracy_table(cells: Mapping[Cell, Sequence[Record]]) -> str:
    """What each protocol says of itself, beside the accuracy on patients that nobody saw."""
    lines = ["| Approach | Protocol | reported: best epoch, own split | each draw | unseen patients |"]
    lines += ["|---|---|--:|--:|--:|"]
    for (approach, protocol), records in cells.items():
        right, n = own(records)
        draws = ", ".join(f"{record['own']['right']}/{record['own']['n']}" for record in records)
        first, last = exact_interval(right, n)
        mean, low, high, *_ = measure(records, HOME, "accuracy")
        lines.append(
            f"| {APPROACHES[approach]} | {PROTOCOLS[protocol]} | "
            f"**{right / n:.2f}** ({first:.2f}–{last:.2f}) | {draws} | "
            f"**{mean:.2f}** ({low:.2f}–{high:.2f}) |"
        )
    return "\n".join(lines)


def to_tested_table(cells: Mapping[Cell, Sequence[Record]]) -> str:
    """AUC, sensitivity and specificity on unseen patients at home, and AUC in another hospital."""
    head = (
        "| Approach | Protocol | AUC, `covid-ct` | draws | sensitivity | specificity | AUC, `sarscov2-ct` |"
    )
    lines = [head, "|---|---|--:|--:|--:|--:|--:|"]
    for (approach, protocol), records in cells.items():
        auc = measure(records, HOME, "auc")
        texts = [
            to_text(measure(records, *which)) for which in ((HOME, "sensitivity"), (HOME, "specificity"))
        ]
        abroad = to_text(measure(records, ABROAD, "auc"))
        lines.append(
            f"| {APPROACHES[approach]} | {PROTOCOLS[protocol]} | {to_text(auc)} | "
            f"{auc[3]:.2f}–{auc[4]:.2f} | {' | '.join(texts)} | {abroad} |"
        )
    return "\n".join(lines)


def to_text(measured: Sequence[float]) -> str:
    """`0.81 (0.74-0.88)`."""
    return f"{measured[0]:.2f} ({measured[1]:.2f}–{measured[2]:.2f})"


def draw_reported(cells: Mapping[Cell, Sequence[Record]]) -> None:
    """For each cell the accuracy it reports of itself, and the one on unseen patients, with intervals."""
    figure = new_figure(8.6, 4.6)
    axes = add_panel(figure, "What was reported, and what is so", "accuracy; lines: 95 % intervals")
    names = []
    for place, ((approach, protocol), records) in enumerate(cells.items()):
        right, n = own(records)
        low, high = exact_interval(right, n)
        axes.plot((low, high), (place - 0.14,) * 2, color=GREY, linewidth=2)
        axes.plot(right / n, place - 0.14, "o", color="white", markeredgecolor=INK, markersize=8)
        mean, low, high, *_ = measure(records, HOME, "accuracy")
        axes.plot((low, high), (place + 0.14,) * 2, color=VERMILION, linewidth=2)
        axes.plot(mean, place + 0.14, "o", color=VERMILION, markersize=8)
        names.append(f"{APPROACHES[approach]}\n{PROTOCOLS[protocol]}")
    axes.plot([], [], "o", color="white", markeredgecolor=INK, label="reported: own split, best epoch")
    axes.plot([], [], "o", color=VERMILION, label="118 slices of patients that nobody saw")
    axes.axvline(0.5, color=GREY, linewidth=0.8, linestyle=":")
    axes.set_yticks(range(len(names)), names, fontsize=8.5)
    axes.invert_yaxis()
    axes.set_xlim(0.4, 1.01)
    axes.legend(loc="upper left", bbox_to_anchor=(0, -0.08), ncols=2, frameon=False, fontsize=8.5)
    save_figure(figure, PICTURES / "original-accuracy.png")


def draw_confusions(cells: Mapping[Cell, Sequence[Record]]) -> None:
    """Confusion matrices on unseen patients, all draws added up."""
    figure = new_figure(12.4, 7.6)
    grid = figure.add_gridspec(len(APPROACHES), len(PROTOCOLS))
    for (approach, protocol), records in cells.items():
        total = np.zeros(4, np.int64)
        for record in records:
            tested = record["tested"][HOME]
            counts = confusion(tested["labels"], np.array(tested["probabilities"]) >= 0.5)
            total += (counts.tp, counts.fn, counts.fp, counts.tn)
        place = grid[list(APPROACHES).index(approach), list(PROTOCOLS).index(protocol)]
        axes = add_panel(figure, APPROACHES[approach], PROTOCOLS[protocol], place=place)
        tp, fn, fp, tn = total.tolist()
        draw_cells(axes, ((tp, fn), (fp, tn)), ("positive", "negative"))
    save_figure(figure, PICTURES / "original-confusion.png")


def draw_curves(cells: Mapping[Cell, Sequence[Record]]) -> None:
    """Losses of the first draw of each cell."""
    figure = new_figure(12.4, 6.8)
    grid = figure.add_gridspec(len(APPROACHES), len(PROTOCOLS))
    for (approach, protocol), records in cells.items():
        curve = records[0]["curve"]
        place = grid[list(APPROACHES).index(approach), list(PROTOCOLS).index(protocol)]
        axes = add_panel(figure, APPROACHES[approach], PROTOCOLS[protocol], place=place)
        lines = {
            name: np.minimum([epoch[key] for epoch in curve], HIGHEST)
            for name, key in (("tune", "tune_loss"), ("train", "train_loss"))
        }
        draw_lines(axes, np.arange(1.0, len(curve) + 1), lines)
        axes.set_ylim(0, HIGHEST + 0.1)
        axes.set_xlabel("epoch")
        axes.set_ylabel("loss")
    save_figure(figure, PICTURES / "original-curves.png")


def draw_synthetic(runs: Path) -> None:
    """What one model of each approach and protocol says of three synthetic slices, with its evidence."""
    side, edge, line = 200, 10, 40
    columns = [
        ("original-scratch", "original"),
        ("original-mobilenet", "original"),
        ("original-mobilenet", "all"),
    ]
    kinds = (Phantom.NORMAL, Phantom.LESIONS, Phantom.CONSOLIDATION)
    width, height = (len(columns) + 1) * (side + edge) + edge, len(kinds) * (side + edge + line) + edge + line
    sheet = Image.new("RGB", (width, height), "white")
    draw = ImageDraw.Draw(sheet)
    heads = [
        "the slice",
        *(f"{APPROACHES[a].split(',')[0]}\n{PROTOCOLS[p].split(':')[0]}" for a, p in columns),
    ]
    for at, head in enumerate(heads):
        draw.text((edge + at * (side + edge), edge), head, fill=INK, font_size=14)
    models = [Classifier.load(runs / f"{a}-{p}-0" / "run" / "bundle") for a, p in columns]
    for row, kind in enumerate(kinds):
        pixels = to_display(draw_phantom(kind, seed=7, size=256))
        top = edge + line + row * (side + edge + line)
        sheet.paste(Image.fromarray(pixels).resize((side, side)), (edge, top))
        draw.text((edge, top + side + 4), f"synthetic, {kind.name.lower()}", fill=INK, font_size=14)
        for at, model in enumerate(models, 1):
            result = model.predict(Slice(pixels, Source("synthetic"))).prediction
            assert result is not None
            assert result.evidence is not None
            left = edge + at * (side + edge)
            shown = Image.fromarray(to_overlay(pixels, result.evidence, box=result.box)).resize((side, side))
            sheet.paste(shown, (left, top))
            wrong = result.probability >= 0.5 and kind is Phantom.NORMAL
            wrong = wrong or (result.probability < 0.5 and kind is not Phantom.NORMAL)
            text = f"COVID-19 {result.probability:.2f}{'  wrong' if wrong else ''}"
            draw.text((left, top + side + 4), text, fill=VERMILION if wrong else BLUE, font_size=14)
    sheet.save(PICTURES / "original-synthetic.png", optimize=True)


if __name__ == "__main__":
    main()
