from __future__ import annotations

import numpy as np
import pytest

from covidct.evaluation.report import Protocol, Report, to_report
from covidct.evaluation.report_text import to_markdown, to_markdown_points, to_table
from covidct.evaluation.sections import Scored
from covidct.types import OperatingPoint
from figures.points import POINT

POINTS = (
    POINT,
    OperatingPoint("high_sensitivity", 0.3, (0.2, 0.6), 0.97, 0.6, (0.05, 0.1), (0.98, 0.9)),
)


def make_report(*, decisions: bool = True) -> Report:
    random, rows = np.random.default_rng(0), []
    for i in range(80):
        source = "a-hospital|with-a-rather-long-name" if i < 40 else "screening"
        label = i % 2 if i < 40 else 0
        p = float(np.clip(random.normal(0.3 + 0.4 * label, 0.2), 0, 1))
        decision = "indeterminate" if 0.4 < p < 0.6 else "positive" if p >= 0.5 else "negative"
        patient = f"p{i}" if i < 40 else ""
        rows.append(Scored(f"{i}.png", label, source, patient, p, decision if decisions else None))
    protocol = Protocol("b", "1", "", "test", threshold=0.5, band=(0.4, 0.6), resamples=50, points=POINTS)
    return to_report(rows, protocol)


def test_table_is_aligned_and_fits() -> None:
    lines = to_table(make_report()).splitlines()
    assert max(len(line) for line in lines) <= 100
    head, overall, hospital, screening = lines[:4]
    assert overall.startswith("overall ")
    assert hospital.startswith("a-hospital|with-a-r… ")
    for line in (overall, hospital):
        assert line[head.index("AUC")] in "01"
        assert line[head.index("sensitivity")] in "01"
        assert line[head.index("specificity") - 2 : head.index("specificity")] == "  "
    assert screening[head.index("AUC")] == "–"
    assert screening[head.index("specificity")] in "01"


def test_table_has_the_decided_and_the_notes() -> None:
    text = to_table(make_report())
    assert "indeterminate  " in text
    assert "screening: no patient ids: intervals over slices, too narrow." in text
    assert "Threshold 0.500, indeterminate from 0.400 to 0.600." in text
    assert "decided only" not in to_table(make_report(decisions=False))


@pytest.mark.parametrize("decisions", [True, False])
def test_markdown_tables_are_whole(decisions: bool) -> None:
    parts = to_markdown(make_report(decisions=decisions)).strip().split("\n\n")
    tables, notes = parts[:-1], parts[-1].splitlines()
    assert len(tables) == 1 + decisions
    for table in tables:
        lines = [line.replace(r"\|", "") for line in table.splitlines()]
        assert len(lines) == 5
        assert len({line.count("|") for line in lines}) == 1
    assert "- screening: no COVID-19 slices: specificity only, AUC is undefined" in notes


def test_each_operating_point_has_its_figures() -> None:
    report = make_report()
    text, parts = to_table(report), to_markdown_points(report).split("Operating point *")[1:]
    assert [part.split("*")[0] for part in parts] == ["balanced", "high_sensitivity"]
    for place, part in enumerate(parts):
        lines = [line.replace(r"\|", "") for line in part.splitlines() if line.startswith("|")]
        assert len(lines) == 5
        assert len({line.count("|") for line in lines}) == 1
        assert lines[0].endswith("| PPV at 0.05 | NPV at 0.05 | PPV at 0.5 | NPV at 0.5 |")
        for estimate in (
            *report.overall.points[place].figures.values(),
            *(one for worth in report.overall.points[place].worths for one in (worth.ppv, worth.npv)),
        ):
            assert estimate.to_text() in part
            assert estimate.to_text() in text
    assert "ECE " in text
    assert "by chance" in text


def test_markdown_gives_both_classes_with_intervals() -> None:
    report = make_report()
    text = to_markdown(report)
    for name in ("sensitivity", "specificity", "f1_positive", "f1_negative", "auc", "brier"):
        estimate = report.overall.evaluation.metrics[name]
        assert estimate.low is not None
        assert estimate.to_text() in text
    assert "| screening | 40 | 0 | – | – | – |" in text
