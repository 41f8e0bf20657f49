from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from covidct.data import slice_store
from covidct.data.slice_store import SliceStore
from covidct.errors import ReadError
from covidct.images.read import parse_slice, read_slice
from covidct.types import Slice
from makers import ct_dataset, dicom_bytes, phantom_hu, write_png

PIXELS = np.arange(40 * 50, dtype=np.uint16).reshape(40, 50).astype(np.uint8)


@pytest.fixture
def parsed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of what was parsed."""
    names: list[str] = []

    def parse(data: bytes, *, name: str) -> Slice:
        names.append(name)
        return parse_slice(data, name=name)

    monkeypatch.setattr(slice_store, "parse_slice", parse)
    return names


def is_same(first: Slice, second: Slice) -> bool:
    facts = [(one.source, one.spacing_mm, one.turn) for one in (first, second)]
    return facts[0] == facts[1] and np.array_equal(first.pixels, second.pixels)


def test_a_slice_is_parsed_once_and_the_same_again(tmp_path: Path, parsed: list[str]) -> None:
    path, store = write_png(tmp_path / "a.png", PIXELS), SliceStore(tmp_path / "slices")
    for _ in range(3):
        assert is_same(store.read(path), read_slice(path))
    assert parsed == [str(path)]


def test_what_is_written_into_a_slice_is_not_kept(tmp_path: Path) -> None:
    path, store = write_png(tmp_path / "a.png", PIXELS), SliceStore(tmp_path / "slices")
    store.read(path)
    store.read(path).pixels[:] = 7
    np.testing.assert_array_equal(store.read(path).pixels, PIXELS)


def test_what_is_known_of_a_dicom_slice_is_kept(tmp_path: Path, parsed: list[str]) -> None:
    data = dicom_bytes(ct_dataset(phantom_hu()))
    store = SliceStore(tmp_path / "slices")
    for _ in range(2):
        assert is_same(store.parse(data, name="x"), parse_slice(data, name="x"))
    assert parsed == ["x"]


def test_the_same_bytes_under_another_name_keep_that_name(tmp_path: Path, parsed: list[str]) -> None:
    store = SliceStore(tmp_path / "slices")
    for name in ("a.png", "b.png"):
        assert store.read(write_png(tmp_path / name, PIXELS)).source.path == str(tmp_path / name)
    assert len(parsed) == 1


def test_a_file_that_changed_is_parsed_anew(tmp_path: Path, parsed: list[str]) -> None:
    store = SliceStore(tmp_path / "slices")
    store.read(write_png(tmp_path / "a.png", PIXELS))
    changed = store.read(write_png(tmp_path / "a.png", 255 - PIXELS))
    np.testing.assert_array_equal(changed.pixels, 255 - PIXELS)


@pytest.mark.parametrize("damage", [b"", b"{}\n", b"no header", b'{"shape": [40, 50]}\nshort'])
def test_what_is_damaged_is_parsed_and_kept_again(damage: bytes, tmp_path: Path, parsed: list[str]) -> None:
    path, store = write_png(tmp_path / "a.png", PIXELS), SliceStore(tmp_path / "slices")
    store.read(path)
    (kept,) = store.folder.iterdir()
    whole = kept.read_bytes()
    kept.write_bytes(damage)
    assert is_same(store.read(path), read_slice(path))
    assert len(parsed) == 2
    assert kept.read_bytes() == whole


def test_others_may_not_look_into_it(tmp_path: Path) -> None:
    store = SliceStore(tmp_path / "slices")
    store.read(write_png(tmp_path / "a.png", PIXELS))
    if os.name == "posix":
        assert store.folder.stat().st_mode & 0o077 == 0
    store.remove()
    assert not store.folder.exists()
    store.remove()


def test_where_nothing_can_be_kept_slices_are_parsed_each_time(tmp_path: Path, parsed: list[str]) -> None:
    (tmp_path / "slices").write_text("a file in the way")
    path, store = write_png(tmp_path / "a.png", PIXELS), SliceStore(tmp_path / "slices")
    for _ in range(2):
        assert is_same(store.read(path), read_slice(path))
    assert len(parsed) == 2


def test_what_is_no_slice_is_an_error_each_time(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"no picture")
    store = SliceStore(tmp_path / "slices")
    for _ in range(2):
        with pytest.raises(ReadError, match=r"a\.png"):
            store.read(tmp_path / "a.png")
    assert not store.folder.exists()
