"""What the page says in each of its languages, on screen and on paper."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from services.browsers import visiting
from services.page_driver import GOOD, L, N, give, read, series_files, wait
from services.page_driver import kept as kept  # fixtures
from services.page_driver import page as page

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

FINDINGS = {
    "en": ("Typical appearance of COVID-19", "opacity: ", "of the lung volume opaque"),
    "es": ("Apariencia típica de COVID-19", "opacidad: probabilidad ", "del volumen pulmonar opaco"),
    "fr": (
        "Aspect typique de la COVID-19",
        "opacité\N{NO-BREAK SPACE}: probabilité ",
        "du volume pulmonaire opaque",
    ),
}
JOINER = "\N{WORD JOINER}"  # keeps the name of the disease on one line
FINDING = {"logit": 1, "typical": 9, "extent": 0.123, "lung": 0.2, "probability": 0.91, "finding": "typical"}


def speak(page: Page, language: str) -> None:
    page.select_option("#language", language)
    page.wait_for_selector(f"html[lang={language}]")


def print_report(page: Page) -> str:
    """What the report says on paper."""
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    page.emulate_media(media="print")
    return page.inner_text("#report")


@pytest.mark.parametrize("language", FINDINGS)
def test_findings_are_named_on_screen_and_in_print(page: Page, language: str) -> None:
    speak(page, language)
    read(page, series_files([N, L, L, L]))
    said = page.inner_text("#detail-finding")
    shown = page.evaluate(
        """async (opacity) => {
        const { sayFinding } = await import("./words/wording.js");
        return sayFinding({ kind: "series", opacity });
    }""",
        FINDING,
    )
    assert all(part in shown for part in FINDINGS[language])
    # This series' own, whatever the model that ships finds there: same words, on paper as on screen.
    assert FINDINGS[language][2] in said
    assert said.replace(JOINER, "") in print_report(page)


@pytest.mark.parametrize("language", FINDINGS)
def test_picture_answer_and_strip_are_on_one_screen_in_each_language(
    browser: Browser, app_address: str, language: str
) -> None:
    with visiting(browser, app_address, viewport={"width": 1366, "height": 768}) as page:
        speak(page, language)
        give(page, series_files([N, L, L, L, N]))
        wait(page)
        page.wait_for_selector("#stage[data-drawn]")
        for name in ("#detail-title", "#detail-probability", "#stage", "#strip", "#slice"):
            box = page.locator(name).bounding_box()
            assert box is not None
            assert 0 <= box["y"] <= 768 - box["height"], name


@pytest.mark.parametrize("language", FINDINGS)
def test_texts_of_a_series_speak_of_series(page: Page, language: str) -> None:
    speak(page, language)
    read(page, series_files([N, L, L, L]))
    word = {"en": "series", "es": "series", "fr": "séries"}[language]
    for name in ("#detail-assumes", "#prevalence-sentence", "#prevalence-label"):
        assert word in (page.text_content(name) or ""), name
    page.click("#clear")
    read(page, {"slice.png": GOOD})
    for name in ("#detail-assumes", "#prevalence-sentence", "#prevalence-label"):
        assert word not in (page.text_content(name) or ""), name


def test_a_slice_is_printed_as_one_and_a_refusal_without_figures(page: Page) -> None:
    read(page, {"slice.png": GOOD})
    report = print_report(page)
    assert "Slice 1 of 1" not in report
    assert "Figures of the model" in report
    page.emulate_media(media="screen")
    page.click("#clear")
    page.click("[data-example='not-a-ct.png']")
    wait(page)
    report = print_report(page)
    assert "Refused: no answer is given" in report
    assert "Figures of the model" not in report


def test_neck_and_belly_are_no_fault_whatever_they_look_like(page: Page) -> None:
    notes = page.evaluate("""async () => {
        const { toNotes } = await import("./parts/answer.js");
        const slice = (reason) => ({ kind: "slice", status: reason ? "refused" : "ok", reason });
        const series = { answered: 3, slices: 7, evidence_share: 0, telling: [2], notes: [] };
        const reasons = ["not_ct", "no_lung", null, "not_axial", null, null, "wrong_window"];
        const slices = reasons.map(slice);
        const toAnswer = (status) => ({ kind: "series", status, probability: 0.1, series });
        const say = (status) => toNotes({ answer: toAnswer(status), slices });
        return ["ok", "refused"].map((status) => say(status).map((parts) => parts.join("")));
    }""")
    answered, refused = notes
    assert "3 slices without lung, not counted (1–2, 7)." in answered
    assert any(note.startswith("Slice 4 was refused.") for note in answered)
    assert not any("not counted" in note for note in refused)
