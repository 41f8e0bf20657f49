from __future__ import annotations

import csv
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image

from covidct.apps.cli import main
from covidct.lock import read_lock
from covidct.manifest import read_manifest
from makers import write_png
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
    call(manifest, "--out", tmp_path / "new.csv", "--by", "source", "--test", "0.5", "--no-pixels")
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
    assert "is there already" in result.stderr
    out.unlink()
    assert "lock.json: is there already" in call(manifest, "--out", out, "--no-pixels").stderr
    assert not out.exists()
    assert before


def test_files_that_cannot_be_read_leave_nothing_behind(manifest: Path, tmp_path: Path) -> None:
    good = read_manifest(manifest).rows[0].path
    (tmp_path / "bad.csv").write_text(f"path,label\n{good},covid\ngone.png,covid\n")
    result = call(tmp_path / "bad.csv", "--out", tmp_path / "new.csv")
    assert result.exit_code == 2
    assert "1 files cannot be read" in result.stderr
    assert not (tmp_path / "new.csv").exists()


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
