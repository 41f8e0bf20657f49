from __future__ import annotations

import os
import zipfile
from pathlib import Path

from covidct.images.blob import FileBlob
from covidct.series.sources import Given, find_blobs, peek


def test_where_things_lie(tmp_path: Path) -> None:
    folder = tmp_path / "f"
    folder.mkdir()
    for name in ("a.png", "v.nii.gz", "w.nii", ".hidden.nii", "notes.txt"):
        (folder / name).write_bytes(b"x")
    with zipfile.ZipFile(tmp_path / "z", "w") as archive:
        archive.writestr("v.nii", b"x")
        archive.writestr("notes.txt", b"x")
    skipped: list[str] = []
    given: list[Given] = [folder, tmp_path / "z", ("memory.png", b"x"), str(tmp_path / "none")]
    found = [(source.blob.name, source.given) for source in find_blobs(given, skipped=skipped)]
    assert found == [
        (str(folder / "a.png"), str(folder)),
        (str(folder / "v.nii.gz"), str(folder)),
        (str(folder / "w.nii"), str(folder)),
        (f"{tmp_path / 'z'}/v.nii", str(tmp_path / "z")),
        ("memory.png", "memory.png"),
        (str(tmp_path / "none"), str(tmp_path / "none")),
    ]
    assert {Path(name).name for name in skipped} == {"notes.txt", ".hidden.nii"}


def test_looking_into_a_pipe_does_not_wait(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", tmp_path, tmp_path / "none", tmp_path / "a\0b"):
        assert peek(FileBlob(path, "x")) == b""
