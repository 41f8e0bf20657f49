from __future__ import annotations

import csv
import errno
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image

from covidct.apps.cli.main import main
from covidct.data.lock import read_lock
from covidct.data.manifest import read_manifest
from makers import SERIES_UID, phantom_hu, write_dicom, write_png
from training import write_phantoms


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_phantoms(tmp_path_factory.mktemp("slices"), patients=10, size=48)


def call(*arguments: str | Path) -> Result:
    result = CliRunner().invoke(main, ["split", *(str(argument) for argument in arguments)])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def read_lines(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_every_row_gets_a_split_and_no_patient_two(manifest: Path, tmp_path: Path) -> None:
    out = tmp_path / "new.csv"
    result = call(manifest, "--out", out, "--test", "0.3", "--tune", "0.2", "--calibrate", "0.1")
    assert result.exit_code == 0
    new = read_manifest(out)
    assert [row.path.resolve() for row in new.rows] == [
        row.path.resolve() for row in read_manifest(manifest).rows
    ]
    splits = defaultdict(set)
    for row in new.rows:
        splits[row.source, row.patient_id].add(row.split)
    assert all(len(found) == 1 for found in splits.values())
    assert {row.split for row in new.rows} == {"train", "tune", "calibrate", "test"}
    assert "north" in result.stdout
    assert "in " in result.stdout


def test_the_same_seed_gives_the_same_splits(manifest: Path, tmp_path: Path) -> None:
    for name, seed in (("a", "1"), ("b", "1"), ("c", "2")):
        assert call(manifest, "--out", tmp_path / f"{name}.csv", "--seed", seed, "--no-pixels").exit_code == 0
    first, again, other = ((tmp_path / f"{name}.csv").read_bytes() for name in "abc")
    assert first == again != other


def test_the_test_split_is_locked(manifest: Path, tmp_path: Path) -> None:
    out = tmp_path / "new.csv"
    call(manifest, "--out", out, "--no-pixels")
    lock = read_lock(out)
    assert lock is not None
    assert lock.slices == sum(row.split == "test" for row in read_manifest(out).rows) > 0
    assert lock.uses == ()


def test_other_columns_and_rows_without_a_label_are_kept(manifest: Path, tmp_path: Path) -> None:
    lines = read_lines(manifest)
    lines[0]["label"] = "ood"
    wide = manifest.with_name("wide.csv")
    with wide.open("w", newline="", encoding="utf-8") as file:
        head = ["scanner", *(name for name in lines[0] if name != "split")]
        writer = csv.DictWriter(file, head, extrasaction="ignore")
        writer.writeheader()
        writer.writerows(line | {"scanner": f"s{at}"} for at, line in enumerate(lines))
    call(wide, "--out", tmp_path / "new.csv", "--no-pixels")
    new = read_lines(tmp_path / "new.csv")
    assert [line["scanner"] for line in new] == [f"s{at}" for at in range(len(lines))]
    assert new[0]["split"] == ""
    assert all(line["split"] for line in new[1:])


def test_splits_that_are_there_can_be_kept(manifest: Path, tmp_path: Path) -> None:
    call(manifest, "--out", tmp_path / "a.csv", "--seed", "1", "--no-pixels")
    call(tmp_path / "a.csv", "--out", tmp_path / "b.csv", "--seed", "2", "--no-pixels", "--keep")
    call(tmp_path / "a.csv", "--out", tmp_path / "c.csv", "--seed", "2", "--no-pixels")
    first, kept, new = ([line["split"] for line in read_lines(tmp_path / f"{name}.csv")] for name in "abc")
    assert first == kept != new


def test_whole_sources_can_be_kept_together(manifest: Path, tmp_path: Path) -> None:
    result = call(manifest, "--out", tmp_path / "new.csv", "--by", "source", "--test", "0.5", "--no-pixels")
    assert "Note: tune holds nothing." in result.stdout
    assert {row.split for row in read_manifest(tmp_path / "new.csv").rows} == {"train", "test"}
    splits = defaultdict(set)
    for row in read_manifest(tmp_path / "new.csv").rows:
        splits[row.source].add(row.split)
    assert all(len(found) == 1 for found in splits.values())


def test_copies_stay_together_though_their_names_do_not_tell(tmp_path: Path) -> None:
    """Twelve pictures without ids, each with a mirrored copy far away in number."""
    folder = write_phantoms(tmp_path, patients=6, size=96).parent
    originals = [row.path for row in read_manifest(folder / "manifest.csv").rows][::2]
    lines = ["path,label"]
    for at, path in enumerate(originals):
        label = "covid" if at % 2 else "non-covid"
        mirrored = np.asarray(Image.open(path).transpose(Image.Transpose.FLIP_LEFT_RIGHT))
        write_png(folder / f"{at}00.png", np.asarray(Image.open(path)))
        write_png(folder / f"{at + 50}00.png", mirrored)
        lines += [f"{at}00.png,{label}", f"{at + 50}00.png,{label}"]
    (folder / "bare.csv").write_text("\n".join(lines) + "\n")
    call(folder / "bare.csv", "--out", folder / "new.csv", "--block", "1", "--test", "0.3", "--tune", "0.3")
    splits = {Path(line["path"]).name: line["split"] for line in read_lines(folder / "new.csv")}
    assert len(set(splits.values())) > 2
    assert all(splits[f"{at}00.png"] == splits[f"{at + 50}00.png"] for at in range(len(originals)))


def test_paths_are_relative_to_the_new_manifest(manifest: Path, tmp_path: Path) -> None:
    out = manifest.parent / "deeper"
    out.mkdir(exist_ok=True)
    call(manifest, "--out", out / "new.csv", "--no-pixels")
    assert read_lines(out / "new.csv")[0]["path"] == f"../{read_lines(manifest)[0]['path']}"


def test_nothing_is_overwritten(manifest: Path, tmp_path: Path) -> None:
    out = tmp_path / "new.csv"
    call(manifest, "--out", out, "--no-pixels")
    before = out.read_bytes()
    result = call(manifest, "--out", out, "--no-pixels", "--seed", "5")
    assert result.exit_code == 2
    assert "already exists" in result.stderr
    out.unlink()
    assert "lock.json: already exists" in call(manifest, "--out", out, "--no-pixels").stderr
    assert not out.exists()
    assert before


def test_files_that_cannot_be_read_leave_nothing_behind(manifest: Path, tmp_path: Path) -> None:
    good = read_manifest(manifest).rows[0].path
    (tmp_path / "bad.csv").write_text(f"path,label\n{good},covid\ngone.png,covid\n")
    result = call(tmp_path / "bad.csv", "--out", tmp_path / "new.csv")
    assert result.exit_code == 2
    assert "1 file cannot be read" in result.stderr
    assert not (tmp_path / "new.csv").exists()


def test_slices_that_cannot_be_locked_leave_nothing_behind(tmp_path: Path) -> None:
    manifest = write_phantoms(tmp_path, patients=4, size=48)
    out = tmp_path / "new.csv"
    assert call(manifest, "--out", out, "--no-pixels").exit_code == 0
    locked = next(line["path"] for line in read_lines(out) if line["split"] == "test")
    before = sorted(path.name for path in tmp_path.iterdir() if path.name not in (out.name, locked))
    for name in (locked, out.name):
        (tmp_path / name).unlink()
    (tmp_path / "new.csv.lock.json").unlink()
    result = call(manifest, "--out", out, "--no-pixels")
    assert result.exit_code == 2
    assert f"{locked}: no such file" in result.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        name for name in before if name != "new.csv.lock.json"
    ]


