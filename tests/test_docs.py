from __future__ import annotations

import re
import runpy
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from covidct import __version__
from covidct.evaluation.card.checklists import to_markdown
from makers import phantom_hu, write_dicom
from places import ROOT
from stacks import save, stack, volume

REFERENCE = ROOT / "docs" / "reference"
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "examples").glob("*.md")])
NAMES = [path.relative_to(ROOT).as_posix() for path in PAGES]
WIDEST = 100
# Made by the program.
UNWRAPPED = {"docs/reference/cli.md"}
NUMBER = re.compile(r"\d+\.\d+")
LINK = re.compile(r"\]\(([^)\s]+)\)")
PLACES = ("covidct", "docs", "examples", "recipes", "scripts", "studies", "benchmarks", "tests", "fuzz")
MENTION = re.compile(r"\bdocs/[\w./-]+\.(?:md|json|png)\b")
CODE = re.compile(r"`((?:covidct|tests|studies|scripts|recipes|benchmarks)/[\w./-]+)`")
# Logs name files of their day.
PAST = {"CHANGELOG.md", "docs/research/experiments.md", "docs/research/models.md"}


def prose(path: Path) -> Iterator[tuple[int, str]]:
    """The lines of a page that are no code, with their numbers."""
    fenced = False
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        if line.lstrip().startswith("```"):
            fenced = not fenced
        elif not fenced:
            yield number, line


def anchors(path: Path) -> set[str]:
    """What GitHub calls the headings of a page."""
    titles = (line.lstrip("# ") for _, line in prose(path) if line.startswith("#"))
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("name", NAMES)
def test_every_link_leads_somewhere(name: str) -> None:
    page = ROOT / name
    for number, line in prose(page):
        for link in LINK.findall(line):
            file, _, anchor = link.partition("#")
            if re.match(r"[a-z]+:", link):
                continue
            target = (page.parent / file).resolve() if file else page
            assert target.exists(), f"{name}:{number}: {link}"
            assert not anchor or anchor in anchors(target), f"{name}:{number}: no heading for {link}"


@pytest.mark.parametrize("name", sorted(set(NAMES) - UNWRAPPED))
def test_prose_is_wrapped(name: str) -> None:
    """Tables, headings, code and lines that are one link or picture may be longer."""
    for number, line in prose(ROOT / name):
        if not line.startswith(("|", "#", "![", "<!--")) and " " in line.strip():
            assert len(line) <= WIDEST, f"{name}:{number}: {len(line)} characters"


def test_every_page_that_a_file_names_is_there() -> None:
    """In code, recipes and scripts: `docs/guide/predict.md`."""
    files = [path for place in PLACES for path in (ROOT / place).rglob("*") if path.is_file()]
    for file in files:
        if file.suffix in (".py", ".js", ".toml", ".json", ".md", "") and "model" not in file.parts:
            for named in MENTION.findall(file.read_text(encoding="utf-8", errors="ignore")):
                assert (ROOT / named).exists(), f"{file.relative_to(ROOT)} names {named}"


@pytest.mark.parametrize("name", sorted(set(NAMES) - PAST))
def test_every_file_that_a_page_names_is_there(name: str) -> None:
    for number, line in prose(ROOT / name):
        for named in CODE.findall(line):
            assert (ROOT / named).exists(), f"{name}:{number}: {named}"


def test_the_architecture_page_says_where_things_are() -> None:
    """A name without an ending is a function or class of the file before it."""
    table = (REFERENCE / "architecture.md").read_text(encoding="utf-8").partition("## Where is")[2]
    for places in re.findall(r"^\| [^|]+ \| (`[^|]+) \|$", table, re.MULTILINE):
        file = ROOT / "covidct"
        for named in re.findall("`([^`]+)`", places):
            if named.isidentifier():
                assert re.search(rf"(def|class) {named}\b", file.read_text(encoding="utf-8")), named
            else:
                file = ROOT / "covidct" / named if "/" in named else file.with_name(named)
                assert file.exists(), named


@pytest.fixture(scope="module")
def made() -> dict[str, Any]:
    """What scripts/docs defines."""
    return runpy.run_path(str(ROOT / "scripts" / "docs"))


def test_the_commands_page_is_what_the_program_says(made: dict[str, Any]) -> None:
    assert (REFERENCE / "cli.md").read_text(encoding="utf-8") == made["cli_text"](), "run scripts/docs"


def test_the_models_page_holds_the_bundles_figures(made: dict[str, Any]) -> None:
    text = (REFERENCE / "model.md").read_text(encoding="utf-8")
    assert text == made["model"]["model_page"](), "run scripts/docs"


@pytest.mark.parametrize("name", NAMES)
def test_what_commands_print_is_what_a_page_shows(name: str, made: dict[str, Any]) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    again = made["page_text"](text)
    assert NUMBER.sub("", text) == NUMBER.sub("", again), "run scripts/docs"
    # The last digit may differ between processors.
    pairs = zip(NUMBER.findall(text), NUMBER.findall(again), strict=True)
    assert all(abs(float(shown) - float(now)) <= 0.002 for shown, now in pairs), "run scripts/docs"


def blocks(path: Path) -> list[str]:
    """The Python examples of a page."""
    return re.findall(r"```python\n(.*?)```", path.read_text(encoding="utf-8"), re.DOTALL)


@pytest.mark.parametrize("name", [name for name in NAMES if blocks(ROOT / name)])
def test_python_examples_run(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for picture in ("slice.png", "a.png"):
        shutil.copy(ROOT / "examples" / "synthetic-lesions.png", picture)
    write_dicom(tmp_path / "b.dcm", phantom_hu(size=128))
    save(tmp_path / "study", stack(volume(4, size=128)))
    if "pyarrow" in (ROOT / name).read_text(encoding="utf-8"):
        parquet = pytest.importorskip("pyarrow.parquet", reason="needs pip install 'covidct[scale]'")
        table = pytest.importorskip("pyarrow").table({"kind": ["slice", "series"]})
        parquet.write_to_dataset(table, tmp_path / "table" / "results")
    for block in blocks(ROOT / name):
        exec(compile(block, name, "exec"), {})


def test_the_readme_fits_on_a_page_or_two() -> None:
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 120


def test_the_version_is_the_same_everywhere() -> None:
    assert f'version = "{__version__}"' in (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert f"version: {__version__}\n" in (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert f"## [{__version__}] - " in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def test_the_package_holds_the_schema_of_results() -> None:
    name = "result.schema.json"
    assert (ROOT / "covidct" / "results" / name).read_bytes() == (REFERENCE / name).read_bytes(), (
        "run scripts/docs"
    )


def test_the_checklists_are_those_of_the_program() -> None:
    assert (REFERENCE / "checklists.md").read_text(encoding="utf-8") == to_markdown(), "run scripts/docs"


def test_the_examples_are_drawn_by_the_projects_own_code() -> None:
    drawn = runpy.run_path(str(ROOT / "scripts" / "examples"))["EXAMPLES"]
    assert set(drawn) == {path.name for path in (ROOT / "examples").glob("*.png")}
    for name, draw in drawn.items():
        kept = np.asarray(Image.open(ROOT / "examples" / name)).astype(int)
        # One grey level of room: rounding differs between processors.
        assert np.abs(kept - draw().astype(int)).max() <= 1, f"{name}: run scripts/examples"
