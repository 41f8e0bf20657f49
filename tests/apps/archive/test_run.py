"""Whole runs in this process; on Ray: test_engine."""

from __future__ import annotations

import errno
import shutil
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from archives import Here, read_rows, run_here, save_study
from covidct.apps.archive import run
from covidct.apps.archive.places import Place
from covidct.apps.archive.rows import to_row
from covidct.apps.archive.run import Step, Summary
from covidct.apps.archive.table import Table
from covidct.errors import ArchiveError
from covidct.inference.classifier import Classifier
from covidct.series.study import read_study
from covidct.types import ModelChoice
from makers import write_dicom, write_png
from stacks import save, stack, volume


class Killed(BaseException):
    """Ends a run where it stands, as kill -9 does: nothing catches it."""


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """Two studies, a picture and a file that is none."""
    folder = tmp_path / "in"
    save_study(folder / "a", 1)
    save_study(folder / "b", 2)
    write_png(folder / "picture.png", np.zeros((64, 64), np.uint8))
    (folder / "broken.dcm").write_bytes(b"no DICOM")
    (folder / "readme.txt").write_text("about")
    return folder


def count_instances(rows: list[dict[str, Any]]) -> dict[str, int]:
    """How many rows there are for each slice, by its path."""
    paths = [row["path"] for row in rows if row["kind"] == "slice"]
    return {path: paths.count(path) for path in paths}


