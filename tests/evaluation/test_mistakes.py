from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.figure import Figure
from PIL import Image

from bundles import BIASES, SHIFT, TEMPERATURE
from covidct import Classifier
from covidct.data.manifest import DataPlan, read_manifest
from covidct.evaluation.measure import evaluate_rows, look_again
from covidct.evaluation.mistakes import (
    LEAST,
    Mistake,
    Picture,
    find_full,
    find_mistakes,
    measure_width,
    plot_mistakes,
    shorten,
    to_drawable,
    to_picture,
)
from covidct.evaluation.report import Protocol, to_report
from covidct.evaluation.report_files import write_report
from covidct.evaluation.report_json import to_json
from covidct.evaluation.sections import Scored
from covidct.images.hounsfield import to_display
from covidct.inference.overlay import FULL, to_overlay
from covidct.types import Pixels
from makers import phantom_hu, write_png
from training import write_phantoms

SHOWN = to_display(phantom_hu(size=96))
MAP = np.array([[9, -4, 0], [0, 2, 0]], np.float32)


def score(probability: float, label: int, name: str = "x.png") -> Scored:
    return Scored(
        f"/data/{name}", label, "here", "", probability, "positive" if probability >= 0.5 else "negative"
    )


def draw(
    folder: Path, rows: list[Scored], picture: Picture | None, *, most: int = 25
) -> tuple[Pixels, tuple[Mistake, ...]]:
    mistakes = find_mistakes(rows, threshold=0.5, most=most)
    path = folder / "mistakes.png"
    plot_mistakes(mistakes, [picture] * len(mistakes), path, n=len(rows), threshold=0.5)
    with Image.open(path) as image:
        assert image.format == "PNG"
        return np.asarray(image.convert("RGB")), mistakes


# --- which


def test_the_worst_come_first_right_ones_too() -> None:
    rows = [score(0.9, 1), score(0.2, 1), score(0.7, 0), score(0.4, 0), score(0.05, 0)]
    mistakes = find_mistakes(rows, threshold=0.5, most=4)
    assert [mistake.row for mistake in mistakes] == [rows[1], rows[2], rows[3], rows[0]]
    assert [mistake.wrong for mistake in mistakes] == [True, True, False, False]
    losses = [-math.log(given) for given in (0.2, 0.3, 0.6, 0.9)]
    assert [mistake.loss for mistake in mistakes] == pytest.approx(losses)


def test_wrong_is_meant_at_the_threshold_which_itself_is_positive() -> None:
    rows = [score(0.3, 1), score(0.3, 0), score(0.2, 1), score(0.2, 0)]
    wrong = {mistake.row: mistake.wrong for mistake in find_mistakes(rows, threshold=0.3)}
    assert [wrong[row] for row in rows] == [False, True, True, False]


@pytest.mark.parametrize(
    ("probability", "label", "decision", "word"),
    [
        (0.9, 1, "positive", "right"),
        (0.1, 0, "negative", "right"),
        (0.9, 0, "positive", "false alarm"),
        (0.1, 1, "negative", "missed"),
        (0.9, 0, "indeterminate", "indeterminate"),
        (0.1, 1, "indeterminate", "indeterminate"),
        (0.9, 1, "indeterminate", "indeterminate"),
        (0.9, 0, None, "false alarm"),
    ],
)
def test_who_cannot_tell_is_neither_right_nor_wrong(
    probability: float, label: int, decision: str | None, word: str
) -> None:
    (mistake,) = find_mistakes([replace(score(probability, label), decision=decision)], threshold=0.5)
    assert mistake.verdict == word


def test_certainty_has_a_loss_that_ends() -> None:
    losses = [mistake.loss for mistake in find_mistakes([score(0.0, 1), score(1.0, 0)], threshold=0.5)]
    assert losses == pytest.approx([-math.log(1e-7)] * 2)
    (right,) = find_mistakes([score(1.0, 1)], threshold=0.5)
    assert str(right.loss) == "0.0"


def test_of_equal_losses_the_first_come_first() -> None:
    rows = [score(0.5, at % 2, f"{at}.png") for at in range(30)]
    assert [mistake.row for mistake in find_mistakes(rows, threshold=0.5)] == rows[:25]


@given(
    st.lists(st.tuples(st.floats(0, 1), st.integers(0, 1)), max_size=60), st.integers(1, 30), st.floats(0, 1)
)
def test_none_that_is_left_out_is_worse(
    answers: list[tuple[float, int]], most: int, threshold: float
) -> None:
    rows = [score(probability, label) for probability, label in answers]
    mistakes = find_mistakes(rows, threshold=threshold, most=most)
    everything = find_mistakes(rows, threshold=threshold, most=len(rows))
    assert len(mistakes) == min(most, len(rows))
    assert mistakes == everything[: len(mistakes)]
    losses = [mistake.loss for mistake in everything]
    assert losses == sorted(losses, reverse=True)
    assert all(0 <= loss <= 16.2 for loss in losses)


