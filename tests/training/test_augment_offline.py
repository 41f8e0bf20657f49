from __future__ import annotations

import csv
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from covidct.data.manifest import DataPlan, Row, read_manifest, to_label
from covidct.errors import ManifestError
from covidct.images.hounsfield import to_display
from covidct.training.augment_offline import Enlargement, count_copies, turn, write_augmented
from covidct.types import Pixels
from makers import phantom_hu, write_dicom, write_png

PLAN = DataPlan()
SHOWN = to_display(phantom_hu(size=72))[:, :56]


def make_row(path: Path, label: str = "covid") -> Row:
    return Row(path, label, "here", "", "", "")


def make_rows(covid: int, other: int) -> list[Row]:
    return [
        *(make_row(Path(f"c{number}.png")) for number in range(covid)),
        *(make_row(Path(f"o{number}.png"), "non-covid") for number in range(other)),
    ]


def write_rows(folder: Path, *, covid: int, other: int) -> list[Row]:
    rows = [replace(row, path=folder / row.path) for row in make_rows(covid, other)]
    for number, row in enumerate(rows):
        write_png(row.path, np.roll(SHOWN, number, axis=1))
    return rows


def read_picture(path: Path) -> Pixels:
    with Image.open(path) as image:
        assert (image.format, image.mode) == ("PNG", "L")
        return np.asarray(image)


# --- how many


@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 200), st.integers(0, 2**32))
def test_both_classes_are_filled_and_copies_shared_alike(
    covid: int, other: int, more: int, seed: int
) -> None:
    rows, half = make_rows(covid, other), max(covid, other) + more
    copies = count_copies(rows, PLAN, Enlargement(2 * half, seed=seed))
    for label in (0, 1):
        counts = [count for row, count in zip(rows, copies, strict=True) if to_label(row, PLAN) == label]
        assert len(counts) + sum(counts) == half
        assert max(counts) - min(counts) <= 1


def test_who_gives_one_more_is_drawn_by_the_seed() -> None:
    rows = make_rows(20, 20)
    first, again, other = (count_copies(rows, PLAN, Enlargement(50, seed=seed)) for seed in (1, 1, 2))
    assert first == again != other
    assert max(first) == 1


def test_labels_of_one_class_are_one_class() -> None:
    rows = [*make_rows(4, 2), *(make_row(Path(f"n{number}.png"), "no-lesion") for number in range(2))]
    assert count_copies(rows, PLAN, Enlargement(16)) == (1,) * 8


@pytest.mark.parametrize(
    ("covid", "other", "to", "words"),
    [
        (3, 3, 7, "--to 7: give an even number"),
        (
            3,
            5,
            8,
            r"--to 8: 5 slices have the label non-covid or no-lesion, more than its half; give --to 10",
        ),
        (9, 5, 8, r"9 slices have the label covid, more than its half; give --to 18 or more"),
        (3, 0, 8, "no slice has the label non-covid or no-lesion"),
        (0, 3, 8, "no slice has the label covid"),
    ],
)
def test_what_cannot_be_filled(covid: int, other: int, to: int, words: str, tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match=words):
        write_augmented(make_rows(covid, other), tmp_path, PLAN, Enlargement(to))
    assert not list(tmp_path.iterdir())


def test_copies_are_not_copied() -> None:
    rows = make_rows(2, 2)
    rows[1] = replace(rows[1], parent=rows[0].path)
    with pytest.raises(
        ManifestError, match=r"1 slices are copies already .*c1\.png; give the manifest of the"
    ):
        count_copies(rows, PLAN, Enlargement(8))


# --- pictures


@given(st.integers(1, 40), st.integers(1, 40), st.floats(0.1, 180), st.integers(0, 2**32))
def test_a_copy_has_the_shape_of_its_slice(height: int, width: int, rotation: float, seed: int) -> None:
    pixels = np.full((height, width), 200, np.uint8)
    turned = turn(pixels, np.random.default_rng(seed), rotation=rotation)
    assert turned.shape == pixels.shape
    assert turned.dtype == np.uint8


