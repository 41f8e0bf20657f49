"""The page that runs the model in the browser, used as people use it: files in, answers read, paper out."""

from __future__ import annotations

import io
import re
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image
from pydicom import uid

from covidct.images.hounsfield import to_display
from covidct.images.phantoms.landscape import draw_picture
from covidct.images.phantoms.slice import Phantom, draw_phantom
from covidct.inference.classifier import Classifier
from covidct.series.study import read_study
from covidct.types import Decision, Pixels, Result
from makers import ct_dataset, dicom_bytes, encode, encode_photograph, png_bytes, transcode, write_dicom
from places import ROOT
from services.browsers import eventually, serving, visiting
from services.page_driver import (
    BAD,
    GOOD,
    SIZE,
    STUDY,
    Files,
    L,
    N,
    check_names_are_only_shown,
    give,
    locked,
    read,
    save,
    series_files,
    shown,
    unfold,
    wait,
)
from services.page_driver import kept as kept  # fixtures
from services.page_driver import page as page

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

AXE = ROOT / "vendor" / "node_modules" / "axe-core" / "axe.min.js"


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    return Classifier.load(precision="float")


def find_shown(
    classifier: Classifier, kind: Phantom, wanted: Callable[[Result], bool], *, turns: int = 0
) -> Pixels:
    """The first phantom, turned by so many quarters, of which the model that ships says what is wanted."""
    for seed in range(20):
        pixels = np.ascontiguousarray(np.rot90(shown(kind, seed), turns))
        if wanted(classifier.predict(pixels)):
            return pixels
    raise AssertionError(f"no {kind} of which that is said")


def find_unsure(classifier: Classifier) -> Pixels:
    """A phantom with lesions so faint that the model that ships cannot decide."""
    normal, ill = (draw_phantom(kind, seed=5, size=SIZE) for kind in (N, L))
    for share in np.linspace(0.1, 0.5, 81):
        pixels = to_display(normal + share * (ill - normal))
        if classifier.predict(pixels).decision is Decision.INDETERMINATE:
            return pixels
    raise AssertionError("every share of the lesions is decided")


def test_a_picture_gets_its_answer(page: Page, classifier: Classifier) -> None:
    (record,) = read(page, {"slice.png": png_bytes(shown(L))})
    assert page.inner_text("#detail-title").startswith("Positive")
    assert record["path"] == "slice.png"
    assert record["decision"] == "positive"
    assert (record["model"], record["precision"]) == (classifier.model.name, "float")
    assert page.get_attribute("#stage", "data-drawn") == "0"
    assert page.evaluate("document.getElementById('picture').width") == SIZE


def test_the_browser_answers_as_python_does(page: Page, classifier: Classifier, tmp_path: Path) -> None:
    """Twenty slices, as PNG and as DICOM, with probabilities all over the scale."""
    drawn = [(kind, seed) for kind in Phantom for seed in range(7)][:20]
    files = {}
    for at, (kind, seed) in enumerate(drawn):
        hu = draw_phantom(kind, seed=seed, size=(192, 256, 320)[at % 3])
        name = f"{kind}-{seed}.{'dcm' if at % 2 else 'png'}"
        tags = {"SOPInstanceUID": f"1.2.{at + 1}", "SeriesInstanceUID": f"1.3.{at + 1}"}
        files[name] = dicom_bytes(ct_dataset(hu, **tags)) if at % 2 else png_bytes(to_display(hu))
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    expected = list(classifier.predict_many([tmp_path / name for name in files]))
    by_name = {record["path"]: record for record in read(page, files)}
    records = [by_name[name] for name in files]
    apart = [
        abs(record["probability"] - result.probability)
        for record, result in zip(records, expected, strict=True)
        if result.probability is not None
    ]
    assert len(apart) >= 15
    assert max(apart) < 1e-3
    assert [record["decision"] for record in records] == [result.decision for result in expected]
    assert [record["reason"] for record in records] == [result.reason for result in expected]


