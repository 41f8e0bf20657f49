from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from covidct.errors import ReadError
from covidct.images.file_type import FileType, Head
from covidct.images.files import (
    OVERLAY_ENDING,
    find_slices,
    hold_lock,
    is_document,
    is_wanted,
    lock,
    natural_key,
    parse_list,
    read_bytes,
)
from covidct.images.limits import MAX_BYTES


def touch(folder: Path, *names: str, content: bytes = b"x") -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def names(paths: Iterable[Path], folder: Path) -> list[str]:
    return [path.relative_to(folder).as_posix() for path in paths]


def test_natural_order(tmp_path: Path) -> None:
    touch(tmp_path, "slice10.png", "slice2.png", "Slice1.PNG", "a/9.dcm", "a/10.dcm", "b.jpg")
    found = find_slices(tmp_path)
    expected = ["a/9.dcm", "a/10.dcm", "b.jpg", "Slice1.PNG", "slice2.png", "slice10.png"]
    assert names(found.paths, tmp_path) == expected
    assert found.skipped == ()


@pytest.mark.parametrize(
    "name",
    ["x.png", "x.JPG", "x.jpeg", "x.bmp", "x.tif", "x.TIFF", "x.webp", "x.gif", "x.dcm", "x.dicom", "x.IMA"],
)
def test_known_endings(tmp_path: Path, name: str) -> None:
    touch(tmp_path, name)
    assert names(find_slices(tmp_path).paths, tmp_path) == [name]


def test_takes_dicom_by_magic(tmp_path: Path) -> None:
    touch(tmp_path, "IM0001", "1.2.840.1", content=bytes(128) + b"DICM")
    touch(tmp_path, "notes.txt", "short", "empty", content=b"")
    found = find_slices(tmp_path)
    assert names(found.paths, tmp_path) == ["1.2.840.1", "IM0001"]
    assert names(found.skipped, tmp_path) == ["empty", "notes.txt", "short"]


def test_skips_clutter(tmp_path: Path) -> None:
    touch(tmp_path, ".hidden.png", ".git/x.png", "__MACOSX/x.png", "x.png")
    touch(tmp_path, "DICOMDIR", "sub/dicomdir", content=bytes(128) + b"DICM")
    found = find_slices(tmp_path)
    assert names(found.paths, tmp_path) == ["x.png"]
    assert names(found.skipped, tmp_path) == [".git", ".hidden.png", "__MACOSX", "DICOMDIR", "sub/dicomdir"]


def test_links_may_loop(tmp_path: Path) -> None:
    touch(tmp_path, "a/x.png")
    (tmp_path / "a" / "up").symlink_to(tmp_path)
    (tmp_path / "again").symlink_to(tmp_path / "a")
    (tmp_path / "linked.png").symlink_to(tmp_path / "a" / "x.png")
    (tmp_path / "broken.png").symlink_to(tmp_path / "nothing.png")
    found = find_slices(tmp_path)
    assert names(found.paths, tmp_path) == ["a/x.png", "linked.png"]
    assert names(found.skipped, tmp_path) == ["a/up", "again", "broken.png"]


def test_deep_folders(tmp_path: Path) -> None:
    deep = tmp_path.joinpath(*["d"] * 300)
    touch(deep, "x.png")
    assert find_slices(tmp_path).paths == (deep / "x.png",)


