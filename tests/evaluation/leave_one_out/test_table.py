from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from covidct.errors import ManifestError
from covidct.evaluation.leave_one_out.forest_plot import plot_standings
from covidct.evaluation.leave_one_out.table import read_standings, to_json, to_markdown, to_table
from figures.standings import make_standings


def test_the_json_is_read_back_as_it_was(tmp_path: Path) -> None:
    standings = make_standings()
    (tmp_path / "benchmark.json").write_text(json.dumps(to_json(standings), allow_nan=False))
    assert read_standings(tmp_path / "benchmark.json") == standings


def test_a_table_from_before_recipes_were_compared_is_read(tmp_path: Path) -> None:
    standings = make_standings()
    table = to_json(standings)
    del table["gains"]
    (tmp_path / "benchmark.json").write_text(json.dumps(table))
    assert read_standings(tmp_path / "benchmark.json") == replace(standings, gains=())


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"schema": 1}', '{"schema": 2, "protocol": {}}', "é"])
def test_what_is_no_benchmark_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "x.json").write_text(text, encoding="latin-1")
    with pytest.raises(ManifestError, match=r"x\.json: cannot be read as a benchmark .*covidct benchmark"):
        read_standings(tmp_path / "x.json")


def test_the_tables_tell_seeds_intervals_and_the_floor() -> None:
    text = to_markdown(make_standings())
    assert "| covid-ct | lung | 541 | 251 | 0.80, 0.82 | 0.81 (0.76–0.86) | 0.83 (0.78–0.88) |" in text
    assert "| covid-ct | mobile\\|net | 541" in text
    assert "| luna16 | lung | 541 | 0 | – | – | – | – | 0.60 (0.50–0.70) |" in text
    assert text.index("| no pixel | 0.97") < text.index("| border | 0.75") < text.index("| marks | 0.50 |")
    assert "| covid-ct | lung | mobile\\|net | 0.210 (0.130–0.290) |" in text
    shown = to_table(make_standings())
    assert "lung above mobile|net  AUC by 0.210 (0.130–0.290)" in shown
    assert "| 0.10 (0.05–0.15) | 0.88 (0.80–0.93) | 0.77 (0.70–0.85) | 0.30 (0.25–0.35) |" in text
    assert "sets hold COVID-19 0.88 (0.80–0.93), other 0.77 (0.70–0.85), both 0.30" in shown
    assert "Without covid-ct: 541 slices, 251 with COVID-19" in shown
    assert max(len(line) for line in shown.splitlines()) <= 110


def test_the_plot_is_drawn_with_and_without_intervals(tmp_path: Path) -> None:
    plot_standings(make_standings(), tmp_path / "a.png")
    plot_standings(replace(make_standings(), floors={}), tmp_path / "b.png")
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")
    assert (tmp_path / "a.png").read_bytes() != (tmp_path / "b.png").read_bytes()