def test_a_series_is_scrolled_from_feet_to_head(page: Page) -> None:
    records = read(page, series_files([N, N, N, L, L, L, L, N, N]))
    series = records[-1]
    assert [record["slice_index"] for record in records[:-1]] == list(range(9))
    assert [record["instance_uid"] for record in records[:-1]] == [f"{STUDY}.{at}" for at in range(1, 10)]
    assert (series["kind"], series["decision"], series["series"]["slices"]) == ("series", "positive", 9)
    assert set(series["series"]["telling"][:4]) == {3, 4, 5, 6}
    assert page.locator("#list li").count() == 1
    assert page.locator("#strip .strip-bar").count() == 9
    page.focus("#stage")
    page.keyboard.press("Home")
    assert page.inner_text("#slice-line").startswith("Slice 1 of 9")
    page.keyboard.press("ArrowRight")
    assert page.inner_text("#slice-line").startswith("Slice 2 of 9")
    page.keyboard.press("ArrowUp")
    assert page.inner_text("#slice-line").startswith("Slice 3 of 9")
    page.keyboard.press("ArrowDown")
    assert page.inner_text("#slice-line").startswith("Slice 2 of 9")
    page.keyboard.press("End")
    page.wait_for_selector("#stage[data-drawn='8']")
    strip = page.locator("#strip")
    box = strip.bounding_box()
    assert box is not None
    strip.click(position={"x": box["width"] * 4.5 / 9, "y": 5})
    assert page.inner_text("#slice-line").startswith("Slice 5 of 9")


@pytest.mark.parametrize(
    "tags",
    [
        {"ImageOrientationPatient": [-1, 0, 0, 0, -1, 0]},
        {"ImageOrientationPatient": [0, 1, 0, 1, 0, 0]},
    ],
)
def test_a_series_answers_alike_however_it_is_turned(page: Page, tags: dict[str, Any]) -> None:
    kinds = [N, L, L, L]
    turned = {}
    for at, (name, kind) in enumerate(zip(series_files(kinds), kinds, strict=True)):
        hu = draw_phantom(kind, seed=13, size=SIZE)
        hu = hu[::-1, ::-1] if tags["ImageOrientationPatient"][0] else hu.T
        own = {
            "SOPInstanceUID": f"{STUDY}.{at + 1}", "StudyInstanceUID": STUDY,
            "ImagePositionPatient": [0, 0, 5 * at], "SliceThickness": 5,
        }  # fmt: skip
        turned[name] = dicom_bytes(ct_dataset(np.ascontiguousarray(hu), **(own | tags)))
    plain = read(page, series_files(kinds))
    other = read(page, turned)
    assert other[-1]["probability"] == pytest.approx(plain[-1]["probability"], abs=1e-3)


def test_a_series_answers_as_python_does(page: Page, classifier: Classifier, tmp_path: Path) -> None:
    files = series_files([N, L, L, N, L, N])
    files.pop("10.dcm", None)  # a gap
    record = read(page, files)[-1]
    series = read_study([(name, data) for name, data in files.items()]).series[0]
    result = classifier.predict_series(series).result
    assert result.series is not None
    assert record["probability"] == pytest.approx(result.probability, abs=1e-3)
    assert record["decision"] == result.decision
    assert record["series"]["telling"] == list(result.series.telling)
    assert record["series"]["answered"] == result.series.answered
    assert (record["message"] is None) is (result.message is None)
    if result.opacity is not None:
        assert record["finding"] == result.finding
        assert record["extent"] == pytest.approx(result.opacity.extent, abs=1e-3)
        assert record["opacity_probability"] == pytest.approx(result.opacity.probability, abs=1e-3)
    codes = [{"code": note.code, "values": dict(note.values)} for note in result.series.notes]
    assert record["series"]["note_codes"] == codes
    assert {"gaps", "lung_at_both_ends"} <= {note["code"] for note in codes}


def test_notes_have_the_codes_and_values_of_python(page: Page) -> None:
    """Copies, regular gaps, distances and values that vary."""
    files = series_files([N] * 8, SpacingBetweenSlices=2.5)
    files |= {"copy.dcm": files["00.dcm"]}
    files["07.dcm"] = files["07.dcm"].replace(b"-295", b"-294")
    series = read_study(files.items()).series[0]
    expected = [{"code": note.code, "values": dict(note.values)} for note in series.notes]
    record = read(page, files)[-1]
    assert record["series"]["note_codes"][: len(expected)] == expected
    assert {"twice", "regular_gaps_declared", "uneven"} <= {note["code"] for note in expected}


@pytest.mark.parametrize("cut", ["00-cut.dcm", "99-cut.dcm"])
def test_a_copy_that_was_cut_off_gives_way_to_the_whole_one(page: Page, cut: str) -> None:
    files = series_files([N, L, L, N])
    records = read(page, files | {cut: files["00.dcm"][:-1000]})
    assert [Path(one["path"]).name for one in records if one["status"] == "error"] == [cut]
    assert records[-1]["series"]["answered"] == 4


