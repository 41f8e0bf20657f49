"""The page as `covidct serve` shows it: the same page, another engine, and a server that can be lost."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from covidct.images.hounsfield import WINDOWS, to_display
from covidct.images.phantoms.landscape import draw_picture
from covidct.images.phantoms.slice import draw_phantom
from covidct.inference.bundle import default_path
from makers import ct_dataset, dicom_bytes, png_bytes
from services.browsers import eventually, visiting
from services.page_driver import (
    BAD,
    L,
    N,
    bomb,
    check_names_are_only_shown,
    give,
    read,
    save,
    series_files,
    shown,
    wait,
)
from services.raw_requests import SLOW, ask
from services.relays import relaying
from services.servers import BRIGHT, RUN, Process, serving

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Dialog, Page

TOKEN = "a-token-for-tests-0123456789"
SLICE = png_bytes(shown(L))
# What a canvas shows: the mean of its red, and how many of its pixels are not clear.
SEEN = """(id) => {
  const canvas = document.getElementById(id);
  const data = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
  let red = 0, opaque = 0;
  for (let at = 0; at < data.length; at += 4) { red += data[at]; opaque += data[at + 3] > 0; }
  return { mean: red / (data.length / 4), opaque };
}"""
LARGE = 24_000_000


def set_up(**settings: Any) -> str:
    """What a server runs that differs in settings which have no option."""
    return (
        "from dataclasses import replace; from covidct.apps.web import serve; original = serve.to_settings\n"
        f"serve.to_settings = lambda *given: replace(original(*given), **{settings!r})\n{RUN}"
    )


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file that takes a while to send."""
    path = tmp_path_factory.mktemp("large") / "large.dcm"
    path.write_bytes(bytes(LARGE))
    return path


@pytest.fixture(scope="module")
def shipped() -> Iterator[Process]:
    """`covidct serve` with the model that ships."""
    with serving(default_path()) as running:
        yield running


@pytest.fixture(scope="module")
def tiny(tiny_bundle: Path) -> Iterator[Process]:
    """`covidct serve` with a model that takes no time."""
    with serving(tiny_bundle) as running:
        yield running


def number_of(server: Process, counter: str) -> float:
    """What the server counts."""
    found = re.search(rf"^{counter} (\S+)$", ask(server, "/metrics")[1].decode(), re.MULTILINE)
    assert found
    return float(found.group(1))


def notice(page: Page) -> str:
    page.wait_for_selector("#notice:not([hidden])")
    page.wait_for_selector("#work", state="hidden")
    return page.inner_text("#notice-text")


def wait_for_mean(page: Page, mean: float) -> None:
    """Until the picture has that mean grey level."""
    eventually(lambda: abs(page.evaluate(SEEN, "picture")["mean"] - mean) < 0.01)


def test_slices_are_answered_by_the_server(browser: Browser, shipped: Process) -> None:
    with visiting(browser, f"{shipped.url}/") as page:
        assert "127.0.0.1" in page.inner_text("#place")
        dicom = dicom_bytes(ct_dataset(draw_phantom(L, seed=13, size=256)))
        records = read(page, {"<b>slice.png": SLICE, "slice.dcm": dicom, "notes.txt": b"hello"})
        by_path = {record["path"]: record for record in records}
        assert set(by_path) == {"<b>slice.png", "slice.dcm", "notes.txt"}
        assert by_path["<b>slice.png"]["decision"] == by_path["slice.dcm"]["decision"] == "positive"
        assert by_path["notes.txt"]["status"] == "error"
        page.click("#list li button:has-text('<b>slice.png')")
        page.wait_for_selector("#stage[data-drawn='0']")
        assert page.evaluate(SEEN, "picture")["opaque"] == 256 * 256
        assert page.evaluate(SEEN, "overlay")["opaque"] > 500


