"""The files of a report: figures, scores and plots in a folder."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from covidct.evaluation import plots
from covidct.evaluation.mistakes import plot_mistakes
from covidct.evaluation.report import Report
from covidct.evaluation.report_json import to_json
from covidct.evaluation.sections import Scored
from covidct.images.scratch import open_scratch

COLUMNS = ("path", "label", "source", "patient", "probability", "decision")


def write_report(report: Report, out: Path) -> None:
    """Write evaluation.json, scores.csv and four plots into the folder `out`, replacing older ones.

    Where the report has pictures, mistakes.png too; it shows slices, so protect it like them. All are written
    under other names and renamed once the last one is done, evaluation.json last: a run that breaks off
    leaves what was there.
    """
    out.mkdir(parents=True, exist_ok=True)
    with open_scratch(out) as beside:
        _write_plots(report, beside)
        _write_scores(report.overall.rows, beside / "scores.csv")
        text = json.dumps(to_json(report), indent=2, ensure_ascii=False, allow_nan=False)
        (beside / "evaluation.json").write_text(text + "\n", encoding="utf-8")
        for path in sorted(beside.iterdir(), key=lambda path: path.suffix == ".json"):
            path.replace(out / path.name)


def _write_plots(report: Report, folder: Path) -> None:
    overall, point = report.overall, report.protocol
    # One source alone is the whole: drawn once.
    sources = report.sources if len(report.sources) > 1 else ()
    plots.plot_roc((overall, *sources), folder / "roc.png", threshold=point.threshold)
    plots.plot_calibration(overall, folder / "calibration.png")
    plots.plot_confusion(overall, folder / "confusion.png", threshold=point.threshold)
    plots.plot_scores(report.sources, folder / "scores.png", threshold=point.threshold, band=point.band)
    if report.pictures:
        place, n = folder / "mistakes.png", overall.evaluation.n
        plot_mistakes(report.mistakes, report.pictures, place, n=n, threshold=point.threshold)


def _write_scores(rows: Sequence[Scored], path: Path) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(asdict(row) for row in rows)