def test_a_full_disk_is_told_in_one_line_and_leaves_nothing_behind(
    manifest: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def rename(_: Path, __: Path) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "replace", rename)
    result = call(manifest, "--out", tmp_path / "new.csv", "--no-pixels")
    assert result.exit_code == 2
    assert result.stderr.endswith(
        f"{tmp_path / 'new.csv.lock.json'}: no space is left; free some, then run the same command again\n"
    )
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--test", "0.6", "--tune", "0.5"), "must leave something to train on"),
        (("--test", "1"), "--test"),
        (("--by", "hospital"), "--by"),
        (("--positive", "x", "--negative", "y"), "no row has a label of x, y"),
    ],
)
def test_wrong_usage(manifest: Path, tmp_path: Path, options: tuple[str, ...], words: str) -> None:
    result = call(manifest, "--out", tmp_path / "new.csv", *options)
    assert result.exit_code == 2
    assert words in result.stderr


def test_dicom_files_bring_their_ids(tmp_path: Path) -> None:
    """Two patients a class with several series each, in one folder, without a word in the manifest."""
    lines = ["path,label"]
    for patient in range(8):
        for at in range(3):
            name = f"{at}-{patient}.dcm"
            tags = {"PatientID": f"p{patient}", "SeriesInstanceUID": f"{SERIES_UID}.{patient}.{at}"}
            write_dicom(tmp_path / name, phantom_hu(seed=10 * patient + at), **tags)
            lines.append(f"{name},{('covid', 'non-covid')[patient % 2]}")
    (tmp_path / "m.csv").write_text("\n".join(lines) + "\n")
    for options in (("--block", "1"), ("--block", "1", "--no-pixels")):
        out = tmp_path / f"new{len(options)}.csv"
        assert call(tmp_path / "m.csv", "--out", out, "--test", "0.5", *options).exit_code == 0
        splits = defaultdict(set)
        for line in read_lines(out):
            splits[line["path"].partition("-")[2]].add(line["split"])
        assert all(len(found) == 1 for found in splits.values())
        assert {split for found in splits.values() for split in found} >= {"train", "test"}