def test_a_series_is_answered_as_one(browser: Browser, shipped: Process) -> None:
    with visiting(browser, f"{shipped.url}/") as page:
        records = read(page, series_files([N, L, L, L]))
        assert records[-1]["kind"] == "series"
        assert page.locator("#list li").count() == 1
        assert page.locator("#strip .strip-bar").count() == 4


def test_a_series_is_worded_in_the_language_of_the_page(browser: Browser, shipped: Process) -> None:
    """Notes and message, those of results that are there too, after a change of language."""
    files = series_files([N, L, L, L, L])
    files.pop(sorted(files)[1])  # a gap
    with visiting(browser, f"{shipped.url}/") as page:
        english = read(page, files | {"photo.png": png_bytes(draw_picture(seed=0))})
        page.select_option("#language", "es")
        page.wait_for_selector("html[lang=es]")
        spanish = save(page)
        series, other = english[-1], spanish[-1]
        assert series["series"]["note_codes"] == other["series"]["note_codes"] != []
        assert not set(series["series"]["notes"]) & set(other["series"]["notes"])
        assert "Gaps" in english[-1]["series"]["notes"][0]
        assert "Huecos" in page.inner_text("#detail-notes")
        assert "Gaps" not in page.inner_text("body")
        assert spanish[0]["message"] != english[0]["message"]
        page.click("#list li button:has-text('photo.png')")
        assert page.inner_text("#detail-sentence").startswith("No parece una TC")


def test_what_the_server_says_of_a_series_is_shown(browser: Browser, tiny: Process) -> None:
    with visiting(browser, f"{tiny.url}/") as page:
        read(page, series_files([N, L, L], StudyDate="20240229", PatientID="secret-17", AccessionNumber="A9"))
        assert page.inner_text("#list .entry-name") == "Thorax 5.0 B60f"
        page.evaluate("dispatchEvent(new Event('beforeprint'))")
        page.emulate_media(media="print")
        report = page.inner_text("#report")
        assert "2024-02-29" in report
        assert "Thorax 5.0 B60f" in report
        assert "secret-17" not in page.content()


def test_no_picture_is_asked_for_where_there_is_none(browser: Browser, tiny: Process) -> None:
    """An object in a series that its header refuses has none: the server would answer 404, and log it."""
    scout = dicom_bytes(
        ct_dataset(
            draw_phantom(N, size=64),
            SOPInstanceUID="1.2.99",
            StudyInstanceUID="1.2.826.0.1.3680043.8.498.9",
            ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"],
        )
    )
    with visiting(browser, f"{tiny.url}/") as page:
        records = read(page, series_files([N, L, L]) | {"scout.dcm": scout})
        assert [record["status"] for record in records] == ["refused", "ok", "ok", "ok", "ok"]
        page.click("#list li button:has-text('scout.dcm')")
        page.wait_for_timeout(300)
        assert page.is_hidden("#viewer")
        assert " 404 " not in tiny.log


def test_windows_change_the_picture_where_units_are_known(browser: Browser, tiny: Process) -> None:
    hu = draw_phantom(L, seed=13, size=256)
    with visiting(browser, f"{tiny.url}/") as page:
        read(page, {"slice.dcm": dicom_bytes(ct_dataset(hu)), "slice.png": SLICE})
        page.click("#list li button:has-text('slice.dcm')")
        for name, (centre, width) in WINDOWS.items():
            page.select_option("#window", name)
            wait_for_mean(page, to_display(np.clip(hu, -1024, 3071), centre=centre, width=width).mean())
        # The next is a picture: it has no window, and is shown as it is.
        page.click("#list li button:has-text('slice.png')")
        page.wait_for_selector("#window-field", state="hidden")
        wait_for_mean(page, shown(L).mean())


