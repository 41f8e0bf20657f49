"""What a person does on the page, done by a browser."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import jsonschema
import numpy as np
import pytest
from PIL import Image

from covidct.images.hounsfield import to_display
from covidct.images.phantoms.landscape import draw_picture
from covidct.images.phantoms.slice import Phantom, draw_phantom
from covidct.types import Pixels
from makers import ct_dataset, dicom_bytes, encode, png_bytes
from places import ROOT
from services.browsers import visiting

if TYPE_CHECKING:
    from playwright.sync_api import Browser, FilePayload, Page

SCHEMA = json.loads((ROOT / "docs" / "reference" / "result.schema.json").read_text(encoding="utf-8"))


STUDY = "1.2.826.0.1.3680043.8.498.9"


SIZE = 256


Files = Mapping[str, bytes]


@pytest.fixture(scope="module")
def kept(browser: Browser, app_address: str) -> Iterator[Page]:
    """One page for most tests: to start the model costs more than to use it."""
    with visiting(browser, app_address) as page:
        yield page


@pytest.fixture
def page(kept: Page) -> Iterator[Page]:
    """The page as it is at first, but for a model that was started and a prevalence that was asked for."""
    yield kept
    kept.emulate_media(media="screen")
    if kept.get_attribute("#beside", "aria-pressed") == "true":
        kept.evaluate("document.getElementById('beside').click()")
    for locator in ("#notice-close", "#clear"):
        if kept.is_visible(locator):
            kept.click(locator)
    # (Hidden with the results, so not to be reached as a person does.)
    kept.evaluate("document.getElementById('opacity').value = 60")
    kept.evaluate("""() => {
        const choose = (id, value) => {
            document.getElementById(id).value = value;
            document.getElementById(id).dispatchEvent(new Event("change"));
        };
        choose("window", "lung");
        choose("tool", "window");
    }""")
    kept.evaluate("""() => {
        const point = document.getElementById('point');
        point.selectedIndex = 0;
        if (point.value) point.dispatchEvent(new Event('change'));
    }""")
    kept.select_option("#language", "en")
    kept.wait_for_selector("html[lang=en]")


def shown(kind: Phantom, seed: int = 13) -> Pixels:
    return to_display(draw_phantom(kind, seed=seed, size=SIZE))


def give(page: Page, files: Files) -> None:
    payloads: list[FilePayload] = [
        {"name": name, "mimeType": "application/octet-stream", "buffer": data} for name, data in files.items()
    ]
    page.set_input_files("#pick-files", payloads)


def read(page: Page, files: Files) -> list[dict[str, Any]]:
    """Give files, wait until they are read, and take the results as the page saves them."""
    give(page, files)
    wait(page)
    return save(page)


def check_names_are_only_shown(page: Page, data: bytes) -> None:
    """Read a slice under a name that is markup, alone and in an archive: the page shows it as text."""
    evil = "<img src=x onerror=document.title=1>.png"
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(f"../../../{evil}", data)
    records = read(page, {evil: data, "study.zip": buffer.getvalue()})
    assert records[0]["path"] == evil
    assert records[1]["path"].endswith(evil)
    assert evil in page.inner_text("#list")
    for at in (1, 2):
        page.click(f"#list li:nth-child({at}) button")
        assert evil in page.inner_text("#detail-path")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.locator("img[src=x]").count() == 0
    assert page.title() == "covidct"


def wait(page: Page) -> None:
    page.wait_for_selector("#results:not([hidden]) #detail-title, #notice:not([hidden])")
    page.wait_for_selector("#work", state="hidden")


def unfold(page: Page) -> None:
    """Open what an answer means, which is folded at first."""
    if page.is_hidden("#point"):
        page.click("#meaning summary")


def save(page: Page) -> list[dict[str, Any]]:
    with page.expect_download() as download:
        page.click("#save-json")
    records: list[dict[str, Any]] = json.loads(download.value.path().read_bytes())
    for record in records:
        jsonschema.validate(record, SCHEMA)
    return records


def series_files(kinds: Sequence[Phantom], **tags: Any) -> dict[str, bytes]:
    """A series of up to 31 slices from feet to head; names say nothing of the order."""
    files = {}
    names = 11 if len(kinds) <= 11 else 31
    for at, kind in enumerate(kinds):
        own = {
            "SOPInstanceUID": f"{STUDY}.{at + 1}",
            "StudyInstanceUID": STUDY,
            "SeriesDescription": "Thorax 5.0 B60f",
            "ImagePositionPatient": [-180, -180, -300 + 5 * at],
            "SliceThickness": 5,
        }
        data = dicom_bytes(ct_dataset(draw_phantom(kind, seed=13, size=SIZE), **(own | tags)))
        files[f"{(7 * at) % names:02}.dcm"] = data
    return files


N, L = Phantom.NORMAL, Phantom.LESIONS


def bomb() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.dcm", bytes(50_000_000))
    return buffer.getvalue()


def lying_bomb() -> bytes:
    """An archive whose directory says that an entry is small."""
    data = bytearray(bomb())
    wrong = (60_000).to_bytes(4, "little")
    for at in (22, data.index(b"PK\1\2") + 24):
        data[at : at + 4] = wrong
    return bytes(data)


def locked() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("a.png", png_bytes(shown(N)))
    data = bytearray(buffer.getvalue())
    data[6] |= 1
    data[data.index(b"PK\1\2") + 8] |= 1
    return bytes(data)


def narrow() -> bytes:
    return encode(Image.fromarray(np.arange(64 * 64, dtype=np.uint16).reshape(64, 64)))


def animated() -> bytes:
    frames = [Image.fromarray(shown(N, seed)) for seed in (1, 2)]
    return encode(frames[0], "GIF", save_all=True, append_images=frames[1:])


GOOD = png_bytes(shown(N))


BAD: dict[str, tuple[bytes, str]] = {
    "notes.txt": (b"hello", "Neither DICOM nor"),
    "page.html": (b"<script>alert(1)</script>", "Text (HTML"),
    "report.pdf": (b"%PDF-1.7", "A PDF"),
    "empty.png": (b"", "empty"),
    "cut.png": (GOOD[: len(GOOD) // 2], "damaged"),
    "cut.dcm": (dicom_bytes(ct_dataset(draw_phantom(N, size=64)))[:3000], "amaged"),
    "mr.dcm": (dicom_bytes(ct_dataset(draw_phantom(N, size=64), Modality="MR")), "Not a CT (Modality MR)"),
    "coronal.dcm": (
        dicom_bytes(ct_dataset(draw_phantom(N, size=64), ImageOrientationPatient=[1, 0, 0, 0, 0, -1])),
        "coronal",
    ),
    "narrow.png": (narrow(), "raw CT values"),
    "moving.gif": (animated(), "Several frames"),
    "bomb.zip": (bomb(), "far more than slices would"),
    "lie.zip": (lying_bomb(), "zip"),
    "locked.zip": (locked(), "password"),
    "broken.zip": (b"PK\3\4 and then nothing", "damaged or cut off"),
    "tiny.png": (png_bytes(np.zeros((16, 16), np.uint8)), "16 × 16 pixels"),
    "blank.png": (png_bytes(np.full((64, 64), 9, np.uint8)), "Only one grey level"),
    "photo.png": (png_bytes(draw_picture(seed=0)), "Does not look like CT"),
    "<img src=x onerror=alert(1)>.png": (b"x", "Neither DICOM nor"),
}