def test_patients_stay_whole_whatever_else_is_kept_together(manifest: Path, tmp_path: Path) -> None:
    lines = read_lines(manifest)
    for at, line in enumerate(lines):
        line["study_uid"] = f"{at % 7 if at < 14 else at}"
    wide = manifest.with_name("studies.csv")
    with wide.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(lines[0]))
        writer.writeheader()
        writer.writerows(lines)
    call(wide, "--out", tmp_path / "new.csv", "--by", "study_uid", "--no-pixels", "--test", "0.3")
    splits = defaultdict(set)
    for line in read_lines(tmp_path / "new.csv"):
        splits[line["source"], line["patient_id"]].add(line["split"])
        splits[line["source"], f"study {line['study_uid']}"].add(line["split"])
    assert all(len(found) == 1 for found in splits.values())


def test_a_column_that_no_row_has_cannot_be_split_by(manifest: Path, tmp_path: Path) -> None:
    result = call(manifest, "--out", tmp_path / "new.csv", "--by", "series_uid", "--no-pixels")
    assert result.exit_code == 2
    assert "no row has a series_uid" in result.stderr
    assert not (tmp_path / "new.csv").exists()


def test_a_test_split_that_would_be_empty_is_refused(tmp_path: Path) -> None:
    rows = "".join(f"{at}.png,{('covid', 'non-covid')[at % 2]}\n" for at in range(12))
    (tmp_path / "m.csv").write_text(f"path,label\n{rows}")
    result = call(tmp_path / "m.csv", "--out", tmp_path / "new.csv", "--no-pixels")
    assert result.exit_code == 2
    assert "the test split would be empty" in result.stderr
    assert not (tmp_path / "new.csv").exists()


def test_what_is_kept_divided_is_told(manifest: Path, tmp_path: Path) -> None:
    lines = read_lines(manifest)
    for at, line in enumerate(lines):
        line["split"] = ("train", "test")[at % 2]
    torn = manifest.with_name("torn.csv")
    with torn.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(lines[0]))
        writer.writeheader()
        writer.writerows(lines)
    result = call(torn, "--out", tmp_path / "new.csv", "--keep", "--no-pixels")
    assert "40 groups were divided already, and --keep leaves them so" in result.stdout


def test_a_folder_that_is_not_there_is_told_before_the_work(manifest: Path, tmp_path: Path) -> None:
    result = call(manifest, "--out", tmp_path / "no" / "new.csv")
    assert result.exit_code == 2
    assert "there is no folder" in result.stderr
    assert "reading" not in result.stderr
