from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from covidct.data.lock import Use, is_unchanged, make_lock, read_lock, record_use, to_lock_path, write_lock
from covidct.data.manifest import Manifest, read_manifest
from covidct.errors import ManifestError, ReadError
from makers import write_png

USE = Use("model", "1.0.0", "f" * 64, "2026-01-01")


@pytest.fixture
def manifest(tmp_path: Path) -> Manifest:
    lines = ["path,label,split"]
    for at, split in enumerate(("train", "test", "test")):
        write_png(tmp_path / f"{at}.png", np.full((32, 32), at, np.uint8))
        lines.append(f"{at}.png,covid,{split}")
    return rewrite(tmp_path, lines)


def rewrite(folder: Path, lines: list[str]) -> Manifest:
    (folder / "data.csv").write_text("\n".join(lines) + "\n")
    return read_manifest(folder / "data.csv")


def test_a_lock_reads_as_it_was_written(manifest: Manifest) -> None:
    lock = make_lock(manifest)
    write_lock(lock)
    assert read_lock(manifest.path) == lock
    assert (lock.slices, lock.uses) == (2, ())
    assert is_unchanged(lock, manifest)
    assert not list(manifest.path.parent.glob("*.partial"))


def test_without_a_lock_there_is_none_and_nothing_is_recorded(manifest: Manifest) -> None:
    assert read_lock(manifest.path) is None
    assert record_use(manifest, USE) is None
    assert not to_lock_path(manifest.path).exists()


def test_each_use_is_recorded_once_a_day_and_model(manifest: Manifest) -> None:
    write_lock(make_lock(manifest))
    record_use(manifest, USE)
    record_use(manifest, USE)
    other = Use("model", "1.0.1", "e" * 64, "2026-01-01")
    record_use(manifest, other)
    lock = read_lock(manifest.path)
    assert lock is not None
    assert lock.uses == (USE, other)


@pytest.mark.parametrize(
    "lines",
    [
        ["path,label,split", "0.png,covid,train", "1.png,covid,test", "2.png,non-covid,test"],
        ["path,label,split", "0.png,covid,test", "1.png,covid,test", "2.png,covid,test"],
        ["path,label,split", "0.png,covid,train", "1.png,covid,test", "2.png,covid,train"],
        ["path,label,split", "0.png,covid,test", "1.png,covid,test", "2.png,covid,train"],
    ],
    ids=["label", "added", "taken", "swapped"],
)
def test_a_test_split_that_changed_is_refused(manifest: Manifest, lines: list[str]) -> None:
    write_lock(make_lock(manifest))
    changed = rewrite(manifest.path.parent, lines)
    with pytest.raises(ManifestError, match=r"is not the one that data\.csv\.lock\.json locks"):
        record_use(changed, USE)


def test_the_order_of_rows_and_the_other_splits_do_not_matter(manifest: Manifest) -> None:
    lock = make_lock(manifest)
    lines = ["path,label,split", "2.png,covid,test", "0.png,covid,tune", "1.png,covid,test"]
    assert is_unchanged(lock, rewrite(manifest.path.parent, lines))


def test_a_slice_that_is_gone_cannot_be_locked(manifest: Manifest) -> None:
    manifest.rows[1].path.unlink()
    with pytest.raises(ReadError, match=r"1\.png"):
        make_lock(manifest)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        "null",
        '{"format": 2, "digest": "", "slices": 0, "uses": []}',
        '{"format": 1, "digest": "", "slices": 0, "uses": [{}]}',
    ],
)
def test_damaged_locks_are_told(manifest: Manifest, text: str) -> None:
    to_lock_path(manifest.path).write_text(text)
    with pytest.raises(ManifestError, match="cannot be read as a lock"):
        read_lock(manifest.path)


def test_the_file_is_plain_json(manifest: Manifest) -> None:
    write_lock(make_lock(manifest))
    record_use(manifest, USE)
    document = json.loads(to_lock_path(manifest.path).read_text())
    assert document["uses"] == [
        {"model": "model", "version": "1.0.0", "digest": "f" * 64, "day": "2026-01-01"}
    ]
    assert str(manifest.path.parent) not in json.dumps(document)
