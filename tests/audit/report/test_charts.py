from __future__ import annotations

import re
from itertools import pairwise
from xml.etree import ElementTree

import matplotlib as mpl
import numpy as np
import pytest

from covidct.audit.report.charts import COVID, MAX_BARS, OTHER, draw_bars, draw_curves
from covidct.audit.verdict import Bars, Curve
from exhibits import NASTY, make_curve

SVG = "{http://www.w3.org/2000/svg}"


def texts(svg: str) -> list[str]:
    return [element.text or "" for element in ElementTree.fromstring(svg).iter(f"{SVG}text")]


def paths(svg: str, style: str) -> list[str]:
    """Outlines whose style has some words in it."""
    found = ElementTree.fromstring(svg).iter(f"{SVG}path")
    return [path.attrib["d"] for path in found if style in path.attrib.get("style", "")]


def widths(svg: str, color: str) -> list[float]:
    """How wide the bars of a colour are, the key's square first."""
    corners = [re.findall(r"[ML] ([\d.]+) ", path) for path in paths(svg, f"fill: {color}")]
    return [max(map(float, x)) - min(map(float, x)) for x in corners]


def bars_of(n: int) -> Bars:
    return Bars("By source", tuple(f"source-{i}" for i in range(n)), tuple((i, 2 * i) for i in range(n)))


@pytest.mark.parametrize(
    "svg",
    [
        draw_curves([make_curve("a", 0.5)]),
        draw_curves([make_curve(name, 0.5) for name in NASTY]),
        draw_bars(bars_of(3)),
        draw_bars(Bars('Nasty <names> & "all"', NASTY, tuple((1, 2) for _ in NASTY))),
    ],
    ids=["curve", "nasty-curves", "bars", "nasty-bars"],
)
def test_charts_can_stand_in_a_page(svg: str) -> None:
    """Well-formed and sized by the page; nothing shared by id, no style for others, nothing from outside."""
    root = ElementTree.fromstring(svg)
    assert root.tag == f"{SVG}svg"
    assert root.attrib["role"] == "img"
    assert root.attrib["aria-label"]
    assert not {"width", "height"} & set(root.attrib)
    assert not any("id" in element.attrib for element in root.iter())
    assert not [
        element.tag for element in root.iter() if element.tag.endswith(("style", "script", "metadata"))
    ]
    assert not re.search(r"url\(|href|<!--", svg)
    svg.encode()


def test_the_same_bytes_every_time() -> None:
    curves = [make_curve("a", 0.5), make_curve("b", 0.9)]
    assert draw_curves(curves) == draw_curves(curves)
    assert draw_bars(bars_of(4)) == draw_bars(bars_of(4))


def test_the_callers_settings_of_matplotlib_stay() -> None:
    before = dict(mpl.rcParams)
    draw_curves([make_curve("a", 0.5)])
    assert dict(mpl.rcParams) == before


def test_names_are_told_as_they_are() -> None:
    names = ["$x^2$ & <b>", "@1@", "武汉", "{{ 7*7 }}"]
    assert texts(draw_curves([make_curve(name, 0.5) for name in names]))[-4:] == names
    shown = texts(draw_bars(Bars("", tuple(names), tuple((1, 2) for _ in names))))
    assert [text for text in shown if text in names] == names


def test_long_names_keep_their_figure() -> None:
    shown = texts(draw_curves([make_curve("very " * 40 + "long: AUC 0.97 (0.96–0.98)", 0.5)]))[-1]
    assert shown.startswith("very very")
    assert shown.endswith("AUC 0.97 (0.96–0.98)")
    assert len(shown) <= 45


def test_a_curve_runs_where_it_should() -> None:
    """From the lower left corner to the upper right one, through its points."""
    svg = draw_curves([Curve("a", np.array([0, 0.25, 1]), np.array([0, 0.5, 1]))])
    line = paths(svg, "stroke: #0072b2")[0]
    points = [tuple(map(float, pair)) for pair in re.findall(r"([\d.]+) ([\d.]+)", line)]
    (left, bottom), (x, y), (right, top) = points
    assert right - left == pytest.approx(bottom - top, abs=0.01)
    assert (x - left) / (right - left) == pytest.approx(0.25, abs=1e-3)
    assert (bottom - y) / (bottom - top) == pytest.approx(0.5, abs=1e-3)


def test_many_curves_differ_in_colour_or_style() -> None:
    svg = draw_curves([make_curve(f"{i}", 0.5) for i in range(12)])
    lines = re.findall(r'style="(fill: none; stroke[^"]*stroke-width: 1\.8[^"]*)"', svg)
    assert len(lines) == 24
    assert len(set(lines)) == 12


def test_bars_are_as_long_as_their_counts() -> None:
    svg = draw_bars(Bars("", ("a", "b", "c"), ((30, 10), (0, 80), (0, 0))))
    assert widths(svg, COVID)[1:2] == pytest.approx([120], abs=0.01)
    assert [width for width in widths(svg, OTHER)[1:] if width] == pytest.approx([40, 320], abs=0.01)
    assert {"30 / 10", "0 / 80", "0 / 0"} <= set(texts(svg))


def test_bars_lie_below_each_other() -> None:
    found = ElementTree.fromstring(draw_bars(bars_of(5))).iter(f"{SVG}text")
    places = [float(text.attrib["y"]) for text in found if (text.text or "").startswith("source")]
    assert all(above < below for above, below in pairwise(places))


def test_very_many_bars_end_in_one_for_the_rest() -> None:
    shown = texts(draw_bars(bars_of(50)))
    assert sum(text.startswith("source-") for text in shown) == MAX_BARS - 1
    rest = sum(range(MAX_BARS - 1, 50))
    assert f"{50 - MAX_BARS + 1} more" in shown
    assert f"{rest:,} / {2 * rest:,}" in shown


def test_just_enough_bars_are_all_drawn() -> None:
    assert not [text for text in texts(draw_bars(bars_of(MAX_BARS))) if "more" in text]


def test_nothing_to_draw() -> None:
    with pytest.raises(ValueError, match="no curves"):
        draw_curves([])
    with pytest.raises(ValueError, match="no names"):
        draw_bars(Bars("", (), ()))
