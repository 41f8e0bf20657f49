"""The viewer as radiologists use one: windows, zoom, marks, side by side; what is seen first."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from covidct.images.hounsfield import to_display
from covidct.images.phantoms.landscape import draw_picture
from covidct.images.phantoms.slice import draw_phantom
from makers import ct_dataset, dicom_bytes, png_bytes
from places import ROOT
from services.browsers import eventually, visiting
from services.page_driver import GOOD, SIZE, L, N, give, read, series_files, shown, wait
from services.page_driver import kept as kept  # fixtures
from services.page_driver import page as page

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

HU = draw_phantom(L, seed=13, size=SIZE)
MEAN = """() => {
  const canvas = document.getElementById("picture");
  const data = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
  return data.reduce((sum, value, at) => sum + (at % 4 ? 0 : value), 0) / (data.length / 4);
}"""
SCALE = "() => new DOMMatrix(getComputedStyle(document.getElementById('picture')).transform).a"


def mean_in(centre: float, width: float) -> float:
    return float(to_display(np.clip(HU, -1024, 3071), centre=centre, width=width).mean())


def drag(page: Page, dx: float, dy: float, *, button: Any = "left") -> None:
    box = page.locator("#stage").bounding_box()
    assert box is not None
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down(button=button)
    page.mouse.move(x + dx, y + dy, steps=4)
    page.mouse.up(button=button)


def marks(page: Page) -> dict[str, str]:
    found: dict[str, str] = page.evaluate(
        "Object.fromEntries([...document.querySelectorAll('#pane .mark')]"
        ".map((one) => [one.className.split(' ')[1], one.textContent]))"
    )
    return found


def test_dragging_changes_the_window(page: Page) -> None:
    read(page, {"slice.dcm": dicom_bytes(ct_dataset(HU))})
    drag(page, 80, 40)  # wider, and the centre higher
    centre, width = (int(page.input_value(f"#{name}")) for name in ("centre", "width"))
    assert centre > -600
    assert width > 1500
    assert page.input_value("#window") == "own"
    eventually(lambda: page.evaluate(MEAN) == pytest.approx(mean_in(centre, width), abs=0.01))
    assert marks(page)["hounsfield"] == f"C {centre}  W {width} HU"
    page.fill("#centre", "-100")
    page.fill("#width", "800")
    page.keyboard.press("Enter")
    eventually(lambda: page.evaluate(MEAN) == pytest.approx(mean_in(-100, 800), abs=0.01))
    page.fill("#width", "")  # no number: as it was
    page.keyboard.press("Enter")
    assert page.input_value("#width") == "800"


def test_a_picture_without_units_is_moved_instead(page: Page) -> None:
    read(page, {"slice.png": GOOD})
    assert page.is_hidden("#window-field")
    assert page.input_value("#tool") == "move"
    before = page.evaluate(MEAN)
    drag(page, 60, 60)
    assert page.evaluate(MEAN) == before
    assert {"ruler", "left", "top"}.isdisjoint(marks(page))  # nothing is known of sides and millimetres


def test_zoom_by_wheel_button_and_keys_keeps_within_bounds(page: Page) -> None:
    read(page, series_files([N, L, L, N]))
    fitted = page.evaluate(SCALE)
    page.focus("#stage")
    page.keyboard.press("+")
    assert page.evaluate(SCALE) == pytest.approx(1.25 * fitted, rel=1e-3)
    page.keyboard.press("0")
    assert page.evaluate(SCALE) == fitted
    page.keyboard.press("-")  # all of it is the least
    assert page.evaluate(SCALE) == fitted
    drag(page, 0, -150, button="right")
    assert page.evaluate(SCALE) == pytest.approx(2.718 * fitted, rel=0.01)
    page.locator("#stage").dblclick()
    assert page.evaluate(SCALE) == fitted
    for _ in range(30):
        page.keyboard.press("+")
    assert page.evaluate(SCALE) == pytest.approx(20 * fitted, rel=1e-3)
    page.click("#fit")
    place = page.inner_text("#slice-line")
    page.locator("#stage").hover()
    page.mouse.wheel(0, 100)
    eventually(lambda: page.inner_text("#slice-line") != place)
    assert page.evaluate(SCALE) == fitted


@pytest.mark.parametrize(
    ("orientation", "sides"),
    [
        ([1, 0, 0, 0, 1, 0], "RLAP"),
        ([-1, 0, 0, 0, -1, 0], "LRPA"),
        ([0, 1, 0, 1, 0, 0], "APRL"),
    ],
)
def test_letters_are_at_the_sides_that_the_header_says(
    page: Page, orientation: list[int], sides: str
) -> None:
    read(page, {"slice.dcm": dicom_bytes(ct_dataset(HU, ImageOrientationPatient=orientation))})
    page.wait_for_selector("#stage[data-drawn]")
    found = marks(page)
    assert "".join(found[side] for side in ("left", "right", "top", "bottom")) == sides


def test_no_letter_is_a_guess(page: Page) -> None:
    bare = ct_dataset(HU)
    del bare.ImageOrientationPatient, bare.PixelSpacing
    read(page, {"slice.dcm": dicom_bytes(bare)})
    page.wait_for_selector("#stage[data-drawn]")
    assert set(marks(page)) == {"place", "hounsfield"}


def test_the_ruler_is_as_long_as_it_says_and_the_place_is_that_of_the_slice(page: Page) -> None:
    read(page, series_files([N, L, L, N]))
    page.wait_for_selector("#stage[data-drawn]")
    page.focus("#stage")
    page.keyboard.press("Home")
    page.wait_for_selector("#stage[data-drawn='0']")
    assert marks(page)["place"] == "1 / 4\n-300.0 mm"
    scale = page.evaluate(SCALE) / 0.8  # CSS pixels a mm: PixelSpacing gives 0.8 mm a column
    ruler = page.locator("#pane .mark.ruler")
    box = ruler.bounding_box()
    assert box is not None
    number, unit = ruler.inner_text().split()
    assert box["width"] == pytest.approx(float(number) * {"mm": 1, "cm": 10}[unit] * scale, rel=0.02)


def test_the_slice_stands_beside_itself_without_evidence(page: Page) -> None:
    read(page, {"slice.png": png_bytes(shown(L))})
    page.focus("#stage")
    page.keyboard.press("s")
    assert page.is_visible("#plain")
    assert page.get_attribute("#beside", "aria-pressed") == "true"
    places = [page.locator(f"#{name}").bounding_box() for name in ("plain", "picture")]
    assert places[0] is not None
    assert places[1] is not None
    assert places[0]["width"] == pytest.approx(places[1]["width"])
    assert places[0]["x"] + places[0]["width"] <= places[1]["x"] + 3
    page.click("#beside")
    assert page.is_hidden("#plain")


def test_two_fingers_zoom_and_one_turns_the_slices_on_a_tablet(browser: Browser, app_address: str) -> None:
    tablet: Any = {"viewport": {"width": 820, "height": 1180}, "has_touch": True, "is_mobile": True}
    with visiting(browser, app_address, **tablet) as page:
        read(page, series_files([N, L, L, L, N]))
        page.wait_for_selector("#stage[data-drawn]")
        assert page.input_value("#tool") == "slices"
        page.locator("#stage").scroll_into_view_if_needed()
        box = page.locator("#stage").bounding_box()
        assert box is not None
        x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
        cdp = page.context.new_cdp_session(page)

        def touch(kind: str, *points: tuple[float, float]) -> None:
            fingers = [{"x": px, "y": py, "id": at} for at, (px, py) in enumerate(points)]
            cdp.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": fingers})

        before, fitted = page.inner_text("#slice-line"), page.evaluate(SCALE)
        touch("touchStart", (x, y))
        for step in range(1, 6):
            touch("touchMove", (x - 8 * step, y))
        touch("touchEnd")
        eventually(lambda: page.inner_text("#slice-line") != before)
        touch("touchStart", (x - 50, y), (x + 50, y))
        for step in range(1, 6):
            touch("touchMove", (x - 50 - 10 * step, y), (x + 50 + 10 * step, y))
        touch("touchEnd")
        eventually(lambda: page.evaluate(SCALE) > 1.5 * fitted)


@pytest.mark.parametrize("size", [(1366, 768), (390, 844), (768, 1024), (2560, 1440)])
def test_picture_answer_and_strip_are_on_one_screen(
    browser: Browser, app_address: str, size: tuple[int, int]
) -> None:
    width, height = size
    with visiting(browser, app_address, viewport={"width": width, "height": height}) as page:
        give(page, series_files([N, L, L, L, N], StudyDate="20240229", PatientName="Secret"))
        wait(page)
        page.wait_for_selector("#stage[data-drawn]")
        page.wait_for_timeout(100)
        for name in ("#detail-title", "#detail-probability", "#detail-study", "#stage", "#strip"):
            box = page.locator(name).bounding_box()
            assert box is not None
            assert box["y"] >= 0, name
            assert box["y"] + box["height"] <= height, name
        study = page.inner_text("section.answer .path")
        assert "2024-02-29" in study
        assert "5 slices" in study
        assert "Secret" not in page.content()


def test_a_normal_slice_leaves_the_lungs_clear(page: Page, shared_data: Path) -> None:
    read(page, {"normal.dcm": (shared_data / "dicom" / "covid-ct-md" / "normal001" / "075.dcm").read_bytes()})
    page.wait_for_selector("#stage[data-drawn]")
    coloured = page.evaluate("""() => {
        const overlay = document.getElementById("overlay");
        const { width, height } = overlay;
        const { data } = overlay.getContext("2d").getImageData(0, 0, width, height);
        return data.filter((value, at) => at % 4 === 3 && value > 0).length / (width * height);
    }""")
    assert coloured < 0.005


def test_the_most_serious_result_is_first_and_open(page: Page) -> None:
    read(page, {"a.txt": b"x", "b.png": png_bytes(draw_picture(seed=0)), "c.png": png_bytes(shown(L))})
    verdicts = page.locator("#list .entry-verdict").all_inner_texts()
    assert verdicts == ["Positive", "Refused", "Not read"]
    assert page.inner_text("#detail-path") == "c.png"


def test_what_a_person_looks_at_stays_open(page: Page) -> None:
    give(page, {f"{at:02}.png": GOOD for at in range(20)} | {"last.png": png_bytes(shown(L))})
    page.wait_for_selector("#list li:nth-child(2) button")
    name = page.inner_text("#list li:nth-child(2) .entry-name")
    page.click(f"#list li button:has-text('{name}')")  # by name: at the end they are sorted
    wait(page)
    assert page.inner_text("#detail-path") == name


def test_a_refusal_has_no_panel_of_thresholds(page: Page) -> None:
    read(page, {"photo.png": png_bytes(draw_picture(seed=0))})
    assert page.is_hidden("#meaning")
    assert page.is_hidden("#scale")
    assert page.is_hidden("#beside")


def test_slices_without_lung_are_no_fault_and_named_slices_are_links(page: Page) -> None:
    files = series_files([N, L, L, L, N, N])
    page.evaluate("""async () => {
        const { toNotes } = await import("./parts/answer.js");
        const slice = (reason) => ({ kind: "slice", status: reason ? "refused" : "ok", reason });
        const series = { answered: 1, slices: 3, evidence_share: 1, telling: [2], notes: [] };
        const answer = { kind: "series", status: "ok", probability: 0.9, series };
        const slices = [slice("no_lung"), slice("not_chest"), slice(null)];
        globalThis.notes = toNotes({ answer, slices }).map((parts) => parts.join(""));
    }""")
    assert "2 slices without lung, not counted (1–2)." in page.evaluate("notes")
    read(page, files)
    link = page.locator("#detail-notes .link").nth(1)
    at = link.inner_text()
    link.click()
    assert page.inner_text("#slice-line").startswith(f"Slice {at} of 6")


@pytest.mark.parametrize(
    ("name", "verdict"),
    [
        ("synthetic-series.zip", "positive"),
        ("synthetic-lesions.png", "positive"),
        ("not-a-ct.png", "refused"),
    ],
)
def test_an_example_is_one_click(page: Page, name: str, verdict: str) -> None:
    page.click(f"[data-example='{name}']")
    wait(page)
    assert page.get_attribute("#detail", "data-verdict") == verdict
    assert page.is_hidden("#start")


def test_the_examples_are_those_of_the_project() -> None:
    folder = ROOT / "covidct" / "apps" / "web" / "page" / "examples"
    for path in folder.glob("*.png"):
        assert path.read_bytes() == (ROOT / "examples" / path.name).read_bytes()