def test_a_real_series_answers_as_in_python(page: Page, classifier: Classifier, shared_data: Path) -> None:
    """Every so many slices of a scan in RLE, as its makers published it."""
    whole = read_study([shared_data / "dicom" / "lung-pet-ct-dx"]).series[0]
    part = whole.instances[:: max(1, len(whole.instances) // 12)]
    files = {f"{at:02}.dcm": one.blob.read() for at, one in enumerate(part) if one.blob is not None}
    series = read_study(files.items()).series[0]
    answer = classifier.predict_series(series)
    records = read(page, files)
    for record, result in zip(records[:-1], answer.slices, strict=True):
        assert (record["status"], record["reason"]) == (result.status, result.reason)
        assert record["probability"] == pytest.approx(result.probability, abs=1e-3)
    assert records[-1]["decision"] == answer.result.decision
    assert records[-1]["probability"] == pytest.approx(answer.result.probability, abs=1e-3)
    assert answer.result.series is not None
    codes = [{"code": note.code, "values": dict(note.values)} for note in answer.result.series.notes]
    assert records[-1]["series"]["note_codes"] == codes


def test_a_zip_is_a_series_too(page: Page) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in series_files([L, L, L]).items():
            archive.writestr(f"study/../<b>{name}", data)
        archive.writestr("__MACOSX/._00.dcm", b"clutter")
        archive.writestr("readme.txt", b"hello")
    records = read(page, {"study.zip": buffer.getvalue()})
    assert [record["kind"] for record in records] == ["slice"] * 3 + ["series"]
    assert records[0]["path"].startswith("study.zip/study/<b>")
    assert "2 files were skipped" in page.inner_text("#notice-text")


def test_the_overlay_can_be_faded_out(page: Page) -> None:
    read(page, {"slice.png": png_bytes(shown(L))})
    coloured = (
        "(() => { const c = document.getElementById('overlay');"
        "const d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data;"
        "return d.filter((value, at) => at % 4 === 3 && value > 0).length })()"
    )
    assert page.evaluate(coloured) > 500
    opacity = "getComputedStyle(document.getElementById('overlay')).opacity"
    assert page.evaluate(opacity) == "0.6"
    page.focus("#opacity")
    page.keyboard.press("Home")
    assert page.evaluate(opacity) == "0"
    page.focus("#stage")
    page.keyboard.press("e")
    assert page.evaluate(opacity) == "0.6"


def test_windows_change_the_picture_of_a_dicom_slice(page: Page) -> None:
    hu = draw_phantom(L, seed=13, size=SIZE)
    mean = "(() => { const c = document.getElementById('picture');" \
        "const d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data;" \
        "return d.reduce((sum, v, at) => sum + (at % 4 ? 0 : v), 0) / (d.length / 4) })()"  # fmt: skip
    read(page, {"slice.dcm": dicom_bytes(ct_dataset(hu))})
    for name, window in {"lung": (-600, 1500), "soft": (40, 400), "bone": (400, 1800)}.items():
        page.select_option("#window", name)
        expected = to_display(np.clip(hu, -1024, 3071), centre=window[0], width=window[1]).mean()
        page.wait_for_timeout(150)
        assert page.evaluate(mean) == pytest.approx(expected, abs=0.01)


def test_operating_point_and_prevalence_change_what_is_said(page: Page, classifier: Classifier) -> None:
    read(page, {"slice.png": png_bytes(shown(L))})
    unfold(page)
    before = page.inner_text("#point-sentence")
    page.select_option("#point", "high_sensitivity")
    assert page.inner_text("#point-sentence") != before
    page.focus("#prevalence")
    page.keyboard.press("Home")
    (record,) = save(page)
    assert record["prevalence"] == 0.001
    assert record["operating_point"]["name"] == "high_sensitivity"
    assert record["ppv"] < 0.05 < record["npv"]
    assert "0.1%" in page.inner_text("#prevalence-sentence")


def test_the_prevalence_moves_the_headline_of_a_series(page: Page) -> None:
    series = read(page, series_files([N] * 4))[-1]
    unfold(page)
    assert page.inner_text("#detail-assumes").startswith("Assumes that 50% of such series show")
    page.focus("#prevalence")
    page.keyboard.press("Home")
    odds = series["probability"] / (1 - series["probability"]) / 999
    shifted = f"{100 * odds / (1 + odds):.1f}%" if odds > 0.001 else "< 0.1%"
    said = page.inner_text("#detail-assumes").replace("\N{NO-BREAK SPACE}", " ")
    assert said.endswith(f"where 0.1% do, it is {shifted}.")
    assert page.inner_text("#worth dd:last-of-type").replace("\N{NO-BREAK SPACE}", " ") == shifted
    page.select_option("#language", "fr")
    page.wait_for_selector("#detail-assumes:has-text('Suppose que')")


def test_the_page_says_how_low_probabilities_go(page: Page, classifier: Classifier) -> None:
    read(page, {"slice.png": GOOD})
    unfold(page)
    least, low = classifier.find_min_probability(), classifier.operating_point.band[0]
    said = re.findall(r"[\d.]+(?=%)", page.inner_text("#band-sentence"))
    assert float(said[0]) == round(100 * low, 1)
    if least is None:
        assert len(said) == 2
    else:
        assert 100 * least - 0.1 < float(said[2]) <= 100 * least
        assert float(said[2]) != float(said[0])


def test_other_diseases_are_named_unless_it_is_negative(page: Page, classifier: Classifier) -> None:
    unsure = find_unsure(classifier)
    read(page, {"lesions.png": png_bytes(shown(L)), "faint.png": png_bytes(unsure)})
    for name, title in {"lesions.png": "Positive", "faint.png": "Indeterminate"}.items():
        page.click(f"#list li button:has-text('{name}')")
        assert page.inner_text("#detail-title").startswith(title)
        assert "tumours can look the same" in page.inner_text("#detail-sentence")


def test_nothing_is_worth_what_is_refused(page: Page) -> None:
    read(page, {"photo.png": png_bytes(draw_picture(seed=0))})
    assert page.is_hidden("#prevalence")
    assert page.is_hidden("#worth")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    page.emulate_media(media="print")
    assert "PPV" not in page.inner_text("#report")
    assert page.locator("#report img").count() == 1
    assert "Evidence for" not in page.inner_text("#report")


def test_a_slice_that_lies_on_its_side_is_told(page: Page, classifier: Classifier) -> None:
    turned = find_shown(classifier, L, lambda result: result.seems_turned, turns=1)
    (record,) = read(page, {"turned.png": png_bytes(turned)})
    assert record["status"] == "ok"
    assert "turned by 90 degrees" in record["message"]
    assert ("not reliable enough" in record["message"]) is (record["decision"] == "indeterminate")
    assert "turned by 90 degrees" in page.inner_text("#detail-notes")
    page.wait_for_selector("#list .entry-more:has-text('turned by 90 degrees')", state="attached")


def test_results_are_to_be_replaced_knowingly(page: Page) -> None:
    assert page.is_hidden("#intake-replaces")
    read(page, {"slice.png": GOOD})
    assert "replace these results" in page.inner_text("#intake")
    page.click("#clear")
    assert page.is_hidden("#intake-replaces")
    assert page.is_visible("#intake-hint")


@pytest.mark.parametrize(
    ("path", "slices", "place"),
    [
        ("a.png", ["a.png"], "a.png"),
        ("volume.nii", ["volume.nii", "volume.nii"], "volume.nii"),
        ("b.dcm", ["b.dcm", "a.dcm"], "b.dcm …"),
        ("study/1/b.dcm", ["study/1/b.dcm", "study/1/a.dcm"], "study/1"),
        ("study/1/b/c.dcm", ["study/1/b/c.dcm", "study/2/b/c.dcm"], "study"),
        ("study/b.dcm", ["study/b.dcm", "study/2/a.dcm"], "study"),
        ("study.zip", ["study.zip/b.dcm", "a/b.dcm"], "study.zip"),
    ],
)
def test_a_series_lies_where_all_of_its_slices_do(
    page: Page, path: str, slices: list[str], place: str
) -> None:
    found = page.evaluate(
        """async ([path, slices]) => {
            const { placeOf } = await import("./words/wording.js");
            return placeOf({ answer: { path }, slices: slices.map((one) => ({ path: one })) });
        }""",
        [path, slices],
    )
    assert found == place


def test_a_folder_is_read_in_the_order_of_its_names(page: Page, tmp_path: Path) -> None:
    """As the command line reads it: browsers give the files of a folder in any order."""
    for at in (10, 2, 1):
        (tmp_path / f"{at}.png").write_bytes(GOOD)
    page.set_input_files("#pick-folder", tmp_path)
    wait(page)
    assert [Path(record["path"]).name for record in save(page)] == ["1.png", "2.png", "10.png"]


def test_nothing_to_read_is_told_though_there_are_results(page: Page, tmp_path: Path) -> None:
    read(page, {"slice.png": GOOD})
    (tmp_path / "readme.html").write_text("hello")
    page.set_input_files("#pick-folder", tmp_path)
    page.wait_for_selector("#notice:not([hidden])")
    assert "nothing to read" in page.inner_text("#notice-text")
    assert page.locator("#list li").count() == 1


def test_a_file_to_save_has_a_name_of_its_own(page: Page) -> None:
    read(page, {"Miller_John.png": GOOD})
    for button, ending in (("#save-json", "json"), ("#save-csv", "csv")):
        with page.expect_download() as download:
            page.click(button)
        assert re.fullmatch(
            rf"covidct-\d{{4}}-\d\d-\d\dT\d{{6}}\.{ending}", download.value.suggested_filename
        )


def test_a_picture_that_is_not_there_yet_is_told(page: Page) -> None:
    read(page, series_files([N, L, L, L]))
    page.wait_for_selector("#stage[data-drawn]")
    assert page.is_hidden("#stage-text")
    page.evaluate(
        "document.querySelector('#stage').dispatchEvent(new KeyboardEvent('keydown', { key: 'Home' }))"
    )
    assert page.text_content("#stage-text") == "Drawing …"


def test_the_limits_of_indecision_and_the_answer_differ_in_print(page: Page, classifier: Classifier) -> None:
    """As where 16.4 % is negative and the band begins at 16.4 %."""
    point = classifier.bundle.config.operating_points[0]
    sentence = page.evaluate(
        """async (point) => {
            const { sayBand } = await import("./parts/meaning.js");
            const config = { min_probability: null };
            const say = (probability) => sayBand({ entry: { answer: { probability } }, config }, point);
            return [say(0.1638), say(0.5)];
        }""",
        {"band": [0.1641, point.band[1]]},
    )
    assert "16.41" in sentence[0]
    assert "16.4" in sentence[1]
    assert "16.41" not in sentence[1]


def test_a_small_picture_is_refused(page: Page) -> None:
    small = to_display(draw_phantom(L, seed=13, size=40))
    (record,) = read(page, {"small.png": png_bytes(small)})
    assert (record["status"], record["reason"]) == ("refused", "too_small")
    assert "40 × 40 pixels, but at least 64 × 64 are needed" in page.inner_text("#detail-sentence")


def test_slices_without_an_answer_are_named_with_their_reason(page: Page) -> None:
    files = series_files([N, L, L, L, N, N])
    for name in [list(files)[at] for at in (0, 1, 4)]:
        files[name] = files[name].replace(b"MONOCHROME2 ", b"RGB         ")
    read(page, files)
    notes = page.inner_text("#detail-notes")
    assert "Slices 1–2, 5 were not read. A colour picture (RGB), as screenshots and 3D views are" in notes
    page.wait_for_selector("#list .entry-more:has-text('Series, 6 slices')", state="attached")


def test_what_was_not_read_is_not_counted_as_read(page: Page) -> None:
    read(page, {"slice.png": GOOD, "notes.txt": b"hello", "page.html": b"<p>"})
    assert page.text_content("#announcer") == "Done: 1 slice read. 2 files were not read; the list says why."
    assert "Neither DICOM nor" in page.inner_text("#list li:has-text('notes.txt')")


def test_a_phone_is_brought_to_the_answer(browser: Browser, app_address: str) -> None:
    with visiting(browser, app_address) as page:
        page.set_viewport_size({"width": 360, "height": 740})
        give(page, {f"{'long-' * 20}{at}.png": GOOD for at in range(3)})
        wait(page)
        at_top = "() => Math.abs(document.getElementById('detail').getBoundingClientRect().top) < 5"
        eventually(lambda: page.evaluate(at_top))
        assert page.is_hidden("#viewer-keys")
        page.click("#list li:nth-child(2) button")
        eventually(lambda: page.evaluate(at_top))
        assert page.evaluate("document.documentElement.scrollWidth") <= 360


@pytest.mark.parametrize("language", ["en", "es", "fr"])
def test_nothing_is_wider_than_the_smallest_phone(browser: Browser, app_address: str, language: str) -> None:
    with visiting(browser, app_address) as page:
        page.set_viewport_size({"width": 320, "height": 640})
        page.select_option("#language", language)
        page.wait_for_selector(f"html[lang={language}]")
        read(page, series_files([N, L, L]) | {f"{'long-' * 20}.dcm": b"no DICOM"})
        right = "one.getBoundingClientRect().right"
        wide = f"[...document.querySelectorAll('main *')].filter((one) => {right} > 320)"
        assert page.evaluate(f"{wide}.map((one) => one.id || one.className)") == []


def test_a_report_has_lines_for_the_patient_and_names_the_series(page: Page) -> None:
    read(page, series_files([N, L, L], StudyDate="20240229", PatientID="secret-17"))
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    page.emulate_media(media="print")
    blank = [one.strip() for one in page.locator("#report .blank").all_inner_texts()]
    assert blank == ["Patient", "Accession number"]
    report = page.inner_text("#report .identity")
    for known in ("2024-02-29", "Thorax 5.0 B60f", "1.2.826.0.1.3680043.8.498.1"):
        assert known in report
    assert "secret-17" not in page.content()


def test_a_notice_changes_its_language_too(page: Page) -> None:
    files = {"study.zip": encode_zip({"readme.txt": b"hello", "a.png": GOOD})}
    read(page, files)
    assert "skipped" in page.inner_text("#notice-text")
    page.select_option("#language", "es")
    page.wait_for_selector("html[lang=es]")
    assert "skipped" not in page.inner_text("#notice-text")


def encode_zip(files: Files) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def test_csv_has_a_line_a_result(page: Page) -> None:
    read(page, {"a.png": png_bytes(shown(L)), "b.txt": b"hello"})
    with page.expect_download() as download:
        page.click("#save-csv")
    lines = download.value.path().read_text(encoding="utf-8").splitlines()
    # The mark by which spreadsheets know that it is UTF-8.
    assert lines[0].startswith("\ufeffschema_version,")
    assert [line.split(",")[2] for line in lines[1:3]] == ["a.png", "b.txt"]


def test_bad_input_is_told_and_the_page_goes_on(page: Page) -> None:
    records = read(page, {name: data for name, (data, _) in BAD.items()} | {"good.png": GOOD})
    messages = {record["path"].split("/")[0]: record["message"] for record in records}
    assert len(records) == len(BAD) + 1
    for name, (_, sentence) in BAD.items():
        assert sentence in (messages[name] or ""), name
    assert [record["status"] for record in records].count("ok") == 1
    page.click("#list li:last-child button")
    assert page.inner_text("#detail-title") == "Not read"
    assert page.is_hidden("#viewer")


def test_a_refused_slice_is_shown_with_its_reason(page: Page) -> None:
    (record,) = read(page, {"photo.png": png_bytes(draw_picture(seed=0))})
    assert record["status"] == "refused"
    assert page.inner_text("#detail-title").startswith("Refused")
    assert page.is_visible("#viewer")


SYNTAXES = [
    "RLELossless",
    "JPEGLosslessProcess14_1",
    "JPEGLSLossless",
    "JPEG2000Lossless",
    "JPEGLSNearLossless",
]


def test_compressed_slices_answer_as_the_plain_one(page: Page, tmp_path: Path) -> None:
    hu = draw_phantom(L, seed=13, size=SIZE)
    plain = write_dicom(tmp_path / "plain.dcm", hu)
    files = {"plain.dcm": plain.read_bytes()}
    for syntax in SYNTAXES:
        files[f"{syntax}.dcm"] = transcode(plain, tmp_path / syntax, syntax).read_bytes()
    for name, syntax in {
        "implicit": uid.ImplicitVRLittleEndian,
        "deflated": uid.DeflatedExplicitVRLittleEndian,
    }.items():
        dataset = ct_dataset(hu)
        dataset.file_meta.TransferSyntaxUID = syntax
        files[f"{name}.dcm"] = dicom_bytes(dataset)
    # One series would drop copies of one instance.
    files = {name: distinct(data, at) for at, (name, data) in enumerate(files.items())}
    records = {record["path"]: record for record in read(page, files) if record["kind"] == "slice"}
    wanted = records["plain.dcm"]["probability"]
    for name in files:
        assert records[name]["probability"] == pytest.approx(wanted, abs=0.01 if "Near" in name else 1e-6), (
            name
        )


def distinct(data: bytes, at: int) -> bytes:
    """The same object in a series of its own: the last digit of its SeriesInstanceUID is another."""
    series = b"1.2.826.0.1.3680043.8.498.1\0"
    return data.replace(series, series[:-2] + str(at).encode() + b"\0", 1)


def test_pictures_are_read_as_python_reads_them(page: Page, classifier: Classifier, tmp_path: Path) -> None:
    pixels = shown(L)
    grey = Image.fromarray(pixels)
    exif = Image.Exif()
    exif[0x0112] = 6
    rgba = Image.merge(
        "RGBA", (grey, grey, grey, Image.fromarray(np.where(pixels > 20, 255, 128).astype(np.uint8)))
    )
    files = {
        "deep.png": encode(Image.fromarray(pixels.astype(np.uint16) * 257)),
        "palette.png": encode(grey.convert("P")),
        "colour.png": encode(Image.merge("RGB", (grey, grey.rotate(3), grey))),
        "alpha.png": encode(rgba),
        "turned.jpg": encode(grey, "JPEG", exif=exif, quality=95),
        "plain.jpg": encode(grey, "JPEG", quality=90),
        "plain.bmp": encode(grey, "BMP"),
        "plain.webp": encode(grey.convert("RGB"), "WEBP", lossless=True),
        "plain.gif": encode(grey, "GIF"),
        "photograph.jpg": encode_photograph(grey, ExposureTime=0.01),
        "cmyk.jpg": encode(grey.convert("RGB").convert("CMYK"), "JPEG", quality=95),
    }
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    expected = {path.path: path for path in classifier.predict_many([tmp_path / name for name in files])}
    records = read(page, files)
    for record in records:
        result = expected[str(tmp_path / record["path"])]
        assert (record["status"], record["reason"]) == (result.status, result.reason), record["path"]
        if result.probability is not None:
            assert record["probability"] == pytest.approx(result.probability, abs=0.01), record["path"]


def test_five_hundred_files_and_a_stop(page: Page) -> None:
    small = png_bytes(to_display(draw_phantom(N, size=64)))
    give(page, {f"{at:03}.png": small for at in range(500)})
    page.wait_for_selector("#list li:nth-child(2)")
    page.click("#work-stop")
    page.wait_for_selector("#work", state="hidden")
    assert 2 <= page.locator("#list li").count() < 500
    assert len(read(page, {"again.png": small})) == 1


def test_an_older_browser_tells_the_doubts_of_a_series(browser: Browser, app_address: str) -> None:
    """One without what browsers of 2023 and before lack."""
    with visiting(browser, app_address) as page:
        page.add_init_script("delete Map.groupBy; delete Object.groupBy")
        page.reload()
        page.wait_for_selector("html[data-ready]")
        files = series_files([N, L, L, N])
        first = next(iter(files))
        files[first] = files[first].replace(b"MONOCHROME2 ", b"RGB         ")
        read(page, files)
        assert "was not read. A colour picture (RGB)" in page.inner_text("#detail-notes")


def test_a_file_that_is_far_too_large_is_not_read(page: Page, tmp_path: Path) -> None:
    with (tmp_path / "huge.dcm").open("wb") as file:
        file.truncate(300 * 1024 * 1024)
    page.set_input_files("#pick-files", [tmp_path / "huge.dcm"])
    wait(page)
    assert "at most 268 MB are read" in page.inner_text("#detail-sentence")


def test_two_hundred_megabytes_are_no_slice(page: Page, tmp_path: Path) -> None:
    with (tmp_path / "large.dcm").open("wb") as file:
        file.truncate(200_000_000)
    page.set_input_files("#pick-files", [tmp_path / "large.dcm"])
    wait(page)
    assert page.inner_text("#detail-title") == "Not read"
    assert "Neither DICOM nor" in page.inner_text("#detail-sentence")
    assert len(read(page, {"slice.png": GOOD})) == 1


def test_names_are_only_ever_shown(page: Page) -> None:
    check_names_are_only_shown(page, GOOD)


def test_a_second_tab_and_a_reload_in_the_middle(browser: Browser, app_address: str) -> None:
    files = {f"{at}.png": GOOD for at in range(30)}
    with visiting(browser, app_address) as page:
        other = page.context.new_page()
        other.goto(app_address)
        other.wait_for_selector("html[data-ready]")
        give(page, files)
        page.wait_for_selector("#list li")
        assert len(read(other, {"other.png": GOOD})) == 1
        page.on("dialog", lambda dialog: dialog.accept())
        page.reload()
        page.wait_for_selector("html[data-ready]")
        assert len(read(page, {"after.png": GOOD})) == 1


def test_files_given_while_others_are_read_are_told_to_wait(page: Page) -> None:
    give(page, {f"{at}.png": GOOD for at in range(40)})
    page.wait_for_selector("#list li")
    give(page, {"late.png": GOOD})
    page.wait_for_selector("#notice:not([hidden])")
    assert "already being read" in page.inner_text("#notice-text")
    page.click("#work-stop")
    page.wait_for_selector("#work", state="hidden")


def test_a_series_that_is_broken_off_leaves_its_slices(page: Page) -> None:
    give(page, series_files([N] * 11))
    page.wait_for_selector("#list li", state="attached")
    page.click("#work-stop")
    page.wait_for_selector("#work", state="hidden")
    assert "being read" not in page.inner_text("#list")
    assert "has no answer of its own" in page.inner_text("#notice-text")
    assert all(record["kind"] == "slice" for record in save(page))


@pytest.mark.parametrize(("language", "word"), [("en", "Positive"), ("es", "Positivo"), ("fr", "Positif")])
def test_a_report_prints_on_one_sheet(page: Page, language: str, word: str) -> None:
    page.select_option("#language", language)
    page.wait_for_selector(f"html[lang={language}]")
    files = series_files([N, L, L, L, L, L, N, N], SliceThickness=3)
    # Gaps, a slice that cannot be read, distances that vary: as many notes as a study may have.
    for name in list(files)[5:6]:
        del files[name]
    first = next(iter(files))
    files[first] = files[first].replace(b"MONOCHROME2 ", b"RGB         ")
    read(page, files)
    page.wait_for_selector("#stage[data-drawn]")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    page.emulate_media(media="print")
    assert page.locator("#report ul li").count() >= 5
    assert word in page.inner_text("#report h2")
    assert "PPV" in page.inner_text("#report") or "VPP" in page.inner_text("#report")
    assert page.locator("#report img").count() == 2
    assert page.is_hidden("main")
    for paper in ({"prefer_css_page_size": True}, {"format": "A4"}, {"format": "Letter"}):
        assert page.pdf(**paper).count(b"/Type /Page\n") == 1


def test_a_report_shows_no_picture_of_another_slice(page: Page) -> None:
    read(page, series_files([N, L, L, L]))
    page.wait_for_selector("#stage[data-drawn]")
    page.evaluate(
        "document.querySelector('#stage').dispatchEvent(new KeyboardEvent('keydown', { key: 'Home' }));"
        "dispatchEvent(new Event('beforeprint'))"
    )
    assert page.locator("#report img").count() == 0
    page.emulate_media(media="print")
    assert "print again" in page.inner_text("#report")
    page.wait_for_selector("#stage[data-drawn='0']", state="attached")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.locator("#report img").count() == 2


def test_everything_can_be_done_with_the_keyboard(page: Page) -> None:
    read(page, series_files([N, L, L, L]) | {"one.png": GOOD})
    unfold(page)
    page.evaluate("document.body.tabIndex = -1; document.body.focus()")
    reached = []
    for _ in range(45):
        page.keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement.id || document.activeElement.className"))
    wanted = [
        "skip",
        "language",
        "about-open",
        "pick-files",
        "pick-folder",
        "window",
        "centre",
        "width",
        "tool",
        "opacity",
        "beside",
        "fit",
    ]
    wanted += ["stage", "slice", "point", "prevalence", "save-json", "save-csv", "print", "clear"]
    assert [one for one in reached if one in wanted][: len(wanted)] == wanted
    assert page.locator("#list li:nth-child(1) button[aria-current]").count() == 1  # the series
    page.focus("#list li:nth-child(2) button")
    page.keyboard.press("Enter")
    page.wait_for_selector("#list li:nth-child(2) button[aria-current]")
    assert page.inner_text("#detail-path") == "one.png"
    assert page.evaluate("document.activeElement.className").startswith("entry")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(browser: Browser, app_address: str, scheme: Any) -> None:
    if not AXE.is_file():
        pytest.skip("axe-core is not here (run scripts/vendor)")
    with visiting(browser, app_address, color_scheme=scheme) as page:
        for files in ({}, series_files([N, L, L, L]) | {"one.png": GOOD, "two.txt": b"hello"}):
            if files:
                read(page, files)
            page.evaluate(AXE.read_text(encoding="utf-8"))
            found = page.evaluate("axe.run(document)")["violations"]
            assert not [(one["id"], one["impact"], [node["html"] for node in one["nodes"]]) for one in found]


@pytest.mark.parametrize(("language", "word"), [("es", "Positivo"), ("fr", "Positif")])
def test_it_speaks_other_languages(page: Page, language: str, word: str) -> None:
    read(page, {"slice.png": png_bytes(shown(L))})
    page.select_option("#language", language)
    page.wait_for_selector(f"html[lang={language}]")
    page.wait_for_selector(f"#detail-title:has-text('{word}')")
    assert page.locator("#point option").first.inner_text() != "Balanced"


def test_after_one_visit_it_needs_no_network(browser: Browser, web_app: Path) -> None:
    context = browser.new_context(locale="en-GB")
    page = context.new_page()
    page.set_default_timeout(120_000)
    with serving(web_app) as address:
        page.goto(address)
        page.wait_for_selector("#offline:not([hidden])")
    # The server is gone.
    page.reload()
    page.wait_for_selector("html[data-ready]")
    (record,) = read(page, {"slice.png": png_bytes(shown(L))})
    assert record["decision"] == "positive"
    compressed = read(page, {"a.zip": locked()})
    assert compressed[0]["status"] == "error"
    context.close()


def test_a_folder_deep_in_a_site_works(browser: Browser, web_app: Path, tmp_path: Path) -> None:
    shutil.copytree(web_app, tmp_path / "deep" / "er")
    with serving(tmp_path) as address, visiting(browser, f"{address}deep/er/") as page:
        assert len(read(page, {"slice.png": GOOD})) == 1


def test_a_model_that_was_changed_is_not_used(browser: Browser, web_app: Path, tmp_path: Path) -> None:
    shutil.copytree(web_app, tmp_path / "app")
    graph = tmp_path / "app" / "model" / "model.onnx"
    graph.write_bytes(graph.read_bytes()[:-1] + b"!")
    with serving(tmp_path / "app") as address, visiting(browser, address) as page:
        give(page, {"slice.png": GOOD})
        page.wait_for_selector("#notice:not([hidden])")
        assert "not what model.json says" in page.inner_text("#notice-text")
