from __future__ import annotations

import errno
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from covidct.images.scratch import PREFIX, YOUNG_S, find_left, open_scratch

HOLD = """
import sys, time
from covidct.images.scratch import open_scratch
with open_scratch() as folder:
    (folder / "patient.dcm").write_bytes(b"Doe^Jane")
    print(folder, flush=True)
    time.sleep(60)
"""


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)
    return tmp_path


def test_only_its_owner_looks_into_it_and_it_is_gone_afterwards(place: Path) -> None:
    with open_scratch() as folder:
        assert folder.parent.parent == place
        assert folder.parent.stat().st_mode & 0o777 == 0o700
        (folder / "1.dcm").write_bytes(b"Doe^Jane")
    assert list(place.iterdir()) == []


def test_what_a_killed_process_left_is_removed_at_once_and_what_one_holds_is_not(place: Path) -> None:
    command = [sys.executable, "-c", HOLD]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        folder = Path(process.stdout.readline().strip())
        assert (folder / "patient.dcm").is_file()
        assert find_left(place, time.time() + 2 * YOUNG_S) == []
        process.kill()
    assert find_left(place) == [folder.parent]
    with open_scratch() as another:
        assert [path.name for path in place.iterdir()] == [another.parent.name]


def test_one_beside_an_output_is_hidden_and_what_is_made_in_it_is_renamed_out(
    tmp_path: Path,
) -> None:
    with open_scratch(tmp_path) as folder:
        (folder / "report.html").write_text("done")
        assert [path.name[0] for path in tmp_path.iterdir()] == ["."]
        (folder / "report.html").rename(tmp_path / "report.html")
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]


def test_without_a_lock_only_old_folders_of_that_name_are_removed(place: Path) -> None:
    """A younger one is about to be locked; a link would lead elsewhere."""
    (place / f"{PREFIX}left").mkdir()
    (place / f"{PREFIX}left" / "patient.dcm").write_bytes(b"Doe^Jane")
    (place / "another").mkdir()
    (place / "away").mkdir()
    (place / f"{PREFIX}link").symlink_to(place / "away")
    assert find_left(place) == []
    assert find_left(place, time.time() + 2 * YOUNG_S) == [place / f"{PREFIX}left"]


def test_where_there_are_no_locks_it_works_and_nothing_is_taken_for_left(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(handle: int, how: int) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr("fcntl.flock", refuse)
    with open_scratch() as folder:
        (folder.parent / "lock").touch()
        assert find_left(place, time.time() + 2 * YOUNG_S) == []
    assert list(place.iterdir()) == []


def test_an_error_names_the_place_where_the_system_names_none(tmp_path: Path) -> None:
    def fill() -> None:
        with open_scratch(tmp_path):
            raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(OSError, match="No space left") as caught:
        fill()
    assert caught.value.filename == str(tmp_path)


def test_what_cannot_be_removed_hides_no_error_and_is_removed_by_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError(errno.EROFS, "Read-only file system", "lock")

    def work() -> None:
        with monkeypatch.context() as patch, open_scratch(tmp_path):
            patch.setattr("os.unlink", fail)
            raise OSError(errno.EROFS, "Read-only file system", "report.html")

    with pytest.raises(OSError, match="report") as caught:
        work()
    assert caught.value.filename == "report.html"
    assert len(list(tmp_path.iterdir())) == 1
    with open_scratch(tmp_path):
        pass
    assert list(tmp_path.iterdir()) == []