def test_a_volume_has_windows_too(browser: Browser, tiny: Process) -> None:
    nibabel = pytest.importorskip("nibabel", reason="the extra nifti is not installed")
    hu = np.stack([draw_phantom(L, seed=at, size=64) for at in range(4)], axis=-1)
    volume = nibabel.Nifti1Image(hu[::-1, ::-1].transpose(1, 0, 2), np.diag([0.7, 0.7, 5, 1]))
    with visiting(browser, f"{tiny.url}/") as page:
        read(page, {"volume.nii": volume.to_bytes()})
        page.focus("#stage")
        page.keyboard.press("Home")
        for name in ("soft", "lung"):
            page.select_option("#window", name)
            centre, width = WINDOWS[name]
            wait_for_mean(page, to_display(hu[..., 0], centre=centre, width=width).mean())


def test_a_token_is_asked_for_once(browser: Browser, tiny_bundle: Path) -> None:
    with (
        serving(tiny_bundle, env={"COVIDCT_TOKEN": TOKEN}) as server,
        visiting(browser, f"{server.url}/", faultless=False, ready=False) as page,
    ):
        for token, hint in (("wrong", "is wrong"), (TOKEN, "")):
            page.wait_for_selector("#token[open]")
            page.fill("#token-input", token)
            page.keyboard.press("Enter")
            if hint:
                page.wait_for_selector(f"#token-hint:has-text('{hint}')")
        page.wait_for_selector("html[data-ready]")
        assert len(read(page, {"slice.png": SLICE})) == 1
        assert TOKEN not in page.content()
        assert TOKEN not in server.log


def test_a_lost_server_is_told_and_nothing_is_lost(browser: Browser, tiny_bundle: Path) -> None:
    with (
        serving(tiny_bundle) as server,
        visiting(browser, f"{server.url}/", faultless=False) as page,
    ):
        read(page, {"slice.png": SLICE})
        server.process.kill()
        server.process.wait()
        give(page, {"other.png": SLICE})
        assert "connection to the server was lost" in notice(page)
        assert page.inner_text("#notice-text").endswith("The results below are the earlier ones.")
        assert page.is_enabled("#pick-files")
        assert page.locator("#list li").count() == 1


def test_a_stop_keeps_what_was_read(browser: Browser, tiny_bundle: Path) -> None:
    with serving(tiny_bundle, code=SLOW) as server, visiting(browser, f"{server.url}/") as page:
        read(page, {"earlier.png": SLICE})
        give(page, {f"{at:03}.png": SLICE for at in range(200)})
        page.wait_for_selector("#earlier:not([hidden])")
        page.wait_for_selector("#stage[data-drawn='0']")  # the earlier picture is there while others are read
        eventually(lambda: re.match(r"Reading slices: [1-9]", page.inner_text("#work-text")) is not None)
        page.click("#work-stop")
        assert "What was read so far is below" in notice(page)
        assert page.is_hidden("#earlier")
        names = page.locator("#list .entry-name").all_inner_texts()
        assert names[0] == "000.png"
        assert 1 <= len(names) < 200
        page.wait_for_selector("#stage[data-drawn='0']")
        assert number_of(server, "covidct_jobs") == 1


def test_a_stop_before_anything_was_read_leaves_the_earlier_results(
    browser: Browser, tiny: Process, large: Path
) -> None:
    with relaying(tiny.port) as relay, visiting(browser, relay.url, faultless=False) as page:
        read(page, {"earlier.png": SLICE})
        relay.most = LARGE // 4
        page.set_input_files("#pick-files", [large])
        assert relay.stuck.wait(30)
        page.click("#work-stop")
        assert notice(page) == "Stopped before anything was read. The results below are the earlier ones."
        assert page.locator("#list .entry-name").all_inner_texts() == ["earlier.png"]
        relay.cut()
        relay.mend()
        page.click("#clear")
        eventually(lambda: number_of(tiny, "covidct_held_bytes") == 0)


def test_a_server_that_dies_in_mid_upload_is_told(browser: Browser, tiny_bundle: Path, large: Path) -> None:
    with (
        serving(tiny_bundle) as server,
        relaying(server.port) as relay,
        visiting(browser, relay.url, faultless=False) as page,
    ):
        read(page, {"slice.png": SLICE})
        relay.most = LARGE // 4
        page.set_input_files("#pick-files", [large])
        assert relay.stuck.wait(30)
        page.wait_for_selector("#work-text:has-text('Sending')")
        server.process.kill()
        assert "connection to the server was lost" in notice(page)
        assert page.locator("#list li").count() == 1  # what was there before
        assert page.is_enabled("#pick-files")


