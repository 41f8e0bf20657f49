from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from covidct.images.hounsfield import to_display
from covidct.inference.overlay import FAINT, FULL, Overlays, lay_strength, to_overlay, to_strength
from covidct.types import Pixels, Slice, Source
from makers import phantom_hu

PIXELS = to_display(phantom_hu(size=48))
EVIDENCE = np.linspace(-4, 8, 16, dtype=np.float32).reshape(4, 4)
CELLS = hnp.array_shapes(min_dims=2, max_dims=2, max_side=6)


def item(path: str, pixels: Pixels = PIXELS) -> Slice:
    return Slice(pixels, Source(path))


@settings(max_examples=40, deadline=None)
@given(height=st.integers(1, 90), width=st.integers(1, 90), cells=CELLS)
def test_an_overlay_is_as_large_as_its_slice(height: int, width: int, cells: tuple[int, int]) -> None:
    overlay = to_overlay(np.zeros((height, width), np.uint8), np.ones(cells, np.float32))
    assert overlay.shape == (height, width, 3)
    assert overlay.dtype == np.uint8


@settings(max_examples=60, deadline=None)
@given(hnp.arrays(np.float32, CELLS, elements=st.floats(-1000, 0, width=32)))
def test_without_evidence_the_slice_stays_grey(evidence: np.typing.NDArray[np.float32]) -> None:
    assert not to_strength(evidence, shape=(37, 41)).any()
    np.testing.assert_array_equal(to_overlay(PIXELS, evidence), np.repeat(PIXELS[..., None], 3, axis=2))


@settings(max_examples=60, deadline=None)
@given(hnp.arrays(np.float32, CELLS, elements=st.floats(-1000, 1000, width=32)))
def test_strength_is_a_share(evidence: np.typing.NDArray[np.float32]) -> None:
    strength = to_strength(evidence, shape=(20, 30))
    assert strength.shape == (20, 30)
    assert strength.dtype == np.float32
    assert strength.min() >= 0
    assert strength.max() <= 1


def test_the_scale_is_fixed() -> None:
    for level, strength in ((FULL, 1.0), (2 * FULL, 1.0), (FULL / 2, 0.5), (0, 0.0), (-FULL, 0.0)):
        evidence = np.full((4, 4), level, np.float32)
        np.testing.assert_allclose(to_strength(evidence, shape=(16, 16)), strength, atol=1e-6)


def test_what_is_faint_is_not_coloured() -> None:
    """As all over normal lungs."""
    grey = np.repeat(PIXELS[..., None], 3, axis=2)
    for level, is_grey in ((FAINT * FULL, True), (2 * FAINT * FULL, False)):
        overlay = to_overlay(PIXELS, np.full((4, 4), level, np.float32))
        assert np.array_equal(overlay, grey) is is_grey


def test_strength_lies_in_its_part_of_the_slice() -> None:
    strength = lay_strength(np.full((2, 2), FULL, np.float32), shape=(40, 60), box=(0.5, 0.25, 1.0, 0.75))
    expected = np.zeros((40, 60), np.float32)
    expected[10:30, 30:] = 1
    np.testing.assert_allclose(strength, expected, atol=1e-6)


def test_colour_lies_where_the_evidence_is() -> None:
    evidence = np.zeros((4, 4), np.float32)
    evidence[0, 3] = FULL
    overlay = to_overlay(np.full((64, 64), 100, np.uint8), evidence).astype(int)
    coloured = overlay.max(axis=2) - overlay.min(axis=2)
    assert coloured[:16, 48:].mean() > 50
    assert coloured[40:].max() == 0
    assert coloured[:, :24].max() == 0


def test_arguments_are_left_alone() -> None:
    pixels, evidence = PIXELS.copy(), EVIDENCE.copy()
    to_overlay(pixels, evidence)
    np.testing.assert_array_equal(pixels, PIXELS)
    np.testing.assert_array_equal(evidence, EVIDENCE)


