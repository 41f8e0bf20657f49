from __future__ import annotations

import gzip
import os
import shutil
import zipfile
from pathlib import Path

from covidct.images.blob import FileBlob
from covidct.images.file_type import FileType, Head
from covidct.series.slices import read_instance
from covidct.series.sources import StudyInput, find_blobs, peek
from covidct.series.study import read_study
from stacks import save, stack, volume


def test_where_things_lie(tmp_path: Path) -> None:
    folder = tmp_path / "f"
    folder.mkdir()
    for name in ("a.png", "v.nii.gz", "w.nii", ".hidden.nii", "notes.txt"):
        (folder / name).write_bytes(b"x")
    with zipfile.ZipFile(tmp_path / "z", "w") as archive:
        archive.writestr("v.nii", b"x")
        archive.writestr("notes.txt", b"x")
    skipped: list[str] = []
    given: list[StudyInput] = [folder, tmp_path / "z", ("memory.png", b"x"), str(tmp_path / "none")]
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
        assert peek(FileBlob(path, "x")) == Head(FileType.UNKNOWN)


def test_what_lies_in_a_folder_is_found_by_how_it_begins(tmp_path: Path) -> None:
    folder = save(tmp_path / "old", stack(volume(5)), [f"IM{at}" for at in range(5)])
    for file in sorted(folder.iterdir()):  # no preamble, no file meta, as old archives wrote
        data = file.read_bytes()
        file.write_bytes(data[144 + int.from_bytes(data[140:144], "little") :])
    (folder / "IM1.dcm.gz").write_bytes(gzip.compress((folder / "IM1").read_bytes()))
    (folder / "IM1").unlink()
    (folder / "letter.docx").write_bytes(b"PK\x03\x04")
    study = read_study([folder])
    assert (len(study.series[0].instances), study.loose) == (5, ())
    assert [Path(name).name for name in study.skipped] == ["letter.docx"]
    expected = [read_instance(item).pixels.tolist() for item in study.series[0].instances]
    (folder / "letter.docx").unlink()
    for form in ("zip", "tar", "gztar"):
        packed = shutil.make_archive(str(tmp_path / form / "packed"), form, folder)
        for given in (packed, tmp_path / form):
            (series,) = read_study([given]).series
            assert series.path == str(given)
            assert [read_instance(item).pixels.tolist() for item in series.instances] == expected
