"""The page of figures holds what was measured. Nothing is measured here."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks.nodes import FINDER, NETWORK, REST, SCALING, to_group, to_rows
from benchmarks.performance_page import PAGE, fill, graphs_table, nodes_table, programs_table
from covidct.evaluation.markdown import to_markdown_table
from places import ROOT

MEASURED = json.loads((ROOT / "docs" / "measured" / "performance.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    ("key", "table"), [("graphs", graphs_table), ("nodes", nodes_table), ("programs", programs_table)]
)
def test_the_page_holds_what_was_measured(key: str, table: Any) -> None:
    made = to_markdown_table(*table(MEASURED[key]))
    assert f"<!-- benchmarks/run: {key} -->\n\n{made}\n\n" in PAGE.read_text(encoding="utf-8"), (
        "run benchmarks/run --page-only"
    )


def test_ratios_are_of_rounds_and_shares_of_the_limit() -> None:
    graphs = {
        "ms": {"product of matrices": [10.0, 10.0], "covidct, float": [5.0, 10.0], "other": [10.0, 20.0]},
        "gflop": {"product of matrices": 1.0, "covidct, float": 0.375},
        "skipped": {"Keras": "keras is not installed"},
    }
    _, rows = graphs_table(graphs)
    assert rows[1] == ("covidct, float", "7.5", "1.00", "0.38", "50%")
    assert rows[2] == ("other", "15.0", "2.00", "", "")
    assert rows[3][:2] == ("Keras", "left out: keras is not installed")


def test_programs_are_compared_on_as_many_cores() -> None:
    def taken(wall: float) -> list[dict[str, float]]:
        return [{"wall": wall, "processor": 2 * wall, "memory": 100.4}]

    raced = {"covidct, 1 core": taken(4), "covidct, 2 cores": taken(2), "PyTorch loop, 2 cores": taken(8)}
    _, rows = programs_table({"series": raced})
    assert [row[3] for row in rows] == ["1.0", "1.0", "4.0"]
    assert rows[2] == ("series", "PyTorch loop, 2 cores", "8.00", "4.0", "16.00", "100")


def test_a_page_without_a_place_for_a_table_is_told(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("before\n\n<!-- benchmarks/run: one -->\n\nold\nold\n\nafter\n", encoding="utf-8")
    fill(page, {"one": "new"})
    assert page.read_text(encoding="utf-8") == "before\n\n<!-- benchmarks/run: one -->\n\nnew\n\nafter\n"
    with pytest.raises(ValueError, match=r"page\.md: has no <!-- benchmarks/run: other -->"):
        fill(page, {"other": "new"})


def test_nodes_are_grouped_by_kind_and_medians_taken() -> None:
    assert to_group("Resize", FINDER) == SCALING
    assert to_group("Conv", FINDER) == FINDER
    assert to_group("QLinearConv", NETWORK) == NETWORK
    assert to_group("GatherElements", NETWORK) == REST
    events: list[dict[str, object]] = [
        {"cat": "Node", "name": "a_kernel_time", "dur": took, "args": {"op_name": "Conv"}}
        for took in (1, 9, 3)
    ]
    assert to_rows([{"cat": "Session", "name": "run", "dur": 5}, *events]) == [("a", "Conv", 0.003)]