def test_answers_are_those_of_predict(tmp_path: Path, tiny_bundle: Path) -> None:
    """Series that lie in several folders and archives, two of one study, localisers, pictures, damage."""
    folder = tmp_path / "in"
    datasets = stack(volume(6))
    save(folder / "x", datasets[::2])
    save(folder / "y" / "z", datasets[1::2])
    save_study(folder / "packed", 1)
    shutil.make_archive(str(folder / "one"), "zip", folder / "packed")
    shutil.rmtree(folder / "packed")
    save(folder / "second", stack(volume(3), series="1.2.3.9", SeriesNumber=3))
    save(folder / "scout", stack(volume(1), series="1.2.3.8", ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"]))
    write_png(folder / "picture.png", np.zeros((64, 64), np.uint8))
    write_dicom(folder / "mr.dcm", volume(1)[0], Modality="MR", SeriesInstanceUID="1.2.3.7")
    (folder / "broken.dcm").write_bytes(b"no DICOM")
    np.save(folder / "volume.npy", np.stack(volume(3)))
    summary = run_here(folder, tmp_path / "missing.png", out=tmp_path / "out", bundle=tiny_bundle)
    classifier = Classifier.choose(ModelChoice(tiny_bundle, threads=1))
    study = read_study([folder, tmp_path / "missing.png"])
    expected = [to_row(answer.result, "") for answer in classifier.predict_study(study)]
    key = ("kind", "path", "instance_uid", "series_uid", "slice_index", "reason")
    found = [row | {"group": ""} for row in read_rows(tmp_path / "out")]
    assert sorted(found, key=lambda row: [str(row[name]) for name in key]) == sorted(
        expected, key=lambda row: [str(row[name]) for name in key]
    )
    assert (summary.errors, summary.left) == (2, 0)


def test_a_second_run_does_nothing_and_a_third_what_is_new(
    archive: Path, tmp_path: Path, tiny_bundle: Path
) -> None:
    out, engine = tmp_path / "out", Here()
    first = run_here(archive, out=out, bundle=tiny_bundle)
    assert first == Summary(files=11, skipped=1, slices=10, series=2, errors=1)
    assert run_here(archive, out=out, bundle=tiny_bundle, engine=engine) == Summary(known=4)
    assert not engine.items
    save_study(archive / "c", 3)
    third = run_here(archive, out=out, bundle=tiny_bundle)
    assert (third.files, third.slices, third.series, third.known) == (4, 4, 1, 4)
    assert set(count_instances(read_rows(out)).values()) == {1}


def test_a_series_that_grew_is_answered_anew_and_its_old_rows_go(
    archive: Path, tmp_path: Path, tiny_bundle: Path
) -> None:
    out = tmp_path / "out"
    run_here(archive, out=out, bundle=tiny_bundle)
    save_study(archive / "more", 1, slices=6)
    for name in ("IM0003", "IM0010", "IM0017", "IM0024"):
        (archive / "more" / name).unlink()
    summary = run_here(archive, out=out, bundle=tiny_bundle)
    assert (summary.files, summary.slices, summary.series, summary.superseded) == (2, 6, 1, 1)
    rows = read_rows(out)
    assert set(count_instances(rows).values()) == {1}
    assert sorted(row["slices"] for row in rows if row["kind"] == "series") == [4, 6]


def test_a_file_that_changed_is_answered_anew(archive: Path, tmp_path: Path, tiny_bundle: Path) -> None:
    out = tmp_path / "out"
    run_here(archive, out=out, bundle=tiny_bundle)
    write_dicom(archive / "broken.dcm", volume(1)[0])
    assert run_here(archive, out=out, bundle=tiny_bundle).superseded == 1
    rows = {row["path"]: row["status"] for row in read_rows(out)}
    assert rows[str(archive / "broken.dcm")] == "ok"
    assert count_instances(read_rows(out))[str(archive / "broken.dcm")] == 1


@pytest.mark.parametrize("before", [True, False])
@pytest.mark.parametrize("at", range(5))
def test_killed_anywhere_it_goes_on_without_a_row_lost_or_twice(
    archive: Path, tmp_path: Path, tiny_bundle: Path, monkeypatch: pytest.MonkeyPatch, at: int, before: bool
) -> None:
    """Killed before or after any write that is no mark, and in the middle of one."""
    out = tmp_path / "out"
    monkeypatch.setattr(run, "INSTANCES", 4)
    write = Place.write
    done: list[str] = []

    def kill(place: Place, data: bytes, *names: str) -> None:
        if names[0] != "marks":
            done.append(names[0])
            if before and len(done) == at + 1:
                Path(place.to_path(*names) + ".partial").parent.mkdir(parents=True, exist_ok=True)
                Path(place.to_path(*names) + ".partial").write_bytes(data[: len(data) // 2])
                raise Killed
        write(place, data, *names)
        if names[0] != "marks" and len(done) == at + 1:
            raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(Place, "write", kill)
        try:
            run_here(archive, out=out, bundle=tiny_bundle)
        except Killed:
            assert len(done) == at + 1
        else:
            assert at >= len(done)
    run_here(archive, out=out, bundle=tiny_bundle)
    counts = count_instances(read_rows(out))
    assert len(counts) == 10
    assert set(counts.values()) == {1}
    assert sum(row["kind"] == "series" for row in read_rows(out)) == 2


def test_a_file_that_kills_its_worker_is_set_aside_after_the_second_time(
    archive: Path, tmp_path: Path, tiny_bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once unnamed, twice alone; the rest of its series is answered."""
    slices: Any = import_module("covidct.series.slices")
    out, parse = tmp_path / "out", slices.parse_slice
    deaths: list[str] = []
    poisonous = str(archive / "a" / "IM0010")

    def die(data: bytes, *, name: str) -> Any:
        if name == poisonous:
            deaths.append(name)
            raise Killed
        return parse(data, name=name)

    monkeypatch.setattr(slices, "parse_slice", die)
    for _ in range(3):
        with pytest.raises(Killed):
            run_here(archive, out=out, bundle=tiny_bundle)
    told: list[Step] = []
    summary = run_here(archive, out=out, bundle=tiny_bundle, told=told)
    assert len(deaths) == 3
    assert any(poisonous in line for step in told for line in step.told)
    rows = {row["path"]: row for row in read_rows(out) if row["kind"] == "slice"}
    assert len(rows) == 10
    assert rows[poisonous]["status"] == "error"
    assert "killed the process 2 times" in rows[poisonous]["message"]
    assert summary.errors == 2
    assert sorted(row["slices"] for row in read_rows(out) if row["kind"] == "series") == [3, 4]


def test_a_header_that_kills_its_worker_is_set_aside_too(
    archive: Path, tmp_path: Path, tiny_bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    binding: Any = import_module("covidct.apps.archive.binding")
    look, poisonous = binding.look_into, str(archive / "b" / "IM0003")

    def die(candidate: Any) -> Any:
        if candidate.blob.name == poisonous:
            raise Killed
        return look(candidate)

    monkeypatch.setattr(binding, "look_into", die)
    for _ in range(3):
        with pytest.raises(Killed):
            run_here(archive, out=tmp_path / "out", bundle=tiny_bundle)
    run_here(archive, out=tmp_path / "out", bundle=tiny_bundle)
    counts = {row["path"]: row["status"] for row in read_rows(tmp_path / "out") if row["kind"] == "slice"}
    assert counts[poisonous] == "error"
    assert list(counts.values()).count("error") == 2


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EACCES])
def test_a_full_or_forbidden_disk_is_told_with_its_place_and_a_restart_goes_on(
    archive: Path, tmp_path: Path, tiny_bundle: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    out, move = tmp_path / "out", Place.write

    def fail(place: Place, data: bytes, *names: str) -> None:
        if names[0] == "results":
            raise OSError(number, "as the system says", place.to_path(*names))
        move(place, data, *names)

    with monkeypatch.context() as patch:
        patch.setattr(Place, "write", fail)
        with pytest.raises(OSError, match="results") as caught:
            run_here(archive, out=out, bundle=tiny_bundle)
    assert caught.value.errno == number
    summary = run_here(archive, out=out, bundle=tiny_bundle)
    assert (summary.files, summary.slices) == (0, 10)  # headers were kept


def test_a_table_that_is_not_ours_is_left_alone(archive: Path, tmp_path: Path, tiny_bundle: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "thesis.docx").write_text("years of work")
    with pytest.raises(ArchiveError, match="not empty, and not a table of covidct archive; give another"):
        run_here(archive, out=out, bundle=tiny_bundle)
    assert [path.name for path in out.iterdir()] == ["thesis.docx"]
    (out / "archive.json").write_text("[]")
    with pytest.raises(ArchiveError, match=r"archive\.json is not of covidct archive 1"):
        run_here(archive, out=out, bundle=tiny_bundle)
    with pytest.raises(ArchiveError, match="a file, not a folder"):
        run_here(archive, out=out / "thesis.docx", bundle=tiny_bundle)


def test_a_table_of_another_model_is_told(archive: Path, tmp_path: Path, tiny_bundle: Path) -> None:
    run_here(archive, out=tmp_path / "out", bundle=tiny_bundle)
    with pytest.raises(ArchiveError, match="holds answers with all_series False, not True"):
        run_here(archive, out=tmp_path / "out", bundle=tiny_bundle, all_series=True)


def test_two_runs_do_not_write_one_table(archive: Path, tmp_path: Path, tiny_bundle: Path) -> None:
    out = tmp_path / "out"
    run_here(archive, out=out, bundle=tiny_bundle)
    with Table(str(out)).locked(), pytest.raises(ArchiveError, match="another run is writing to it"):
        run_here(archive, out=out, bundle=tiny_bundle)


def test_a_part_that_is_damaged_is_told_and_made_again(
    archive: Path, tmp_path: Path, tiny_bundle: Path
) -> None:
    out = tmp_path / "out"
    told: list[Step] = []
    run_here(archive, out=out, bundle=tiny_bundle)
    before = read_rows(out)
    (part,) = (out / "results").iterdir()
    part.write_bytes(part.read_bytes()[:100])
    run_here(archive, out=out, bundle=tiny_bundle, told=told)
    assert read_rows(out) == before
    assert any("was damaged" in line for step in told for line in step.told)


def test_a_damaged_index_says_what_to_delete(archive: Path, tmp_path: Path, tiny_bundle: Path) -> None:
    run_here(archive, out=tmp_path / "out", bundle=tiny_bundle)
    (part,) = (tmp_path / "out" / "index").iterdir()
    part.write_bytes(b"PAR1")
    with pytest.raises(ArchiveError, match=rf"{part.name}: damaged; delete it"):
        run_here(archive, out=tmp_path / "out", bundle=tiny_bundle)


def test_names_that_are_no_text_have_rows(tmp_path: Path, tiny_bundle: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    write_png(folder / "\udcff.png", np.zeros((64, 64), np.uint8))
    run_here(folder, out=tmp_path / "out", bundle=tiny_bundle)
    (row,) = read_rows(tmp_path / "out")
    assert row["path"].endswith("\\udcff.png")
    assert run_here(folder, out=tmp_path / "out", bundle=tiny_bundle).known == 1
