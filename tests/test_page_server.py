"""The page as `covidct serve` shows it: the same page, another engine."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from browsers import visiting
from covidct.phantom import Phantom, draw_phantom
from covidct.pipeline import Classifier
from covidct.window import to_display
from makers import ct_dataset, dicom_bytes, png_bytes
from test_page import give, read, series_files, wait

if TYPE_CHECKING:
    from playwright.sync_api import Browser

uvicorn = pytest.importorskip("uvicorn", reason="the extra serve is not installed")
server = pytest.importorskip("covidct.apps.server", reason="there is no server to ask")
settings = pytest.importorskip("covidct.apps.settings")

TOKEN = "a-token-for-tests-0123456789"
SLICE = png_bytes(to_display(draw_phantom(Phantom.LESIONS, seed=13, size=256)))


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    return Classifier.load(precision="float", threads=1)


@contextmanager
def running(classifier: Classifier, **options: Any) -> Iterator[tuple[str, Any]]:
    """A server's address, and what stops it."""
    app = server.Server(classifier, settings.Settings(**options)).app
    own = uvicorn.Server(uvicorn.Config(app, port=0, log_level="error", timeout_graceful_shutdown=1))
    thread = threading.Thread(target=own.run, daemon=True)
    thread.start()
    while not own.started:
        time.sleep(0.02)
    port = own.servers[0].sockets[0].getsockname()[1]
    try:
        yield f"http://127.0.0.1:{port}/", own
    finally:
        own.should_exit = True
        thread.join()


@pytest.fixture(scope="module")
def address(classifier: Classifier) -> Iterator[str]:
    with running(classifier) as (found, _):
        yield found


def test_slices_are_answered_by_the_server(browser: Browser, address: str, classifier: Classifier) -> None:
    with visiting(browser, address) as page:
        assert "127.0.0.1" in page.inner_text("#place")
        dicom = dicom_bytes(ct_dataset(draw_phantom(Phantom.LESIONS, seed=13, size=256)))
        records = read(page, {"<b>slice.png": SLICE, "slice.dcm": dicom, "notes.txt": b"hello"})
        by_path = {record["path"]: record for record in records}
        assert set(by_path) == {"<b>slice.png", "slice.dcm", "notes.txt"}
        assert by_path["<b>slice.png"]["decision"] == by_path["slice.dcm"]["decision"] == "positive"
        assert by_path["notes.txt"]["status"] == "error"
        page.click("#list li button:has-text('<b>slice.png')")
        page.wait_for_selector("#stage[data-drawn]")
        drawn = (
            "(id) => { const c = document.getElementById(id);"
            "const d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data;"
            "return d.filter((value, at) => at % 4 === 3 && value).length }"
        )
        page.wait_for_timeout(500)
        assert page.evaluate(drawn, "picture") == 256 * 256
        assert page.evaluate(drawn, "overlay") > 500


def test_a_series_is_answered_as_one(browser: Browser, address: str) -> None:
    kinds = [Phantom.NORMAL, Phantom.LESIONS, Phantom.LESIONS, Phantom.LESIONS]
    with visiting(browser, address) as page:
        records = read(page, series_files(kinds))
        assert records[-1]["kind"] == "series"
        assert page.locator("#list li").count() == 1
        assert page.locator("#strip .strip-bar").count() == 4


def test_a_token_is_asked_for_once(browser: Browser, classifier: Classifier) -> None:
    with (
        running(classifier, token=TOKEN) as (address, _),
        visiting(browser, address, faultless=False, ready=False) as page,
    ):
        for token, hint in (("wrong", "not right"), (TOKEN, "")):
            page.wait_for_selector("#token[open]")
            page.fill("#token-input", token)
            page.keyboard.press("Enter")
            if hint:
                page.wait_for_selector(f"#token-hint:has-text('{hint}')")
        page.wait_for_selector("html[data-ready]")
        assert len(read(page, {"slice.png": SLICE})) == 1
        assert TOKEN not in page.content()


def test_a_lost_connection_is_told_and_nothing_is_lost(browser: Browser, classifier: Classifier) -> None:
    with running(classifier) as (address, own), visiting(browser, address, faultless=False) as page:
        read(page, {"slice.png": SLICE})
        own.should_exit = True
        page.wait_for_timeout(1500)
        give(page, {"other.png": SLICE})
        page.wait_for_selector("#notice:not([hidden])")
        assert "connection to the server was lost" in page.inner_text("#notice-text")
        assert page.is_enabled("#pick-files")
        assert page.locator("#list li").count() == 1


def test_more_than_the_server_takes_is_not_sent(browser: Browser, classifier: Classifier) -> None:
    with running(classifier, files=2) as (address, _), visiting(browser, address) as page:
        give(page, {f"{at}.png": SLICE for at in range(3)})
        wait(page)
        assert "at most 2 are read" in page.inner_text("#notice-text")
        assert len(read(page, {"slice.png": SLICE})) == 1


def test_a_busy_server_is_told(browser: Browser, classifier: Classifier) -> None:
    with running(classifier, tasks=0) as (address, _), visiting(browser, address, faultless=False) as page:
        give(page, {"slice.png": SLICE})
        page.wait_for_selector("#notice:not([hidden])")
        assert "busy" in page.inner_text("#notice-text")
