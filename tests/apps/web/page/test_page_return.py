"""The page when a line or a server is gone for a moment, after a reload, and when a new version comes."""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from services.browsers import Handler, eventually, remembering, serving, visiting
from services.page_driver import GOOD, L, N, give, read, save, series_files, wait
from services.raw_requests import SLOW
from services.relays import relaying
from services.servers import BRIGHT, Process
from services.servers import serving as serving_api

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Dialog, Page, Route


@pytest.fixture(scope="module")
def slow(tiny_bundle: Path) -> Iterator[Process]:
    """`covidct serve` that takes a second a slice."""
    with serving_api(tiny_bundle, code=SLOW) as running:
        yield running


def test_a_line_that_is_gone_for_a_moment_costs_nothing(browser: Browser, slow: Process) -> None:
    with relaying(slow.port) as relay, visiting(browser, relay.url, faultless=False) as page:
        give(page, {f"{at}.png": BRIGHT for at in range(6)})
        page.wait_for_selector("#work-text:has-text('Reading')")
        relay.cut()
        page.wait_for_selector("#work-text:has-text('Trying again')")
        relay.mend()
        wait(page)
        assert page.is_hidden("#notice")
        assert [record["path"] for record in save(page)] == [f"{at}.png" for at in range(6)]


@pytest.mark.parametrize("address", ["**/api/jobs", "**/api/jobs/*", "**/api/jobs/*/results"])
def test_a_502_of_a_proxy_is_tried_again(browser: Browser, slow: Process, address: str) -> None:
    with visiting(browser, f"{slow.url}/", faultless=False) as page:
        asked: list[str] = []

        def answer(route: Route) -> None:
            asked.append(route.request.method)
            if len(asked) < 3 and route.request.method != "DELETE":
                route.fulfill(status=502, body="Bad Gateway")
            else:
                route.fallback()

        page.route(address, answer)
        assert [record["path"] for record in read(page, {"a.png": BRIGHT})] == ["a.png"]
        assert page.is_hidden("#notice")
        assert len(asked) >= 3


def test_a_job_that_the_server_forgot_is_told(browser: Browser, slow: Process) -> None:
    with visiting(browser, f"{slow.url}/", faultless=False) as page:
        page.route("**/api/jobs/*/slices/1", lambda route: route.fulfill(status=404, body="{}"))
        read(page, {f"{at}.png": BRIGHT for at in range(2)})
        page.click("#list li:nth-child(2) button")
        page.wait_for_selector("#stage-text:has-text('no longer has these files')")


def test_a_page_that_comes_back_asks_whether_its_files_are_there(browser: Browser, slow: Process) -> None:
    with visiting(browser, f"{slow.url}/", faultless=False) as page:
        read(page, {"a.png": BRIGHT})
        again = "dispatchEvent(new PageTransitionEvent('pageshow', { persisted: true }))"
        page.evaluate(again)
        page.wait_for_timeout(500)
        assert page.is_hidden("#notice")  # they are
        page.route("**/api/jobs/*", lambda route: route.fulfill(status=404, body="{}"))
        page.evaluate(again)
        page.wait_for_selector("#notice-text:has-text('The answers are still here')")
        assert page.locator("#list li").count() == 1


PERSISTED = "addEventListener('pageshow', ({ persisted }) => { globalThis.persisted = persisted; })"


def test_back_after_leaving_has_results_and_pictures(browser: Browser, app_address: str) -> None:
    with remembering(browser) as chromium, visiting(chromium, app_address) as page:
        read(page, series_files([N, L, L]))
        page.evaluate(PERSISTED)
        page.goto("about:blank")
        page.go_back(wait_until="commit")
        eventually(lambda: is_so(page, "globalThis.persisted === true"))
        assert page.is_hidden("#notice")
        page.focus("#stage")
        page.keyboard.press("Home")
        page.wait_for_selector("#stage[data-drawn='0']")
        assert page.inner_text("#slice-line").startswith("Slice 1 of 3")
        assert len(read(page, {"again.png": GOOD})) == 1  # the workers, too, have come back


def test_back_after_the_server_forgot_is_told(browser: Browser, slow: Process) -> None:
    address = f"{slow.url}/"
    with remembering(browser) as chromium, visiting(chromium, address, faultless=False) as page:
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        read(page, {"a.png": BRIGHT})
        page.evaluate(PERSISTED)
        page.goto("about:blank")
        (job,) = [url for url in asked if re.search("/api/jobs/[^/]+$", url)][-1:]
        page.request.delete(job)
        page.go_back(wait_until="commit")
        eventually(lambda: is_so(page, "globalThis.persisted === true"))
        page.wait_for_selector("#notice-text:has-text('The answers are still here')")
        assert page.locator("#list li").count() == 1


