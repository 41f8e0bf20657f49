from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from covidct.evaluation import plots
from covidct.evaluation.report import Protocol, Report, to_report
from covidct.evaluation.report_files import write_report
from covidct.evaluation.report_json import to_json
from covidct.evaluation.sections import Scored
from figures.points import POINT

PROTOCOL = Protocol(
    bundle="covidct-test",
    version="0.1.0",
    manifest_digest="ab" * 32,
    split="test",
    threshold=0.5,
    band=(0.4, 0.6),
    seed=3,
    resamples=100,
    points=(POINT,),
    prevalences=(0.05,),
)
FILES = {"evaluation.json", "scores.csv", "roc.png", "calibration.png", "confusion.png", "scores.png"}


def decide(probability: float) -> str:
    if 0.4 <= probability <= 0.6:
        return "indeterminate"
    return "positive" if probability > 0.5 else "negative"


def make_rows() -> list[Scored]:
    """Two sources: one with patients and both classes, one without patients and without COVID-19."""
    random, rows = np.random.default_rng(0), []
    for i in range(60):
        source, label = ("hospital", i % 2) if i < 40 else ("screening", 0)
        p = float(1 / (1 + np.exp(-random.normal(2 * label - 1, 1.2))))
        patient = f"p{i // 2 % 9}-{label}" if source == "hospital" else ""
        rows.append(Scored(f"{source}/ä {i}.png", label, source, patient, p, decide(p)))
    return rows


@pytest.fixture(scope="module")
def report() -> Report:
    return to_report(make_rows(), PROTOCOL)


@pytest.fixture(scope="module")
def written(report: Report, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("evaluation") / "deep" / "out"
    write_report(report, out)
    return out


def test_report_has_overall_and_sources(report: Report) -> None:
    assert report.overall.name == "overall"
    assert [section.name for section in report.sources] == ["hospital", "screening"]


def test_all_files_and_nothing_else(written: Path) -> None:
    assert {path.name for path in written.iterdir()} == FILES


def test_scores_csv_gives_every_row_back(written: Path) -> None:
    with (written / "scores.csv").open(encoding="utf-8", newline="") as file:
        lines = list(csv.DictReader(file))
    rows = [
        Scored(x["path"], int(x["label"]), x["source"], x["patient"], float(x["probability"]), x["decision"])
        for x in lines
    ]
    assert rows == make_rows()


def read_json(written: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((written / "evaluation.json").read_text(encoding="utf-8"))
    return found


def test_json_protocol(written: Path) -> None:
    found = read_json(written)
    assert found["intervals"].startswith("95 %")
    assert found["protocol"] == {
        "bundle": "covidct-test",
        "version": "0.1.0",
        "manifest_digest": "ab" * 32,
        "split": "test",
        "threshold": 0.5,
        "band": [0.4, 0.6],
        "seed": 3,
        "resamples": 100,
        "points": [
            {
                "name": "balanced",
                "threshold": 0.5,
                "band": [0.4, 0.6],
                "sensitivity": 0.9,
                "specificity": 0.8,
                "alpha": [0.1, 0.1],
                "coverage": [0.95, 0.9],
            }
        ],
        "prevalences": [0.05],
    }


def test_json_points_are_those_of_the_decisions(written: Path) -> None:
    found = read_json(written)
    for section in found["sections"]:
        (point,) = section["points"]
        figures, decisions, evaluation = point["figures"], section["decisions"], section["evaluation"]
        undecided = sum(decisions["indeterminate"].values()) / evaluation["n"]
        assert figures["indeterminate"]["value"] == pytest.approx(undecided)
        assert figures["specificity"]["value"] == evaluation["metrics"]["specificity"]["value"]
        others = evaluation["n"] - evaluation["positives"]
        missed = decisions["positive"]["other"]
        assert figures["coverage_negative"]["value"] == pytest.approx(1 - missed / others)
        assert [worth["prevalence"] for worth in point["worths"]] == [0.05]
    assert found["sections"][0]["chance_ece"] > 0
    assert found["sections"][2]["points"][0]["worths"][0]["ppv"]["reason"] == "undefined: no COVID-19 slices"


def test_json_metrics_have_intervals_or_reasons(written: Path) -> None:
    found = read_json(written)
    assert found["schema"] == 2
    for section in found["sections"]:
        for name in ("auc", "sensitivity", "specificity", "f1_positive", "f1_negative", "brier", "ece"):
            metric = section["evaluation"]["metrics"][name]
            assert set(metric) == {"value", "low", "high", "n", "reason"}
            assert (metric["low"] is None) == (metric["reason"] is not None)
    screening = found["sections"][2]
    assert screening["evaluation"]["metrics"]["auc"]["reason"] == "undefined: no COVID-19 slices"
    assert screening["unidentified"] == 20
    assert screening["patients"] == 0
    assert "no patient ids: intervals over slices, too narrow" in screening["notes"]


def test_json_decisions(written: Path) -> None:
    overall = read_json(written)["sections"][0]
    decisions, rows = overall["decisions"], make_rows()
    undecided = [row for row in rows if row.decision == "indeterminate"]
    assert sum(decisions["indeterminate"].values()) == len(undecided)
    assert decisions["indeterminate"]["covid"] == sum(row.label for row in undecided)
    assert decisions["decided"]["n"] == 60 - len(undecided)
    assert {"sensitivity", "specificity", "f1_positive", "f1_negative"} <= set(
        decisions["decided"]["metrics"]
    )
    assert sum(overall["evaluation"]["confusion"].values()) == overall["evaluation"]["n"] == 60


def test_same_rows_same_bytes(report: Report, written: Path, tmp_path: Path) -> None:
    write_report(report, tmp_path)
    for name in FILES:
        assert (tmp_path / name).read_bytes() == (written / name).read_bytes(), name


def test_without_decisions_or_band() -> None:
    protocol = Protocol("b", "1", "", "external", threshold=0.3, resamples=10)
    rows = [Scored(f"{i}", i % 2, "one", f"{i}", 0.1 * i) for i in range(8)]
    found = to_json(to_report(rows, protocol))
    assert found["sections"][0]["decisions"] is None


def test_broken_run_leaves_what_was_there(
    report: Report, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "evaluation.json").write_text("old")

    def fail(*_: object, **__: object) -> None:
        raise OSError("no space")

    monkeypatch.setattr(plots, "plot_calibration", fail)
    with pytest.raises(OSError, match="no space"):
        write_report(report, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["evaluation.json"]
    assert (tmp_path / "evaluation.json").read_text() == "old"


def test_needs_no_torch() -> None:
    unwanted = "{'torch', 'onnxruntime', 'matplotlib.pyplot'}"
    code = f"import sys, covidct.evaluation.report_text; sys.exit(bool({unwanted} & {{*sys.modules}}))"
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=60).returncode == 0