def test_a_line_that_breaks_in_mid_upload_leaves_page_and_server_usable(
    browser: Browser, tiny: Process, large: Path
) -> None:
    with relaying(tiny.port) as relay, visiting(browser, relay.url, faultless=False) as page:
        relay.most = LARGE // 4
        page.set_input_files("#pick-files", [large])
        assert relay.stuck.wait(30)
        page.wait_for_selector("#work-text:has-text('Sending')")
        relay.cut()
        assert "connection to the server was lost" in notice(page)
        relay.mend()
        eventually(lambda: number_of(tiny, "covidct_held_bytes") == 0)
        assert [record["path"] for record in read(page, {"again.png": SLICE})] == ["again.png"]
        assert page.is_hidden("#notice")


def test_a_line_that_breaks_while_the_server_works_is_told(browser: Browser, tiny_bundle: Path) -> None:
    with (
        serving(tiny_bundle, code=SLOW) as server,
        relaying(server.port) as relay,
        visiting(browser, relay.url, faultless=False) as page,
    ):
        give(page, {f"{at}.png": BRIGHT for at in range(100)})
        page.wait_for_selector("#work-text:has-text('Reading')")
        relay.close()
        assert "connection to the server was lost" in notice(page)
        assert page.is_enabled("#pick-files")


def test_a_stop_in_mid_upload_ends_it(browser: Browser, tiny: Process, large: Path) -> None:
    with relaying(tiny.port) as relay, visiting(browser, relay.url, faultless=False) as page:
        relay.most = LARGE // 4
        page.set_input_files("#pick-files", [large])
        assert relay.stuck.wait(30)
        page.click("#work-stop")
        page.wait_for_selector("#work", state="hidden")
        relay.cut()
        relay.mend()
        eventually(lambda: number_of(tiny, "covidct_held_bytes") == 0)
        assert len(read(page, {"again.png": SLICE})) == 1


def test_two_tabs_do_not_disturb_each_other(browser: Browser, tiny_bundle: Path) -> None:
    with serving(tiny_bundle, code=SLOW) as server, visiting(browser, f"{server.url}/") as page:
        other = page.context.new_page()
        other.goto(f"{server.url}/")
        other.wait_for_selector("html[data-ready]")
        give(page, {f"{at}.png": SLICE for at in range(3)})
        page.wait_for_selector("#work-text:has-text('Reading')")
        assert [record["path"] for record in read(other, {"other.png": SLICE})] == ["other.png"]
        other.close()
        wait(page)
        assert page.locator("#list li").count() == 3
        page.wait_for_selector("#stage[data-drawn='0']")  # its pictures are still there
        page.click("#list li:nth-child(2) button")
        page.wait_for_selector("#stage[data-drawn='1']")
        assert number_of(server, "covidct_jobs") == 1


def test_a_reload_in_the_middle_ends_the_work(browser: Browser, tiny_bundle: Path) -> None:
    with serving(tiny_bundle, code=SLOW) as server, visiting(browser, f"{server.url}/") as page:
        asked: list[str] = []

        def accept(dialog: Dialog) -> None:
            asked.append(dialog.type)
            dialog.accept()

        page.on("dialog", accept)
        give(page, {f"{at}.png": BRIGHT for at in range(200)})
        page.wait_for_selector("#work-text:has-text('Reading')")
        assert number_of(server, "covidct_jobs") == 1
        page.reload()
        page.wait_for_selector("html[data-ready]")
        assert asked == ["beforeunload"]  # the person is asked first
        eventually(lambda: number_of(server, "covidct_jobs") == number_of(server, "covidct_held_bytes") == 0)
        assert [record["path"] for record in read(page, {"after.png": SLICE})] == ["after.png"]


