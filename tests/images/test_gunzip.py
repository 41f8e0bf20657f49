from __future__ import annotations

import gzip
import random
from typing import Any

import pytest

from covidct.errors import ReadError
from covidct.images.blob import MemoryBlob
from covidct.images.gunzip import GzipBlob, gunzip


def test_all_members_are_unpacked_and_what_follows_is_left() -> None:
    packed = gzip.compress(b"one ") + gzip.compress(b"two")
    assert gunzip(packed, name="x") == b"one two"
    assert gunzip(packed + bytes(512), name="x") == b"one two"
    blob = GzipBlob(MemoryBlob("x.gz", packed))
    assert (blob.name, blob.size, blob.read()) == ("x.gz", len(packed), b"one two")
    with blob.open() as stream:
        assert stream.read(3) == b"one"


def test_members_of_any_length_and_at_most_so_many(monkeypatch: pytest.MonkeyPatch) -> None:
    parts = [random.Random(length).randbytes(length) for length in (0, 1, 70_000, 0, 200_000, 65_536)]
    assert gunzip(b"".join(map(gzip.compress, parts)), name="x") == b"".join(parts)
    monkeypatch.setattr("covidct.images.gunzip.MAX_MEMBERS", 3)
    assert gunzip(gzip.compress(b"one") * 3 + b"tail", name="x") == b"one" * 3
    with pytest.raises(ReadError, match="x: gzip of more than 3 members; pack it again, as one"):
        gunzip(gzip.compress(b"one") * 4, name="x")


def test_many_empty_members_take_no_longer_each_than_few() -> None:
    """zlib copies what follows a member: the whole file for each, unless it is fed in pieces."""
    fed: list[int] = []

    class Counted(bytes):
        def __getitem__(self, key: Any) -> Any:
            part = super().__getitem__(key)
            fed.append(len(part))
            return part

    packed = gzip.compress(b"", mtime=0)
    assert gunzip(Counted(packed * 10_000), name="x") == b""
    assert max(fed) <= 1 << 16


def test_damage_and_bounds() -> None:
    packed = gzip.compress(bytes(range(256)) * 40)
    for data, message in (
        (packed[:-20], "x: gzip that is cut off; copy it again"),
        (packed[:60] + bytes(20) + packed[80:], "x: damaged gzip"),
        (gzip.compress(b"one") + packed[:-20], "x: gzip that is cut off"),
    ):
        with pytest.raises(ReadError, match=message):
            gunzip(data, name="x")
    assert len(gunzip(packed, name="x", limit=10_240)) == 10_240
    with pytest.raises(ReadError, match="x: unpacks to more than 10,239 bytes"):
        gunzip(packed, name="x", limit=10_239)
    with pytest.raises(ReadError, match="more than 10,242 bytes"):
        gunzip(gzip.compress(b"one") + packed, name="x", limit=10_242)