def test_copies_are_mirrored_half_of_the_time_and_turned_within_the_range() -> None:
    """Two dots on a level line, the left one brighter: their order tells the mirror, the slope the angle."""
    pixels = np.zeros((101, 201), np.uint8)
    pixels[46:55, 6:15], pixels[46:55, 186:195] = 250, 125
    angles, mirrored = [], 0
    for seed in range(200):
        turned = turn(pixels, np.random.default_rng(seed), rotation=20).astype(np.float64)
        left, right = turned[:, :100], turned[:, 101:]
        mirrored += right.max() > left.max()
        rise = centre_row(left) - centre_row(right)
        angles.append(np.rad2deg(np.arcsin(np.clip(rise / 180, -1, 1))))
    assert 70 < mirrored < 130
    assert -20.5 < min(angles) < -17
    assert 17 < max(angles) < 20.5
    assert abs(np.mean(angles)) < 3


def centre_row(values: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> float:
    return float((values.sum(axis=1) * np.arange(len(values))).sum() / values.sum())


def test_what_comes_in_from_outside_is_black_and_between_pixels_is_interpolated() -> None:
    turned = turn(np.full((60, 60), 240, np.uint8), np.random.default_rng(1), rotation=45)
    assert turned[0, 0] == turned[-1, -1] == 0
    assert turned[30, 30] == 240
    halves = np.zeros((60, 60), np.uint8)
    halves[:, 30:] = 240
    assert len(np.unique(turn(halves, np.random.default_rng(1), rotation=45))) > 10


# --- files


def test_originals_are_kept_as_they_are_and_copies_name_them(tmp_path: Path) -> None:
    rows = write_rows(tmp_path, covid=2, other=3)
    out = tmp_path / "out"
    out.mkdir()
    made = write_augmented(rows, out, PLAN, Enlargement(12))
    listed = read_manifest(out / "manifest.csv").rows
    assert [row.path for row in listed] == [out / row.path for row in made]
    assert Counter(to_label(row, PLAN) for row in listed) == {0: 6, 1: 6}
    originals = [row for row in listed if row.parent is None]
    for row, original in zip(rows, originals, strict=True):
        np.testing.assert_array_equal(read_picture(original.path), read_picture(row.path))
    for row in listed:
        if row.parent is not None:
            picture, parent = read_picture(row.path), read_picture(row.parent)
            assert picture.shape == parent.shape
            assert (picture != parent).any()
            assert row.parent in {original.path for original in originals}
    pictures = {read_picture(row.path).tobytes() for row in listed}
    assert len(pictures) == len(listed) == len(list(out.rglob("*.png")))


def test_names(tmp_path: Path) -> None:
    rows = write_rows(tmp_path, covid=1, other=1)
    out = tmp_path / "out"
    out.mkdir()
    made = write_augmented(rows, out, PLAN, Enlargement(6))
    assert [row.path.as_posix() for row in made] == [
        *("covid/c0.png", "covid/c0~01.png", "covid/c0~02.png"),
        *("non-covid/o0.png", "non-covid/o0~01.png", "non-covid/o0~02.png"),
    ]


def test_names_that_collide_get_a_number(tmp_path: Path) -> None:
    names = ("a/x.png", "b/x.jpg", "b/X.png", "a/x~01.png", "1.2.840.1", "1.2.840.2", "...png")
    rows = [make_row(tmp_path / name) for name in names]
    rows.append(make_row(tmp_path / f"{'ü' * 125}.png"))
    rows.append(make_row(tmp_path / "two\nlines\u202e.png"))
    rows.append(make_row(tmp_path / "other.png", "non-covid"))
    for row in rows:
        row.path.parent.mkdir(exist_ok=True)
        write_png(row.path, SHOWN)
    out = tmp_path / "out"
    out.mkdir()
    made = write_augmented(rows, out, PLAN, Enlargement(36))
    stems = [row.path.name for row in made if row.parent is None]
    assert stems[:7] == [
        "x.png",
        "x-2.png",
        "X-3.png",
        "x~01.png",
        "1.2.840.1.png",
        "1.2.840.2.png",
        "slice.png",
    ]
    assert stems[7] == f"{'ü' * 90}.png"
    assert stems[8] == "two_lines_.png"
    assert made[1].path.name == "x~01-2.png"
    assert made[1].parent == made[0].path
    assert len({row.path.as_posix().casefold() for row in made}) == len(made) == 36
    assert len(read_manifest(out / "manifest.csv").rows) == 36


def test_a_label_stays_inside_of_the_folder(tmp_path: Path) -> None:
    plan = DataPlan(positive=("../../ill",), negative=("..",))
    rows = [
        make_row(write_png(tmp_path / f"{at}.png", SHOWN), label)
        for at, label in enumerate(("../../ill", ".."))
    ]
    out = tmp_path / "deep" / "out"
    out.mkdir(parents=True)
    made = write_augmented(rows, out, plan, Enlargement(2))
    assert [row.path.as_posix() for row in made] == ["_.._ill/0.png", "slice/1.png"]
    assert [row.label for row in read_manifest(out / "manifest.csv").rows] == ["../../ill", ".."]


def test_copies_take_over_all_that_the_manifest_says(tmp_path: Path) -> None:
    cells = {
        "source": "Ä, B",
        "patient_id": "p1",
        "split": "train",
        "note": 'a "note"',
        "study_uid": "1.2",
        "series_uid": "1.3",
        "age": "60",
        "sex": "F",
    }
    row = Row(write_dicom(tmp_path / "slice.dcm", phantom_hu()), "covid", parent=None, **cells)
    other = make_row(write_png(tmp_path / "o.png", SHOWN), "non-covid")
    out = tmp_path / "out"
    out.mkdir()
    write_augmented([row, other], out, PLAN, Enlargement(6))
    listed = read_manifest(out / "manifest.csv").rows
    for at, name in product(range(3), cells):
        assert getattr(listed[at], name) == cells[name]
    np.testing.assert_array_equal(read_picture(listed[0].path), to_display(phantom_hu()))


def test_paths_are_relative_so_that_the_folder_can_be_moved(tmp_path: Path) -> None:
    rows = write_rows(tmp_path, covid=1, other=1)
    out = tmp_path / "out"
    out.mkdir()
    write_augmented(rows, out, PLAN, Enlargement(4))
    moved = out.rename(tmp_path / "moved")
    with (moved / "manifest.csv").open(newline="", encoding="utf-8") as file:
        lines = list(csv.DictReader(file))
    assert list(lines[0]) == ["path", "label", "source", "patient_id", "split", "note", "parent"]
    assert [line["parent"] for line in lines] == ["", "covid/c0.png", "", "non-covid/o0.png"]
    assert all((moved / line["path"]).is_file() for line in lines)


def test_the_same_seed_gives_the_same_files(tmp_path: Path) -> None:
    rows = write_rows(tmp_path, covid=3, other=4)
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        (tmp_path / name).mkdir()
        write_augmented(rows, tmp_path / name, PLAN, Enlargement(22, seed=seed))
    first, again, other = (
        {path.relative_to(tmp_path / name): path.read_bytes() for path in (tmp_path / name).rglob("*.*")}
        for name in "abc"
    )
    assert first == again != other


def test_more_copies_begin_with_the_same_ones(tmp_path: Path) -> None:
    rows = write_rows(tmp_path, covid=2, other=2)
    for name, to in (("few", 8), ("many", 12)):
        (tmp_path / name).mkdir()
        write_augmented(rows, tmp_path / name, PLAN, Enlargement(to))
    for path in (tmp_path / "few").rglob("*.png"):
        assert path.read_bytes() == (tmp_path / "many" / path.relative_to(tmp_path / "few")).read_bytes()


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    rows = write_rows(tmp_path, covid=2, other=2)
    rows[1].path.write_bytes(b"nothing")
    out = tmp_path / "out"
    out.mkdir()
    with pytest.raises(ManifestError, match=r"c1\.png: .*remove its line from the manifest"):
        write_augmented(rows, out, PLAN, Enlargement(8))
    assert not (out / "manifest.csv").exists()


def test_a_phantom_keeps_its_grey_levels_where_it_is_turned() -> None:
    shown = to_display(phantom_hu(seed=3, size=96))
    turned = turn(shown, np.random.default_rng(0), rotation=10)
    assert abs(float(turned.mean()) - float(shown.mean())) < 6


def test_needs_no_torch() -> None:
    unwanted = "{'torch', 'onnxruntime', 'cv2', 'matplotlib'}"
    code = f"import sys, covidct.apps.cli.commands.augment; sys.exit(bool({unwanted} & {{*sys.modules}}))"
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=60).returncode == 0