# --- the sheet


@pytest.mark.parametrize(("count", "cells"), [(1, (2, 1)), (2, (2, 1)), (7, (3, 3)), (25, (3, 9))])
def test_the_sheet_is_as_large_as_it_must(count: int, cells: tuple[int, int], tmp_path: Path) -> None:
    rows = [score(0.5, 1) for _ in range(count)]
    sheet, _ = draw(tmp_path, rows, None)
    height, width = sheet.shape[:2]
    assert abs(width / 150 * 72 - (48 + cells[0] * 226 + (cells[0] - 1) * 18)) < 1
    assert abs(height / 150 * 72 - (96 + cells[1] * 153 + (cells[1] - 1) * 18)) < 1
    assert max(sheet.shape) < 4000


def tiles(sheet: Pixels) -> tuple[Pixels, Pixels]:
    """The two tiles of the first cell."""
    points = 150 / 72
    top, bottom = round(72 * points), round((72 + 112) * points)
    first, second, end = (round((24 + left) * points) for left in (0, 114, 226))
    return sheet[top:bottom, first : round((24 + 112) * points)], sheet[top:bottom, second:end]


def shrink(picture: Pixels, *, size: int = 24) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    return np.asarray(Image.fromarray(picture).resize((size, size), Image.Resampling.BOX), np.float64)


def test_the_slice_stands_beside_its_evidence(tmp_path: Path) -> None:
    sheet, _ = draw(tmp_path, [score(0.9, 0)], to_picture(SHOWN, MAP))
    plain, explained = tiles(sheet)
    assert np.abs(shrink(plain)[..., 0] - shrink(SHOWN)).mean() < 4
    # The strongest evidence of the sheet, 9, has the full colour.
    assert np.abs(shrink(explained) - shrink(to_overlay(SHOWN, MAP * (FULL / 9)))).mean() < 4
    assert (plain == plain[..., :1]).all()
    assert np.abs(shrink(plain)[::-1, :, 0] - shrink(SHOWN)).mean() > 8


@settings(max_examples=12, deadline=None)
@given(st.integers(1, 1500), st.integers(1, 1500), st.integers(1, 9), st.integers(1, 9))
def test_slices_of_any_shape_keep_it(
    tmp_path_factory: pytest.TempPathFactory, height: int, width: int, rows: int, columns: int
) -> None:
    evidence = np.full((rows, columns), -1, np.float32)
    picture = to_picture(np.full((height, width), 255, np.uint8), evidence)
    sheet, _ = draw(tmp_path_factory.mktemp("sheet"), [score(0.9, 0)], picture)
    bright = tiles(sheet)[0][..., 0] > 200
    shown = bright.any(axis=1).sum(), bright.any(axis=0).sum()
    longest = max(height, width)
    expected = [max(1, 112 * side / longest) * 150 / 72 for side in (height, width)]
    assert np.abs(np.subtract(shown, expected)).max() <= 3


@pytest.mark.parametrize(
    ("highest", "full"), [((9, 4), 9), ((35, 2), FULL), ((0.2, -3), LEAST), ((-5,), LEAST), ((), FULL)]
)
def test_colours_reach_as_far_as_the_evidence(highest: tuple[float, ...], full: float) -> None:
    pictures = [to_picture(SHOWN, np.full((2, 2), value, np.float32)) for value in highest]
    assert find_full([*pictures, None]) == full


def test_a_map_of_one_cell_colours_the_whole_slice(tmp_path: Path) -> None:
    sheet, _ = draw(tmp_path, [score(0.9, 0)], to_picture(SHOWN, np.full((1, 1), 3, np.float32)))
    explained = tiles(sheet)[1][4:-4, 4:-4].astype(int)
    assert (explained[..., 0] > explained[..., 2] + 10).all()


@pytest.mark.parametrize(
    "name",
    [
        "x" * 250,
        "日本語のスライス",
        "$\\frac{1}{",
        "a\nb\tc",
        "bidi\u202e",
        "\ud800",
        "😀",
        "%s{}",
        "e\u0301" * 99,
        " ",
    ],
)
def test_names_of_all_kinds(name: str, tmp_path: Path) -> None:
    """Warnings are errors here: a letter that the font lacks would be one."""
    rows = [replace(score(0.9, 0, f"{name}.png"), source=name, decision="indeterminate")]
    sheet, _ = draw(tmp_path, rows, None)
    beyond = sheet[:, round((24 + 226 + 6) * 150 / 72) : round((24 + 226 + 14) * 150 / 72)]
    assert (beyond[round(72 * 150 / 72) :] == 255).all()