def test_results_that_were_not_saved_are_not_lost_by_accident(browser: Browser, app_address: str) -> None:
    with visiting(browser, app_address) as page:
        asked: list[str] = []

        def accept(dialog: Dialog) -> None:
            asked.append(dialog.type)
            dialog.accept()

        page.on("dialog", accept)
        give(page, {"a.png": GOOD})
        wait(page)
        page.click("#stage")  # a browser asks only where a person has done something
        page.reload()
        page.wait_for_selector("#notice-text:has-text('keeps no results')")
        assert asked == ["beforeunload"]
        read(page, {"a.png": GOOD})  # and saved
        page.reload()
        page.wait_for_selector("#notice-text:has-text('keeps no results')")
        assert asked == ["beforeunload"]
        page.reload()
        page.wait_for_selector("html[data-ready]")
        assert page.is_hidden("#notice")  # there were none


def open_offline(page: Page, address: str) -> None:
    page.goto(address)
    page.wait_for_selector("#offline:not([hidden])")


def test_a_new_version_is_taken_by_a_button(browser: Browser, web_app: Path, tmp_path: Path) -> None:
    folder = tmp_path / "app"
    shutil.copytree(web_app, folder)
    context = browser.new_context(locale="en-GB")
    page = context.new_page()
    with serving(folder) as address:
        open_offline(page, address)
        style = folder / "style.css"
        style.write_text(style.read_text(encoding="utf-8") + "\n.bar h1 { letter-spacing: 7px; }\n")
        rewrite_list(folder)
        page.reload()
        spacing = "getComputedStyle(document.querySelector('.bar h1')).letterSpacing"
        page.wait_for_selector("#update")
        assert page.evaluate(spacing) != "7px"
        page.click("#update")
        eventually(lambda: is_so(page, f"{spacing} === '7px'"))
        page.wait_for_selector("html[data-ready]")
        assert page.locator("#update").count() == 0
    context.close()


def is_so(page: Page, expression: str) -> bool:
    """Whether it is, on a page that may be loading."""
    from playwright.sync_api import Error

    try:
        return bool(page.evaluate(expression))
    except Error:
        return False


def rewrite_list(folder: Path) -> None:
    """Name the files anew, as `covidct web-app` does for another version."""
    from covidct.apps.web import static_app

    worker = folder / "sw.js"
    text = worker.read_text(encoding="utf-8")
    start = text.index('const VERSION = "')
    old = text[start : text.index(";", start) + 1]
    worker.write_text(text.replace(old, 'const VERSION = "unversioned";'), encoding="utf-8")
    (folder / static_app.MARK).unlink()
    static_app._write_list(folder)


class Closing(Handler):
    """A host whose connections do not outlive it."""

    protocol_version = "HTTP/1.0"


class Sparing(Handler):
    """A host that refuses files of some names."""

    def do_GET(self) -> None:
        if self.path.endswith((".webmanifest", "icon-512.png", ".zip")):
            self.send_error(404)
        else:
            super().do_GET()


def test_files_that_a_host_refuses_do_not_break_the_copy(browser: Browser, web_app: Path) -> None:
    context = browser.new_context(locale="en-GB")
    page = context.new_page()
    with serving(web_app, handler=Sparing) as address:
        open_offline(page, address)
    page.reload()
    page.wait_for_selector("html[data-ready]")
    assert len(read(page, {"slice.png": GOOD})) == 1
    context.close()


def test_a_server_takes_the_place_of_a_page_that_was_kept(
    browser: Browser, web_app: Path, tiny_bundle: Path
) -> None:
    context = browser.new_context(locale="en-GB")
    page = context.new_page()
    with serving(web_app, handler=Closing) as address:
        open_offline(page, address)
    port = address.rstrip("/").rpartition(":")[2]
    with serving_api(tiny_bundle, "--port", port):
        page.goto(address)
        eventually(lambda: is_so(page, "document.getElementById('place').textContent.includes('server')"))
        page.wait_for_selector("html[data-ready]")
        assert page.evaluate("navigator.serviceWorker.getRegistrations().then((all) => all.length)") == 0
        assert page.evaluate("caches.keys().then((all) => all.length)") == 0
    context.close()


def test_opened_as_a_file_it_says_what_to_do(browser: Browser, web_app: Path) -> None:
    page = browser.new_page()
    page.goto((web_app / "index.html").as_uri())
    page.wait_for_selector("#unstarted", state="visible", timeout=15_000)
    assert "python -m http.server" in page.inner_text("#unstarted")
    page.close()


class Mistyping(Handler):
    """A host that takes scripts for text."""

    extensions_map = {**Handler.extensions_map, ".js": "text/plain"}  # noqa: RUF012


def test_scripts_of_the_wrong_type_are_told_of(browser: Browser, web_app: Path) -> None:
    page = browser.new_page()
    with serving(web_app, handler=Mistyping) as address:
        page.goto(address)
        page.wait_for_selector("#unstarted", state="visible", timeout=15_000)
        assert "text/javascript" in page.inner_text("#unstarted")
    page.close()


def test_a_page_that_starts_does_not_say_that_it_has_not(browser: Browser, app_address: str) -> None:
    with visiting(browser, app_address) as page:
        time.sleep(6)
        assert page.is_hidden("#unstarted")
