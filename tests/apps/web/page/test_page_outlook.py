"""What the page says of a series while it is read: shown as provisional, told, and never saved or printed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from places import ROOT
from services.browsers import visiting
from services.page_driver import L, N, give, save, series_files, wait

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

AXE = ROOT / "vendor" / "node_modules" / "axe-core" / "axe.min.js"
FILES = series_files([N, N, *[L] * 14, N, N])
# Nothing that a worker says after its first outlook arrives, until `release()`.
HOLDING = """(() => {
  const Real = Worker;
  const held = [];
  let isHolding = false;
  let isReleased = false;
  window.release = () => {
    [isHolding, isReleased] = [false, true];
    for (const go of held.splice(0)) go();
  };
  window.rearm = () => { isReleased = false; };
  window.Worker = class extends Real {
    set onmessage(take) {
      super.onmessage = (event) => {
        if (isHolding) return held.push(() => take(event));
        isHolding = !isReleased && Boolean(event.data.event?.outlook);
        return take(event);
      };
    }
  };
})()"""


@pytest.fixture(scope="module")
def kept(browser: Browser, app_address: str) -> Iterator[Page]:
    with visiting(browser, app_address) as page:
        page.add_init_script(HOLDING)
        page.reload()
        page.wait_for_selector("html[data-ready]")
        yield page


@pytest.fixture
def half_read(kept: Page) -> Iterator[Page]:
    """The page, with sixteen slices of a series of eighteen read, until `release()`."""
    kept.evaluate("rearm()")
    give(kept, FILES)
    kept.wait_for_selector("#detail-title:has-text('Provisional')")
    yield kept
    kept.evaluate("release()")
    kept.wait_for_selector("#work", state="hidden")
    kept.click("#clear")


def test_a_series_is_told_of_before_all_is_read(half_read: Page) -> None:
    page = half_read
    assert page.inner_text("#detail-title") == "Provisional, after 16 of 18 slices"
    assert page.inner_text("#detail-probability").startswith("So far: Positive, ")
    assert "not the answer yet" in page.inner_text("#detail-sentence")
    assert page.get_attribute("#detail", "data-verdict") == "reading"
    heard = page.text_content("#announcer")
    assert heard == f"{page.inner_text('#detail-title')}: {page.inner_text('#detail-probability')}"
    assert page.locator("#strip .strip-bar").count() == 16
    assert page.inner_text("#slice-line").startswith("Slice 10 of 18")  # the middle one, which came first
    page.evaluate("release()")
    wait(page)
    assert page.inner_text("#detail-title").startswith("Positive: evidence")
    assert page.inner_text("#detail-probability").startswith("Probability of COVID")
    assert page.locator("#strip .strip-bar").count() == 18


def test_what_is_provisional_is_neither_saved_nor_printed(half_read: Page) -> None:
    page = half_read
    records = save(page)
    assert [record["kind"] for record in records] == ["slice"] * 16
    places = [record["slice_index"] for record in records]
    assert places == sorted(places)
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.text_content("#report") == "No result is selected."
    page.evaluate("release()")
    wait(page)
    records = save(page)
    assert [record["slice_index"] for record in records] == [*range(18), None]
    assert [record["instance_uid"] for record in records[:18]] == [
        f"1.2.826.0.1.3680043.8.498.9.{at + 1}" for at in range(18)
    ]


@pytest.mark.parametrize(
    ("language", "title"),
    [("es", "Provisional, tras 16 de 18 cortes"), ("fr", "Provisoire, après 16 coupes sur 18")],
)
def test_what_is_provisional_is_so_in_each_language(half_read: Page, language: str, title: str) -> None:
    half_read.select_option("#language", language)
    half_read.wait_for_selector(f"#detail-title:has-text('{title}')")
    half_read.select_option("#language", "en")
    half_read.wait_for_selector("html[lang=en]")


def test_axe_finds_nothing_in_what_is_provisional(half_read: Page) -> None:
    if not AXE.is_file():
        pytest.skip("axe-core is not here (run scripts/vendor)")
    half_read.evaluate(AXE.read_text(encoding="utf-8"))
    for scheme in ("light", "dark"):
        half_read.emulate_media(color_scheme=scheme)
        found = half_read.evaluate("axe.run(document)")["violations"]
        assert not [(one["id"], [node["html"] for node in one["nodes"]]) for one in found]
