"""What tests of the page stand on: a static server, Chromium, and pages in which everything is watched."""

from __future__ import annotations

import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

POLICY = (
    "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; img-src 'self' blob: data:; "
    "connect-src 'self'; worker-src 'self'; manifest-src 'self'"
)
# The second: tests read canvases back, which the page does not.
NOISE = ("Service Worker registration blocked by Playwright", "Multiple readback operations")


class Handler(SimpleHTTPRequestHandler):
    """Files as any static host gives them, under the policy that docs/guide/web-page.md advises."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *args: Any) -> None:
        """Nothing: tests have their own output."""

    def end_headers(self) -> None:
        self.send_header("Content-Security-Policy", POLICY)
        self.send_header("Cache-Control", "no-cache")
        super().end_headers()


@contextmanager
def serving(folder: Path, *, handler: type[Handler] = Handler) -> Iterator[str]:
    """The address of a folder, served while the context lasts."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(handler, directory=str(folder)))
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def launching() -> Iterator[Browser]:
    """Chromium without a window; skips where it or Playwright is missing."""
    playwright = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed (extra dev)")
    path = _find_chromium()
    with playwright.sync_playwright() as running:
        browser = running.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


@contextmanager
def remembering(browser: Browser) -> Iterator[Browser]:
    """One like `browser` that keeps pages that were left, as people's do; Playwright switches that off."""
    forgets = ["--disable-back-forward-cache"]
    kind = browser.browser_type
    other = kind.launch(executable_path=_find_chromium(), args=["--no-sandbox"], ignore_default_args=forgets)
    yield other
    other.close()


@contextmanager
def keeping(browser: Browser, profile: Path) -> Iterator[Page]:
    """A page of a browser that keeps what it is given in a folder, as people's do."""
    kind = browser.browser_type
    context = kind.launch_persistent_context(
        profile, executable_path=_find_chromium(), args=["--no-sandbox"], locale="en-GB"
    )
    page = context.new_page()
    page.set_default_timeout(120_000)
    yield page
    context.close()


def _find_chromium() -> str:
    path = os.environ.get("COVIDCT_CHROMIUM") or shutil.which("chromium")
    if path is None:
        pytest.skip("no Chromium here (apt install chromium, or set COVIDCT_CHROMIUM)")
    return path


class Watch:
    """What a page asked for and complained about."""

    def __init__(self, context: BrowserContext):
        self.addresses: list[str] = []
        self.faults: list[str] = []
        context.on("request", lambda request: self.addresses.append(request.url))
        context.on("weberror", lambda error: self.faults.append(str(error.error)))
        context.on("console", lambda message: self._note(message.type, message.text))

    def _note(self, kind: str, text: str) -> None:
        if kind in ("error", "warning") and not any(noise in text for noise in NOISE):
            self.faults.append(text)

    def foreign(self, address: str) -> list[str]:
        """Requests to anything but `address` and what the page itself holds."""
        own = (address, "blob:", "data:")
        return [url for url in self.addresses if not url.startswith(own)]


@contextmanager
def visiting(
    browser: Browser, address: str, *, faultless: bool = True, ready: bool = True, **options: Any
) -> Iterator[Page]:
    """A page at `address`, and `ready`; afterwards checked for complaints and for requests to other hosts."""
    context = browser.new_context(locale="en-GB", **({"service_workers": "block"} | options))
    watch = Watch(context)
    page = context.new_page()
    page.set_default_timeout(120_000)
    page.goto(address)
    if ready:
        page.wait_for_selector("html[data-ready]")
    try:
        yield page
    finally:
        context.close()
    assert not watch.foreign(address)
    assert not (faultless and watch.faults), watch.faults


def eventually(is_so: Callable[[], bool], *, seconds: float = 20) -> None:
    """Wait until it is so."""
    ends = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < ends, "it never is so"
        time.sleep(0.05)
