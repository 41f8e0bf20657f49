"""The page in Firefox ESR: the same answers, the viewer, nothing for axe to find."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest

from covidct.inference.classifier import Classifier
from covidct.series.study import read_study
from makers import png_bytes
from places import ROOT
from services.firefox import Firefox, firefox
from services.page_driver import L, N, series_files, shown

AXE = ROOT / "vendor" / "node_modules" / "axe-core" / "axe.min.js"
READY = "document.documentElement.dataset.ready"
DONE = "document.getElementById('work').hidden && 'drawn' in document.getElementById('stage').dataset"


@pytest.fixture(scope="module")
def fox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Firefox]:
    with firefox(tmp_path_factory.mktemp("firefox")) as running:
        yield running


def give(fox: Firefox, folder: Path, files: dict[str, bytes]) -> None:
    for name, data in files.items():
        (folder / name).write_bytes(data)
    fox.give([folder / name for name in files])
    fox.wait(DONE)


def test_firefox_answers_as_python_does(fox: Firefox, app_address: str, tmp_path: Path) -> None:
    fox.go(app_address)
    fox.wait(READY)
    files = series_files([N, L, L, N])
    give(fox, tmp_path, files)
    series = read_study(files.items()).series[0]
    expected = Classifier.load(precision="float").predict_series(series).result
    assert expected.probability is not None
    said = fox.run("return document.getElementById('detail-probability').textContent")
    assert float(said.rpartition(": ")[2].rstrip("%")) == pytest.approx(100 * expected.probability, abs=0.11)
    assert fox.run("return document.getElementById('detail').dataset.verdict") == expected.decision
    assert fox.run("return document.querySelectorAll('#strip .strip-bar').length") == 4


def test_firefox_has_the_viewer(fox: Firefox, app_address: str, tmp_path: Path) -> None:
    fox.go(app_address)
    fox.wait(READY)
    give(fox, tmp_path, series_files([N, L, L, N]))
    found = fox.run("""
      for (const key of ["Home", "ArrowRight", "s", "+"]) {
        document.getElementById("stage").dispatchEvent(new KeyboardEvent("keydown", { key }));
      }
      const marks = [...document.querySelectorAll("#pane .mark")].map((one) => one.textContent);
      await new Promise((go) => setTimeout(go, 1000));
      const right = [...document.querySelectorAll("main *")].map((one) => one.getBoundingClientRect().right);
      return {
        line: document.getElementById("slice-line").textContent,
        plain: document.getElementById("plain").getBoundingClientRect().width,
        sides: marks.slice(0, 4).join(""),
        overlay: document.getElementById("overlay").width,
        wide: Math.max(...right) <= innerWidth,
      };""")
    assert found["line"].startswith("Slice 2 of 4")
    assert found["plain"] > 100
    assert found["sides"] == "RLAP"
    assert found["overlay"] == 256
    assert found["wide"]


@pytest.mark.parametrize("scheme", ["dark", "light"])
def test_axe_finds_nothing_in_firefox(
    fox: Firefox, app_address: str, tmp_path: Path, scheme: Literal["light", "dark"]
) -> None:
    if not AXE.is_file():
        pytest.skip("axe-core is not here (run scripts/vendor)")
    fox.prefer(scheme)
    fox.go(app_address)
    fox.wait(READY)
    assert fox.run("return matchMedia('(prefers-color-scheme: dark)').matches") == (scheme == "dark")
    give(fox, tmp_path, {"one.png": png_bytes(shown(L)), "two.txt": b"hello"})
    source = AXE.read_text(encoding="utf-8")
    fox.run("(0, eval)(arguments[0])", source)
    assert fox.run("return (await axe.run(document)).violations.map(({ id }) => id)") == []


def test_back_in_firefox_has_the_results_or_says_that_they_are_gone(
    fox: Firefox, app_address: str, tmp_path: Path
) -> None:
    fox.go(app_address)
    fox.wait(READY)
    give(fox, tmp_path, {"one.png": png_bytes(shown(L))})
    fox.go("about:blank")
    fox.ask("WebDriver:Back")
    fox.wait(READY)
    results = fox.run("return document.querySelectorAll('#list li').length")
    said = fox.run("return document.getElementById('notice-text').textContent")
    assert results == 1 or "keeps no results" in said