def write(text: str, width: float) -> tuple[str, float]:
    """What is left of a text, and how wide it is drawn."""
    artist = Figure(dpi=150).text(
        0, 0, to_drawable(text), fontsize=8.5, family="DejaVu Sans", parse_math=False
    )
    shorten(artist, width)
    return artist.get_text(), measure_width(artist)


@settings(deadline=None)
@given(st.text(max_size=80), st.floats(12, 300))
def test_text_fits(text: str, width: float) -> None:
    """Warnings are errors here too."""
    shown, drawn = write(text, width)
    assert drawn <= width
    assert shown in (to_drawable(text), "…") or len(shown) <= len(to_drawable(text))


def test_text_that_is_short_is_left_alone_and_long_text_keeps_both_ends() -> None:
    assert write("slice-1.png", 100)[0] == "slice-1.png"
    short, drawn = write("beginning" + "-" * 100 + "end.png", 100)
    assert short.startswith("begin")
    assert short.endswith("end.png")
    assert short.count("…") == 1
    assert drawn > 94


def test_the_same_mistakes_give_the_same_bytes(tmp_path: Path) -> None:
    picture = to_picture(SHOWN, MAP)
    for name in "ab":
        (tmp_path / name).mkdir()
        draw(tmp_path / name, [score(0.9, 0), score(0.2, 1)], picture)
    first, again = ((tmp_path / name / "mistakes.png").read_bytes() for name in "ab")
    assert first == again


def test_there_must_be_something_to_show(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="nothing to show"):
        plot_mistakes([], [], tmp_path / "x.png", n=0, threshold=0.5)


def test_enormous_slices_are_kept_small() -> None:
    picture = to_picture(np.zeros((5000, 3000), np.uint8), MAP)
    assert picture.pixels.shape == (556, 334)
    assert picture.pixels.base is None
    assert to_picture(SHOWN, MAP).pixels.shape == SHOWN.shape
    assert to_picture(np.zeros((33, 40_000), np.uint8), MAP).pixels.size


# --- in the report


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """32 slices."""
    return write_phantoms(tmp_path_factory.mktemp("slices"), patients=4, size=64)


def test_an_evaluation_looks_again_at_the_worst(tiny_bundle: Path, manifest: Path, tmp_path: Path) -> None:
    rows = read_manifest(manifest).rows
    report = evaluate_rows(Classifier.load(tiny_bundle), rows, DataPlan(), split="all", digest="")
    assert len(report.mistakes) == len(report.pictures) == 25
    for mistake, picture in zip(report.mistakes, report.pictures, strict=True):
        assert picture is not None
        with Image.open(mistake.row.path) as image:
            np.testing.assert_array_equal(picture.pixels, np.asarray(image))
        assert picture.evidence.shape == (4, 4)
        logit = float(picture.evidence.mean()) + BIASES["float"] - SHIFT
        assert mistake.row.probability == pytest.approx(1 / (1 + math.exp(-logit / TEMPERATURE)), abs=1e-4)
    write_report(report, tmp_path)
    assert (tmp_path / "mistakes.png").stat().st_size > 10_000
    listed = json.loads((tmp_path / "evaluation.json").read_text())["mistakes"]
    assert listed == to_json(report)["mistakes"]
    assert len(listed) == 25
    assert set(listed[0]) == {"path", "source", "label", "probability", "loss", "wrong"}
    assert listed[0]["path"] == report.mistakes[0].row.path
    assert listed[0]["loss"] == max(one["loss"] for one in listed)


def test_a_slice_that_is_gone_leaves_its_place_dark(tiny_bundle: Path, tmp_path: Path) -> None:
    there = write_png(tmp_path / "there.png", SHOWN)
    rows = [replace(score(0.9, 0), path=str(path)) for path in (there, tmp_path / "gone.png")]
    mistakes = find_mistakes(rows, threshold=0.5)
    first, second = look_again(Classifier.load(tiny_bundle), mistakes)
    assert first is not None
    assert second is None
    plot_mistakes(mistakes, (first, second), tmp_path / "sheet.png", n=2, threshold=0.5)


def test_a_report_without_pictures_has_the_table_alone(tmp_path: Path) -> None:
    protocol = Protocol("b", "1", "", "tune", threshold=0.5, resamples=10)
    report = to_report([score(0.1 * at, at % 2, f"{at}.png") for at in range(8)], protocol)
    write_report(report, tmp_path)
    assert not (tmp_path / "mistakes.png").exists()
    assert len(json.loads((tmp_path / "evaluation.json").read_text())["mistakes"]) == 8
