from __future__ import annotations

from dataclasses import FrozenInstanceError
from pathlib import Path

import pytest

from covidct.errors import ReadError
from covidct.images.blob import Blob, FileBlob, MemoryBlob
from covidct.series.types import Instance


@pytest.fixture
def blobs(tmp_path: Path) -> tuple[Blob, ...]:
    (tmp_path / "a").write_bytes(b"abc")
    return FileBlob(tmp_path / "a", "a"), MemoryBlob("a", b"abc")


def test_a_blob_can_be_opened_again(blobs: tuple[Blob, ...]) -> None:
    for blob in blobs:
        for _ in range(2):
            with blob.open() as stream:
                assert stream.read() == blob.read() == b"abc"
        assert blob.name == "a"


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ReadError, match=r"^given: no such file"):
        FileBlob(tmp_path / "b", "given").read()


def test_values_are_frozen_and_hide_bytes() -> None:
    instance = Instance("a", None, None, None, blob=MemoryBlob("a", b"secret"))
    assert "secret" not in repr(instance)
    with pytest.raises(FrozenInstanceError):
        instance.path = "b"  # type: ignore[misc]
