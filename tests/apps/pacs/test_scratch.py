from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from covidct.apps.pacs.scratch import PREFIX, YOUNG_S, find_left, open_scratch

HOLD = """
import sys, time
from covidct.apps.pacs.scratch import open_scratch
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


def test_what_a_killed_process_left_is_removed_and_what_one_holds_is_not(place: Path) -> None:
    command = [sys.executable, "-c", HOLD]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        folder = Path(process.stdout.readline().strip())
        late = time.time() + 2 * YOUNG_S
        assert (folder / "patient.dcm").is_file()
        assert find_left(late) == []
        process.kill()
    assert find_left() == []  # too young: it might be about to be locked
    assert find_left(late) == [folder.parent]


def test_the_next_one_removes_it(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (place / f"{PREFIX}left").mkdir()
    (place / f"{PREFIX}left" / "patient.dcm").write_bytes(b"Doe^Jane")
    (place / "another").mkdir()
    (place / "away").mkdir()
    (place / f"{PREFIX}link").symlink_to(place / "away")
    monkeypatch.setattr("covidct.apps.pacs.scratch.YOUNG_S", -1.0)
    with open_scratch():
        pass
    assert sorted(path.name for path in place.iterdir()) == ["another", "away", f"{PREFIX}link"]
