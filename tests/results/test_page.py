from __future__ import annotations

import re
import shutil
import subprocess
from base64 import b64decode
from dataclasses import replace
from html.parser import HTMLParser
from io import BytesIO
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from PIL import Image

from answers import to_notes
from bundles import write_tiny_bundle
from covidct.apps.cli.commands.predict_report import render_report, write_report
from covidct.errors import ReadError
from covidct.inference.classifier import Classifier
from covidct.results.finding_words import WORDS
from covidct.results.montage import OVERVIEW, show_overview, show_telling, spread
from covidct.results.series_curve import draw_curve, to_positions
from covidct.series.study import read_study
from covidct.series.types import SeriesAnswer
from covidct.types import DISCLAIMER, Finding
from figures.predictions import predicted, with_prediction
from stacks import save, stack, volume

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
NAMES: dict[str, Any] = {
    "PatientID": "P-<77>",
    "AccessionNumber": "A88",
    "SeriesDescription": "<b>lung & co",
    "StudyDate": "20240131",
}


@pytest.fixture(scope="module")
def classifier(tiny_bundle: Path) -> Classifier:
    return Classifier.load(tiny_bundle, threads=1)


@pytest.fixture(scope="module")
def answer(classifier: Classifier, tmp_path_factory: pytest.TempPathFactory) -> SeriesAnswer:
    folder = save(tmp_path_factory.mktemp("Doe^Jane") / "s", stack(volume(8, lesions=(2, 3)), **NAMES))
    return classifier.predict_series(read_study([folder]).series[0])


