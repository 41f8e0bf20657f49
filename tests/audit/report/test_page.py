from __future__ import annotations

import re
from base64 import b64decode
from collections import Counter
from html.parser import HTMLParser
from io import BytesIO
from itertools import pairwise

import numpy as np
import pytest
from PIL import Image

import covidct
from covidct.audit.report.page import to_page
from covidct.audit.verdict import Audit, Check, Figure, Finding, Level, Pair, Table
from covidct.errors import ReadError
from covidct.types import DISCLAIMER, Estimate, Pixels
from exhibits import MARKUP, NASTY, make_audit, show_picture

UNPRINTABLE = re.compile("[\x00-\x09\x0b-\x1f\u202e\ud800-\udfff]")
VOID = {"meta", "link", "img", "br"}


class Reader(HTMLParser):
    """Checks that elements nest, and keeps their tags, attributes and text."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(page)
        self.close()
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.text += data

    def all(self, *tags: str) -> list[dict[str, str | None]]:
        return [attributes for tag, attributes in self.elements if tag in tags]


def page_of(**evidence: object) -> str:
    check = Check("one", "One", "It is so.", **evidence)  # type: ignore[arg-type]
    return to_page(Audit("m.csv", "0" * 64, 10, 5, (check,)), read_picture=show_picture)


def pair_of(first: str, second: str = "b.png") -> Pair:
    return Pair(first, second, ("train", "test"), "Alike.")


@pytest.fixture(scope="module")
def page() -> str:
    return to_page(make_audit(), read_picture=show_picture)


@pytest.fixture(scope="module")
def reader(page: str) -> Reader:
    return Reader(page)


def test_the_page_is_html_with_one_title_and_language(page: str, reader: Reader) -> None:
    assert page.startswith("<!DOCTYPE html>")
    assert reader.all("html") == [{"lang": "en"}]
    assert len(reader.all("h1")) == len(reader.all("main")) == 1
    page.encode()


def test_the_same_audit_gives_the_same_bytes(page: str) -> None:
    assert to_page(make_audit(), read_picture=show_picture) == page
    assert not re.search(r"\b20\d\d-\d\d", page)


def test_nothing_comes_from_outside(page: str, reader: Reader) -> None:
    sources = [attributes["src"] or "" for _, attributes in reader.elements if "src" in attributes]
    links = [attributes["href"] or "" for _, attributes in reader.elements if "href" in attributes]
    assert sources
    assert all(source.startswith("data:image/jpeg;base64,") for source in sources)
    assert all(link.startswith("#") or link == "data:," for link in links)
    assert not reader.all("script", "iframe", "object", "base", "form")
    assert not re.search(r"@import|url\(", page)
    assert set(re.findall(r"https?://[^\"' ]*", page)) == {"http://www.w3.org/2000/svg"}


def test_ids_are_unique_and_links_lead_to_them(reader: Reader) -> None:
    ids = Counter(attributes["id"] for _, attributes in reader.elements if "id" in attributes)
    assert set(ids.values()) == {1}
    wanted = {(a["href"] or "")[1:] for a in reader.all("a", "use")}
    wanted |= {a["aria-labelledby"] or "" for a in reader.all("section")}
    assert wanted <= set(ids)
    assert [a["href"] for a in reader.all("a")] == [f"#check-{check.name}" for check in make_audit().checks]


def test_headings_skip_no_level(reader: Reader) -> None:
    levels = [int(tag[1]) for tag, _ in reader.elements if re.fullmatch(r"h\d", tag)]
    assert levels[0] == 1
    assert all(below <= above + 1 for above, below in pairwise(levels))


def test_tables_and_pictures_say_what_they_are(reader: Reader) -> None:
    assert all(attributes.get("scope") in {"col", "row"} for attributes in reader.all("th"))
    assert len(reader.all("caption")) == len(reader.all("table")) == 3
    assert all(attributes["alt"] for attributes in reader.all("img"))
    assert all("aria-hidden" in a or "aria-label" in a for a in reader.all("svg"))


def test_every_light_has_a_word_and_a_shape(reader: Reader) -> None:
    lights = [(a["class"] or "").split()[1] for a in reader.all("svg") if "light" in (a.get("class") or "")]
    words = [(a["class"] or "").split()[1] for a in reader.all("span") if "word" in (a.get("class") or "")]
    shapes = [(a["href"] or "").removeprefix("#light-") for a in reader.all("use")]
    assert lights == words == shapes
    assert lights[:6] == ["fail", "pass", "warn", "fail", "fail", "warn"]


def test_everything_is_told(reader: Reader) -> None:
    for check in make_audit().checks:
        sentences = [check.title, check.headline, check.advice]
        sentences += [finding.text for finding in check.findings] + [pair.text for pair in check.pairs]
        sentences += [table.title for table in check.tables] + [bars.title for bars in check.bars]
        sentences += [figure.estimate.to_text(3) for figure in check.figures]
        assert not [sentence for sentence in sentences if sentence not in reader.text]
    assert "no interval: the same in every resample" in reader.text
    assert "undefined: no COVID-19 slices" in reader.text


def test_the_foot_says_what_it_is_and_of_what(reader: Reader) -> None:
    foot = reader.text[reader.text.index(DISCLAIMER) :]
    assert f"covidct {covidct.__version__}" in foot
    assert make_audit().digest in foot


def test_names_are_told_and_do_nothing(page: str, reader: Reader) -> None:
    assert MARKUP in reader.text
    assert "<script" not in page
    assert "<i>train" not in page
    assert "{{ 7*7 }}" in reader.text
    assert not UNPRINTABLE.search(page)


@pytest.mark.parametrize("name", NASTY)
def test_nasty_names_in_every_place(name: str) -> None:
    """Whatever a name is, the elements are those of a good one."""

    def elements(name: str) -> list[str]:
        check = Check(
            "one",
            name,
            name,
            name,
            (Finding(Level.WARN, name, (name,)),),
            (Figure(name, name, Estimate(0.5, None, None, 3, name)),),
            (Table(name, (name, name), ((name, name),)),),
            pairs=(Pair(name, name, (name, name), name),),
        )
        audit = Audit(name, "0" * 64, 10, 5, (check,))
        page = to_page(audit, read_picture=show_picture)
        assert not UNPRINTABLE.search(page)
        return [tag for tag, _ in Reader(page).elements]

    assert elements(name) == elements("good.png")


def test_intervals_are_drawn_where_they_are() -> None:
    figures = (
        Figure("a", "AUC", Estimate(0.5, 0.25, 0.75, 9)),
        Figure("b", "AUC", Estimate(1.0, None, None, 9, "no interval")),
        Figure("c", "AUC", Estimate(None, None, None, 9, "undefined")),
    )
    lines = Reader(page_of(figures=figures)).all("line")
    assert [(a["x1"], a["x2"]) for a in lines if a.get("class") == "interval"] == [("25.00%", "75.00%")]
    assert [a["x1"] for a in lines if a.get("class") == "mark"] == ["50.00%", "100.00%"]


def test_numbers_stand_to_the_right_and_words_to_the_left() -> None:
    rows = (("a", "1,220", "PNG", "0.93 (0.90–0.95)"), ("b", "–", "12", "5 %"))
    cells = Reader(page_of(tables=(Table("T", ("Name", "n", "Format", "AUC"), rows),))).all("td")
    assert [a.get("class") for a in cells] == ["number", None, "number"] * 2


def test_rows_may_be_uneven_or_missing() -> None:
    uneven = Table("Uneven", ("Name", "n"), (("a",), ("b", "1", "2")))
    text = Reader(page_of(tables=(uneven, Table("Empty", ("Name",), ())))).text
    assert "None." in text


def test_very_many_files_rows_and_pairs_make_no_large_page() -> None:
    files = tuple(f"folder-{'x' * 200}/{i:05}.png" for i in range(10_000))
    table = Table("Many", ("Name", "n"), tuple((f"row-{i}", "1") for i in range(10_000)))
    pairs = tuple(pair_of(f"{i}.png") for i in range(100))
    page = page_of(findings=(Finding(Level.FAIL, "Many.", files),) * 5, tables=(table,), pairs=pairs)
    text = Reader(page).text
    assert len(page) < 600_000
    assert "10,000 files" in text
    assert "and 9,800 more; the JSON document lists them all." in text
    assert "and 9,800 more rows" in text
    assert "and 88 more pairs" in text
    assert "00199.png" in text
    assert "00200.png" not in text


def test_only_what_is_shown_is_read() -> None:
    asked: list[str] = []

    def read_picture(path: str) -> Pixels:
        asked.append(path)
        return show_picture(path)

    pairs = tuple(pair_of(f"{i}.png") for i in range(100))
    audit = Audit("m.csv", "0" * 64, 10, 5, (Check("one", "One", "So.", pairs=pairs),))
    to_page(audit, read_picture=read_picture)
    assert Counter(asked) == {f"{i}.png": 1 for i in range(12)} | {"b.png": 1}


@pytest.mark.parametrize(
    ("shape", "size"),
    [((512, 256), (80, 160)), ((40, 60), (60, 40)), ((1, 4000), (160, 1)), ((1, 1), (1, 1))],
)
def test_thumbnails(shape: tuple[int, int], size: tuple[int, int]) -> None:
    """At most 160 pixels, never larger than the slice, grey levels kept."""
    check = Check("one", "One", "So.", pairs=(pair_of("a.png"),))
    audit = Audit("m.csv", "0" * 64, 10, 5, (check,))
    page = to_page(audit, read_picture=lambda path: np.full(shape, 90, np.uint8))
    data = b64decode((Reader(page).all("img")[0]["src"] or "").partition(",")[2])
    with Image.open(BytesIO(data)) as image:
        assert image.size == size
        assert image.mode == "L"
        assert abs(np.asarray(image).astype(int) - 90).max() <= 2


@pytest.mark.parametrize("error", [ReadError("damaged"), FileNotFoundError("gone"), ValueError("null byte")])
def test_a_picture_that_cannot_be_read_leaves_a_note(error: Exception) -> None:
    def read_picture(path: str) -> Pixels:
        if path == "a.png":
            raise error
        return show_picture(path)

    check = Check("one", "One", "So.", pairs=(pair_of("a.png"),))
    reader = Reader(to_page(Audit("m.csv", "0" * 64, 10, 5, (check,)), read_picture=read_picture))
    assert len(reader.all("img")) == 1
    assert "This picture cannot be read." in reader.text


def test_other_errors_are_not_hidden() -> None:
    def read_picture(path: str) -> Pixels:
        raise KeyError(path)

    check = Check("one", "One", "So.", pairs=(pair_of("a.png"),))
    with pytest.raises(KeyError):
        to_page(Audit("m.csv", "0" * 64, 10, 5, (check,)), read_picture=read_picture)


def test_an_audit_of_nothing() -> None:
    text = Reader(to_page(Audit("m.csv", "0" * 64, 0, 0, ()), read_picture=show_picture)).text
    assert "Nothing was checked." in text
    assert "%" not in text


def luminance(color: str) -> float:
    """Relative luminance (WCAG 2.2) of #rrggbb."""
    channels = np.array([int(color[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
    return float(linear @ (0.2126, 0.7152, 0.0722))


def contrast(first: str, second: str) -> float:
    dark, light = sorted((luminance(first), luminance(second)))
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
def test_letters_can_be_read_in_both_themes(page: str, theme: int) -> None:
    """Contrast of at least 4.5, which WCAG 2.2 calls AA."""
    blocks = re.findall(r":root \{(.*?)\}", page, flags=re.DOTALL)
    colors = dict(re.findall(r"--([\w-]+): (#\w{6})", blocks[theme]))
    letters = ("ink", "grey", "link", "pass", "warn", "fail", "chart-ink", "chart-grey")
    pairs = [(name, back) for name in letters for back in ("paper", "card", "tint")]
    pairs += [(name, f"{level}-tint") for level in ("pass", "warn", "fail") for name in ("ink", level)]
    pairs += [("on-light", level) for level in ("pass", "warn", "fail")]
    assert not [pair for pair in pairs if contrast(colors[pair[0]], colors[pair[1]]) < 4.5]


def test_commands_are_code_and_markup_in_names_is_not() -> None:
    check = Check(
        "labels", "Labels", "One.", "Run `covidct split <b>`.", (Finding(Level.WARN, "as a`<i>.png"),)
    )
    page = to_page(Audit("m.csv", "0", 1, 1, (check,)), read_picture=show_picture)
    assert "Run <code>covidct split &lt;b&gt;</code>." in page
    assert "as a`&lt;i&gt;.png" in page