def test_five_hundred_files_are_answered(browser: Browser, tiny: Process) -> None:
    with visiting(browser, f"{tiny.url}/") as page:
        records = read(page, {f"{at:03}.png": BRIGHT for at in range(500)})
        assert [record["path"] for record in records] == [f"{at:03}.png" for at in range(500)]
        assert {record["status"] for record in records} == {"ok"}
        assert page.locator("#list li").count() == 500


def test_two_hundred_megabytes_are_no_slice(browser: Browser, tiny: Process, tmp_path: Path) -> None:
    huge = tmp_path / "huge.dcm"
    with huge.open("wb") as file:
        file.truncate(200_000_000)
    with visiting(browser, f"{tiny.url}/") as page:
        page.set_input_files("#pick-files", [huge])
        wait(page)
        assert page.inner_text("#detail-title") == "Not read"
        assert "Neither DICOM nor" in page.inner_text("#detail-sentence")
        assert len(read(page, {"slice.png": SLICE})) == 1


def test_more_than_the_server_takes_is_not_sent(browser: Browser, tiny_bundle: Path, tmp_path: Path) -> None:
    huge = tmp_path / "huge.dcm"
    with huge.open("wb") as file:
        file.truncate(200_000_000)
    with (
        serving(tiny_bundle, "--upload-mb", "64", code=set_up(files=2)) as server,
        visiting(browser, f"{server.url}/") as page,
    ):
        give(page, {f"{at}.png": SLICE for at in range(3)})
        assert "3 files at once, but at most 2 are read" in notice(page)
        page.set_input_files("#pick-files", [huge])
        page.wait_for_selector("#notice-text:has-text('200 MB at once, but at most 67 MB are accepted')")
        assert "POST /api/jobs" not in server.log
        assert len(read(page, {"slice.png": SLICE})) == 1


def test_bombs_are_not_unpacked(browser: Browser, tiny_bundle: Path) -> None:
    with (
        serving(tiny_bundle, code=set_up(unpacked_bytes=60_000_000)) as server,
        visiting(browser, f"{server.url}/", faultless=False) as page,
    ):
        give(page, {"one.zip": bomb(), "other.zip": bomb()})
        assert "100,000,000 bytes in the archives, but at most 60,000,000 are read" in notice(page)
        (record,) = read(page, {"one.zip": bomb()})
        assert record["status"] == "error"
        assert server.peak_mb() < 600


def test_bad_input_is_told_and_the_page_goes_on(browser: Browser, shipped: Process) -> None:
    """The files that the page in the browser is tested with; the sentences are Python's."""
    bad = {name: data for name, (data, _) in BAD.items()}
    with visiting(browser, f"{shipped.url}/", faultless=False) as page:
        records = read(page, bad | {"good.png": png_bytes(shown(N))})
        by_path = {record["path"].split("/")[0]: record for record in records}
        assert set(by_path) == {*bad, "good.png"}
        for name in bad:
            assert by_path[name]["status"] in ("error", "refused"), name
            assert by_path[name]["message"], name
        for at in range(len(records)):
            page.click(f"#list li:nth-child({at + 1}) button")
        page.click("#list li button:has-text('photo.png')")
        assert page.inner_text("#detail-sentence").startswith("Does not look like CT (")
        assert page.is_visible("#stage")
        assert page.is_hidden("#opacity")  # there is no evidence to fade
        assert by_path["good.png"]["status"] == "ok"


def test_names_are_only_ever_shown(browser: Browser, tiny: Process) -> None:
    with visiting(browser, f"{tiny.url}/") as page:
        check_names_are_only_shown(page, SLICE)


def test_a_busy_server_is_told(browser: Browser, tiny_bundle: Path) -> None:
    with (
        serving(tiny_bundle, code=set_up(tasks=0)) as server,
        visiting(browser, f"{server.url}/", faultless=False) as page,
    ):
        give(page, {"slice.png": SLICE})
        assert "busy" in notice(page)
