from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from covidct.evaluation import plots
from covidct.evaluation.plots import plot_calibration, plot_confusion, plot_history, plot_roc, plot_scores
from covidct.evaluation.sections import Scored, Section, to_sections
from covidct.stats.resampling import Resampling


def measure(rows: list[Scored]) -> tuple[Section, ...]:
    return to_sections(rows, threshold=0.5, resampling=Resampling(30))


def make_rows(
    n: int, *, sources: int = 1, labels: tuple[int, ...] = (0, 1), decision: bool = True
) -> list[Scored]:
    random, rows = np.random.default_rng(0), []
    for i in range(n):
        label = labels[i % len(labels)]
        p = float(np.clip(random.normal(0.3 + 0.4 * label, 0.2), 0, 1))
        word = "indeterminate" if 0.4 < p < 0.6 else "positive" if p >= 0.5 else "negative"
        source = f"$source-{i // 2 % sources}$^"
        rows.append(Scored(f"{i}", label, source, f"p{i // 4}", p, word if decision else None))
    return rows


def check_picture(path: Path) -> None:
    """A PNG of a size that fits a page, with something drawn on it but mostly paper."""
    with Image.open(path) as image:
        image.load()
        assert image.format == "PNG"
        assert all(500 <= side < 4000 for side in image.size)
        grey = np.asarray(image.convert("L"))
    assert 0.002 < (grey < 245).mean() < 0.9


def plot_everything(sections: tuple[Section, ...], folder: Path, *, band: tuple[float, float] | None) -> None:
    plot_roc(sections, folder / "roc.png", threshold=0.5)
    plot_calibration(sections[0], folder / "calibration.png")
    plot_confusion(sections[0], folder / "confusion.png", threshold=0.5)
    plot_scores(sections[1:], folder / "scores.png", threshold=0.5, band=band)
    for path in folder.iterdir():
        check_picture(path)


@pytest.mark.parametrize(
    "rows",
    [
        make_rows(120, sources=2),
        make_rows(6, decision=False),
        make_rows(5, labels=(0,)),
        make_rows(1, labels=(1,)),
    ],
    ids=["two-sources", "tiny", "no-covid", "one-slice"],
)
def test_plots(rows: list[Scored], tmp_path: Path) -> None:
    plot_everything(measure(rows), tmp_path, band=(0.4, 0.6) if rows[0].decision else None)


def test_where_nothing_was_decided_calls_alone_are_shown(tmp_path: Path) -> None:
    rows = make_rows(40)
    widths = []
    for given in (rows, [replace(row, decision="indeterminate") for row in rows]):
        plot_confusion(measure(given)[0], tmp_path / "confusion.png", threshold=0.5)
        check_picture(tmp_path / "confusion.png")
        with Image.open(tmp_path / "confusion.png") as image:
            widths.append(image.width)
    assert widths[0] > 1.5 * widths[1]


def test_a_perfect_model_has_no_interval_to_draw(tmp_path: Path) -> None:
    sections = measure([Scored(f"{i}", i % 2, "one", f"{i}", float(i % 2)) for i in range(8)])
    assert sections[0].evaluation.metrics["auc"].low is None
    plot_roc(sections, tmp_path / "roc.png", threshold=0.5)
    plot_calibration(sections[0], tmp_path / "calibration.png")


def make_history(epochs: int) -> list[dict[str, object]]:
    return [
        {
            "epoch": i + 1,
            "phase": "head" if i < 2 else "whole",
            "train_loss": 1 / (i + 1),
            "tune_loss": 1.2 / (i + 1),
            "tune_auc": 0.9 - 0.02 * abs(i - 5),
            "rate": 1e-3 / (i + 1),
        }
        for i in range(epochs)
    ]


def with_sources(rows: list[dict[str, object]]) -> list[dict[str, object]]:
    return [row | {"tune_auc_a": 0.81, "tune_auc_b": 0.8} for row in rows]


def with_gaps(rows: list[dict[str, object]]) -> list[dict[str, object]]:
    return [row | {"tune_auc": "nan", "tune_loss": None, "rate": ""} for row in rows]


def as_text(rows: list[dict[str, object]]) -> list[dict[str, object]]:
    return [{name: str(value) for name, value in row.items()} for row in rows]


@pytest.mark.parametrize(("epochs", "change"), [(12, with_sources), (3, with_gaps), (1, as_text)])
def test_history(
    epochs: int, change: Callable[[list[dict[str, object]]], list[dict[str, object]]], tmp_path: Path
) -> None:
    plot_history(change(make_history(epochs)), tmp_path / "history.png")
    check_picture(tmp_path / "history.png")


def test_the_best_epoch_is_best_in_what_was_chosen_by() -> None:
    rows = [
        {"epoch": 1, "tune_auc": 0.9, "tune_accuracy": 0.7, "tune_loss": 0.5},
        {"epoch": 2, "tune_auc": 0.8, "tune_accuracy": 0.8, "tune_loss": 0.6},
        {"epoch": 3, "tune_auc": 0.8, "tune_accuracy": 0.8, "tune_loss": 0.4},
    ]
    assert plots._history_title(rows, "auc") == "Training: epoch 1 of 3 is best, AUC on tune 0.900"
    assert plots._history_title(rows, "accuracy") == "Training: epoch 3 of 3 is best, accuracy on tune 0.800"


@pytest.mark.parametrize(
    ("patients", "words"),
    [
        (("p1", "p1", "p2"), "2 patients"),
        (("", "", ""), "no patient ids"),
        (("a/0/neighbours-0000", "a/1/neighbours-0000", "a/1/neighbours-0001"), "no patient ids"),
        (("a/0/neighbours-0000",) * 3, "1 group of neighbours without ids"),
        (("p1", "a/0/neighbours-0000", "a/1/neighbours-0000"), "1 patient, 2 slices without id"),
    ],
)
def test_patients_are_not_counted_where_none_is_known(patients: tuple[str, ...], words: str) -> None:
    rows = [Scored(f"{at}", at % 2, "a", patient, 0.5) for at, patient in enumerate(patients)]
    assert plots._size(measure(rows)[0]) == f"3 slices, 1 COVID-19, {words}"


def test_history_of_nothing(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no epochs"):
        plot_history([], tmp_path / "history.png")
