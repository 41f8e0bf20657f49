from __future__ import annotations

import runpy
from pathlib import Path

import numpy as np
from PIL import Image

from covidct.evaluation.card.checklists import to_markdown

ROOT = Path(__file__).resolve().parents[1]


def test_the_commands_page_is_what_the_program_says() -> None:
    text = runpy.run_path(str(ROOT / "scripts" / "docs"))["cli_text"]()
    assert (ROOT / "docs" / "cli.md").read_text(encoding="utf-8") == text, "run scripts/docs"


def test_the_package_holds_the_schema_of_results() -> None:
    name = "result.schema.json"
    assert (ROOT / "covidct" / "results" / name).read_bytes() == (ROOT / "docs" / name).read_bytes(), (
        "run scripts/docs"
    )


def test_the_checklists_are_those_of_the_program() -> None:
    assert (ROOT / "docs" / "checklists.md").read_text(encoding="utf-8") == to_markdown(), "run scripts/docs"


def test_the_examples_are_drawn_by_the_projects_own_code() -> None:
    drawn = runpy.run_path(str(ROOT / "scripts" / "examples"))["EXAMPLES"]
    assert set(drawn) == {path.name for path in (ROOT / "examples").glob("*.png")}
    for name, draw in drawn.items():
        kept = np.asarray(Image.open(ROOT / "examples" / name)).astype(int)
        # One grey level of room: rounding differs between processors.
        assert np.abs(kept - draw().astype(int)).max() <= 1, f"{name}: run scripts/examples"