def test_writes_a_png(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "folder"
    path = Overlays(folder).write(item("study/slice.png"), EVIDENCE)
    assert path == folder / "study_slice.png.heatmap.png"
    with Image.open(path) as image:
        assert (image.format, image.mode, image.size) == ("PNG", "RGB", (48, 48))
        np.testing.assert_array_equal(np.asarray(image), to_overlay(PIXELS, EVIDENCE))
    assert list(folder.iterdir()) == [path]


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/data/a/b.dcm", "data_a_b.dcm.heatmap.png"),
        ("../../etc/passwd", "etc_passwd.heatmap.png"),
        ("./a.png", "a.png.heatmap.png"),
        (f"{'a' * 20}.{'6' * 51}.png", f"{'6' * 51}.png.heatmap.png"),
        ("..", "slice.heatmap.png"),
        ("", "slice.heatmap.png"),
        ("/", "slice.heatmap.png"),
        ("a\\b\\..\\c", "a_b_.._c.heatmap.png"),
        ("<img src=x onerror=alert(1)>.png", "_img_src_x_onerror_alert_1_.png.heatmap.png"),
        ("a\nb\x1b[2J\0.png", "a_b_2J_.png.heatmap.png"),
        ("Schnitt-ä-断层.png", "Schnitt-ä-断层.png.heatmap.png"),
        ("bad\udcff.png", "bad_.png.heatmap.png"),
        ("a:b*c?d|e", "a_b_c_d_e.heatmap.png"),
    ],
)
def test_names_are_flat_and_plain(tmp_path: Path, path: str, name: str) -> None:
    written = Overlays(tmp_path).write(item(path), EVIDENCE)
    assert written == tmp_path / name
    assert [file.name for file in tmp_path.iterdir()] == [name]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.text(max_size=120), min_size=1, max_size=5))
def test_any_paths_get_files_of_their_own(tmp_path_factory: pytest.TempPathFactory, paths: list[str]) -> None:
    folder = tmp_path_factory.mktemp("overlays")
    overlays = Overlays(folder)
    pixels = np.zeros((2, 2), np.uint8)
    written = [overlays.write(item(path, pixels), EVIDENCE) for path in paths]
    assert len(set(written)) == len(paths)
    assert sorted(written) == sorted(folder.iterdir())


@pytest.mark.parametrize(
    "paths",
    [
        ["a/b.png", "a_b.png", "a/b.png"],
        ["a", "a-2", "a", "a"],
        ["Slice.png", "slice.PNG", "SLICE.png"],  # one name on Windows and macOS
    ],
)
def test_collisions(tmp_path: Path, paths: list[str]) -> None:
    overlays = Overlays(tmp_path)
    written = [overlays.write(item(path), EVIDENCE).name for path in paths]
    assert len({name.casefold() for name in written}) == len(paths)


@pytest.mark.parametrize("letter", ["x", "ä", "断", "\U00020000"])
def test_very_long_names_keep_their_end(tmp_path: Path, letter: str) -> None:
    overlays = Overlays(tmp_path)
    first = overlays.write(item(letter * 3000 + "0001.dcm"), EVIDENCE)
    second = overlays.write(item(letter * 3001 + "0001.dcm"), EVIDENCE)
    assert first != second
    assert first.name.endswith("0001.dcm.heatmap.png")
    assert all(path.is_file() for path in (first, second))


def test_nothing_half_written_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    overlays = Overlays(tmp_path)

    def fail(*_: object) -> None:
        raise OSError("disk full")

    with monkeypatch.context() as patch:
        patch.setattr("PIL.PngImagePlugin.ImageFile._save", fail)
        with pytest.raises(OSError, match="disk full"):
            overlays.write(item("a.png"), EVIDENCE)
    assert not list(tmp_path.iterdir())


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="file"):
        Overlays(tmp_path / "file")