def test_pipes_are_left_alone(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    os.mkfifo(tmp_path / "pipe")
    assert names(find_slices(tmp_path).skipped, tmp_path) == ["pipe", "pipe.png"]


def test_given_paths_are_always_taken(tmp_path: Path) -> None:
    touch(tmp_path, "notes.txt", ".hidden/x.png")
    for path in (tmp_path / "notes.txt", tmp_path / "missing.png"):
        assert find_slices(path).paths == (path,)
    assert names(find_slices(tmp_path / ".hidden").paths, tmp_path) == [".hidden/x.png"]


def test_names_keep_their_form(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    touch(tmp_path, "a/b/x.png")
    monkeypatch.chdir(tmp_path)
    assert [str(path) for path in find_slices(Path("a/b")).paths] == ["a/b/x.png"]
    assert [str(path) for path in find_slices(Path()).paths] == ["a/b/x.png"]


def test_an_unreadable_folder_is_left_to_reading(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "shut").mkdir()
    touch(tmp_path, "x.png")

    def deny(self: Path) -> Iterable[Path]:
        if self.name == "shut":
            raise PermissionError(13, "Permission denied")
        return original(self)

    original = Path.iterdir
    monkeypatch.setattr(Path, "iterdir", deny)
    found = find_slices(tmp_path)
    assert names(found.paths, tmp_path) == ["x.png"]
    assert names(found.skipped, tmp_path) == ["shut"]
    monkeypatch.setattr(os, "access", lambda *_: False)
    assert find_slices(tmp_path / "shut").paths == (tmp_path / "shut",)


def test_what_may_hold_slices_by_name_or_by_its_first_bytes() -> None:
    unknown = Head(FileType.UNKNOWN)
    for name in ("a.nii", "b.NII.GZ", "c.png", "d.mha"):
        assert is_wanted(name, unknown)
    for form in (FileType.DICOM, FileType.BARE_DICOM, FileType.TAR, FileType.NIFTI):
        assert is_wanted("IM0001", Head(form))
        assert is_wanted("IM0001.gz", Head(form, is_packed=True))
    assert is_wanted("CD.ZIP", Head(FileType.ZIP))
    for name, head in (("letter.docx", Head(FileType.ZIP)), ("e.gz", unknown), ("x", Head(FileType.PDF))):
        assert not is_wanted(name, head)


@settings(deadline=None, max_examples=25)
@given(st.lists(st.text(max_size=12), max_size=6))
def test_natural_key_orders_any_names(some: list[str]) -> None:
    # Any two keys compare (no number meets a string), and the case does not matter.
    ordered = sorted(natural_key(name) for name in some)
    assert ordered == sorted(natural_key(name.casefold()) for name in some)


@settings(max_examples=25)
@given(st.integers(0, 10**6), st.integers(0, 10**6))
def test_natural_key_counts(first: int, second: int) -> None:
    assert (natural_key(f"slice{first}.png") < natural_key(f"slice{second}.png")) == (first < second)


def test_reads_bytes(tmp_path: Path) -> None:
    touch(tmp_path, "x", content=b"abc")
    assert read_bytes(tmp_path / "x", name="x") == b"abc"


def test_unreadable_paths(tmp_path: Path) -> None:
    touch(tmp_path, "empty", content=b"")
    os.mkfifo(tmp_path / "pipe")
    for path, message in (
        (tmp_path / "missing", "no such file; check the path"),
        (tmp_path / "empty", "the file is empty; copy it again"),
        (tmp_path, "a folder, not a file"),
        (tmp_path / "pipe", "not a regular file but a pipe"),
        (Path(os.devnull), "not a regular file"),
        (tmp_path / "empty" / "x", "cannot be read .*Not a directory"),
        (Path("nul\0byte"), "cannot be read .*null"),
        (tmp_path / ("long" * 100), "cannot be read .*too long"),
    ):
        with pytest.raises(ReadError, match=f"^scan: {message}"):
            read_bytes(path, name="scan")


def test_permission_denied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    touch(tmp_path, "x")

    def deny(_: Path) -> bytes:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "read_bytes", deny)
    with pytest.raises(ReadError, match=r"^scan: permission denied; change its permissions"):
        read_bytes(tmp_path / "x", name="scan")


def test_too_many_bytes(tmp_path: Path) -> None:
    with (tmp_path / "big").open("wb") as stream:
        stream.truncate(MAX_BYTES + 1)
    with pytest.raises(ReadError, match="at most 268,435,456 are read; give a single slice"):
        read_bytes(tmp_path / "big", name="big")


def test_overlays_are_not_taken_for_slices(tmp_path: Path) -> None:
    for name in ("a.png", f"a.png{OVERLAY_ENDING}"):
        (tmp_path / name).touch()
    found = find_slices(tmp_path)
    assert [path.name for path in found.paths] == ["a.png"]
    assert [path.name for path in found.skipped] == ["a.png.heatmap.png"]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a/README.md", True),
        ("LICENSE", True),
        ("x.TXT", True),
        ("x.dcm.bak", False),
        ("scan", False),
        ("", False),
    ],
)
def test_documents_are_known_by_name(name: str, expected: bool) -> None:
    assert is_document(name) is expected


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_lists_of_names(encoding: str, end: str) -> None:
    text = end.join(["a.dcm", "b c/é.dcm", "", ""])
    mark = "\ufeff" if encoding in ("utf-16-le", "utf-16-be") else ""
    assert parse_list((mark + text).encode(encoding)) == ["a.dcm", "b c/é.dcm"]


def test_names_that_are_no_text_are_kept() -> None:
    assert parse_list(b"a\xff.dcm\n") == [os.fsdecode(b"a\xff.dcm")]


HOLD = """
import sys, time
from pathlib import Path
from covidct.images.files import lock
lock(Path(sys.argv[1]))
print("held", flush=True)
time.sleep(60)
"""


@pytest.mark.parametrize("name", ["a-file", "."])
def test_a_lock_keeps_other_processes_out_and_ends_with_its_own(tmp_path: Path, name: str) -> None:
    place, busy = tmp_path / name, RuntimeError("another one is at it")
    command = [sys.executable, "-c", HOLD, str(place)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert process.stdout.readline() == "held\n"
        with pytest.raises(RuntimeError) as caught, hold_lock(place, busy=busy):
            pass
        assert caught.value is busy
        process.kill()
    with hold_lock(place, busy=busy), pytest.raises(BlockingIOError):
        lock(place)
    with hold_lock(place, busy=busy):
        pass  # it was let go of


def test_without_locks_nobody_is_kept_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "fcntl", None)  # as on Windows
    assert lock(tmp_path) is None
    with hold_lock(tmp_path, busy=RuntimeError("busy")), hold_lock(tmp_path, busy=RuntimeError("busy")):
        pass