class Outside(HTMLParser):
    """Whatever a page would ask others for."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[str] = []
        self.tags: list[str] = []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.asked += [
            value or ""
            for name, value in attributes
            if name in ("src", "href", "data", "action", "srcset") and not (value or "").startswith("data:")
        ]


def test_the_page_asks_for_nothing(classifier: Classifier, answer: SeriesAnswer) -> None:
    page = render_report([answer], classifier.bundle)
    outside = Outside()
    outside.feed(page)
    assert outside.asked == []
    assert "script" not in outside.tags
    assert "url(" not in page
    assert outside.tags.count("section") == 2
    assert outside.tags.count("img") == 2 * 5 + 8


def test_a_calibrated_series_has_figures_of_its_own(tmp_path: Path) -> None:
    two = Classifier.load(write_tiny_bundle(tmp_path / "two", asks_twice=True), threads=1)
    folder = save(tmp_path / "s", stack(volume(8, lesions=(2, 3))))
    answer = two.predict_series(read_study([folder]).series[0])
    page = render_report([answer], two.bundle)
    assert "calibrated on series and pseudo-series of hospitals left out of training" in page
    assert "Slices, not studies" not in page
    assert "measured on slices" not in page
    assert WORDS[Finding.NEGATIVE] in page
    assert "of the lungs opaque" in page
    assert page.count("<br>no opacity</figcaption>") == 5
    # The curve is of slices: the probability of the series is on another scale.
    assert "series 0." not in draw_curve(answer)
    assert "threshold 0.50" in draw_curve(answer)


def test_what_the_page_says(classifier: Classifier, answer: SeriesAnswer) -> None:
    page = render_report([answer], classifier.bundle)
    assert page.count(DISCLAIMER) == 2  # on each sheet
    assert "measured on slices, not on studies" in page
    assert f"probability {answer.result.probability:.2f}" in page
    for words in ("2024-01-31", "&lt;b&gt;lung &amp; co", "64 x 64", "Signature", "sensitivity 0.90"):
        assert words in page
    assert "<b>lung" not in page


def test_ids_only_where_they_are_asked_for(classifier: Classifier, answer: SeriesAnswer) -> None:
    page = render_report([answer], classifier.bundle)
    for secret in ("P-&lt;77&gt;", "A88", "Doe^Jane"):
        assert secret not in page
        assert secret in render_report([answer], classifier.bundle, identify=True)


def test_many_notes_are_cut(classifier: Classifier, answer: SeriesAnswer) -> None:
    assert answer.result.series is not None
    noted = replace(answer.result.series, notes=to_notes(f"note {at}." for at in range(9)))
    page = render_report([replace(answer, result=replace(answer.result, series=noted))], classifier.bundle)
    assert "note 2." in page
    assert "note 3." not in page
    assert "and 6 more" in page


def test_a_refused_series_has_a_page(classifier: Classifier, tmp_path: Path) -> None:
    blank = [hu * 0 - 1000 for hu in volume(4)]
    refused = classifier.predict_series(read_study([save(tmp_path, stack(blank))]).series[0])
    page = render_report([refused], classifier.bundle)
    assert "Refused: no slice with lung to answer for" in page
    assert str(tmp_path) not in page


def test_a_slice_that_is_gone_stops_the_page(classifier: Classifier, tmp_path: Path) -> None:
    folder = save(tmp_path / "s", stack(volume(4)))
    found = classifier.predict_series(read_study([folder]).series[0])
    shutil.rmtree(folder)
    with pytest.raises(ReadError, match="no such file"):
        write_report(tmp_path / "page.html", [found], classifier.bundle, identify=False)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium to print with")
def test_it_prints_on_two_sheets_a_series(
    classifier: Classifier, answer: SeriesAnswer, tmp_path: Path
) -> None:
    assert CHROMIUM is not None
    assert answer.result.series is not None
    # As long as a page gets: ids, many notes.
    noted = replace(
        answer.result.series, notes=to_notes(["Distances of neighbouring slices vary very much. " * 3] * 5)
    )
    long = replace(answer, result=replace(answer.result, series=noted))
    write_report(tmp_path / "page.html", [long, answer], classifier.bundle, identify=True)
    pdf = tmp_path / "page.pdf"
    options = [
        "--headless",
        "--no-sandbox",
        "--no-pdf-header-footer",
        f"--user-data-dir={tmp_path / 'browser'}",
    ]
    subprocess.run(
        [CHROMIUM, *options, f"--print-to-pdf={pdf}", (tmp_path / "page.html").as_uri()],
        check=True,
        capture_output=True,
        timeout=100,
    )
    content = pdf.read_bytes()
    assert len(re.findall(rb"/Type\s*/Page[^s]", content)) == 4
    box = re.search(rb"/MediaBox\s*\[\s*0 0 ([\d.]+) ([\d.]+)", content)
    assert box is not None
    assert [round(float(side) / 72 * 25.4) for side in box.groups()] == [210, 297]


# --- its parts


def test_the_curve_is_sound_svg(answer: SeriesAnswer) -> None:
    drawing = ElementTree.fromstring(draw_curve(answer))
    assert drawing.tag == "svg"
    assert len(drawing.findall("circle")) == 8
    words = [item.text for item in drawing.findall("text")]
    assert {"1", "2", "3", "4", "5"} <= set(words)
    assert f"series {answer.result.probability:.2f}" in words
    heights = [float(item.attrib["cx"]) for item in drawing.findall("circle")]
    assert heights == sorted(heights)


@pytest.mark.parametrize("probability", [0.0, 0.49, 0.5, 0.51, 1.0])
def test_names_of_lines_do_not_cover_each_other(answer: SeriesAnswer, probability: float) -> None:
    moved = replace(answer, result=with_prediction(answer.result, probability=probability))
    names = {
        (item.text or "").partition(" ")[0]: float(item.attrib["y"])
        for item in ElementTree.fromstring(draw_curve(moved)).findall("text")
    }
    assert abs(names["series"] - names["threshold"]) >= 12.9
    # (Upwards is less.)
    threshold = predicted(answer.result).operating_point.threshold
    assert (names["series"] < names["threshold"]) is (probability >= threshold)


def test_positions_are_from_the_lowest(answer: SeriesAnswer) -> None:
    assert to_positions(answer) == pytest.approx([0, 5, 10, 15, 20, 25, 30, 35])


def test_pictures(answer: SeriesAnswer) -> None:
    telling = show_telling(answer)
    assert answer.result.series is not None
    assert tuple(item.slice_index for item in telling) == answer.result.series.telling
    assert any(item.plain != item.overlay for item in telling)
    assert [item.slice_index for item in show_overview(answer)] == list(range(8))
    with Image.open(_decode(telling[0].plain)) as image:
        # Pixels are 0.7 mm high and 0.8 mm wide.
        assert (image.format, image.size) == ("JPEG", (256, 224))


def _decode(uri: str) -> BytesIO:
    return BytesIO(b64decode(uri.partition(",")[2]))


@pytest.mark.parametrize("count", [1, 20, 21, 22, 300])
def test_the_overview_is_spread_evenly(count: int) -> None:
    places = spread(range(count), OVERVIEW)
    assert len(places) == min(count, OVERVIEW)
    assert (places[0], places[-1]) == (0, count - 1)
    assert len(set(places)) == len(places)
