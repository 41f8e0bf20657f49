"""What a browser keeps after the page was used, in its profile on disk: nothing of a patient.

Files are called by neutral names here: names of files are shown, so they stand in what the page draws.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from marked import find_secrets, make_inputs, marked_dicom
from services.browsers import keeping
from services.page_driver import give, wait
from services.servers import serving

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

# All that a page can keep in a browser, as one text.
KEPT = """async () => {
    const kept = [document.cookie, location.href, JSON.stringify(history.state), document.title];
    kept.push(JSON.stringify(localStorage), JSON.stringify(sessionStorage), window.name);
    kept.push(JSON.stringify(await indexedDB.databases()));
    for (const name of await caches.keys()) {
        for (const request of await (await caches.open(name)).keys()) kept.push(name + " " + request.url);
    }
    return kept.join("\\n");
}"""
FILES = {f"{number}.dcm": marked_dicom(number) for number in (1, 2, 3)} | {
    name: data for name, data in make_inputs().items() if name != "volume.nii.gz"
}


def test_a_browser_keeps_nothing_of_a_patient(
    browser: Browser, app_address: str, tiny_bundle: Path, tmp_path: Path
) -> None:
    """Neither where the browser reads the files, nor where a server does, whose job it remembers."""
    profile = tmp_path / "profile"
    with serving(tiny_bundle) as server, keeping(browser, profile) as page:
        for address in (app_address, server.url):
            assert find_secrets(use(page, address)) == []
        assert find_secrets(server.log) == []
    written = {path: path.read_bytes() for path in profile.rglob("*") if path.is_file()}
    # What it does keep is found, so that a patient would be: the language that was chosen.
    assert any(
        b"covidct" in data and b"fr" in data for path, data in written.items() if "Local Storage" in str(path)
    )
    assert {str(path): found for path, data in written.items() if (found := find_secrets(data))} == {}


def use(page: Page, address: str) -> str:
    """Choose a language, give the files, look at an answer and save it; what the page then keeps."""
    page.goto(address)
    page.wait_for_selector("html[data-ready]")
    page.select_option("#language", "fr")
    give(page, FILES)
    wait(page)
    kept: str = page.evaluate(KEPT)
    assert "covidct" in kept
    return kept
