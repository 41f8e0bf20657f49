from __future__ import annotations

import gzip
import random
from typing import Any

import pytest

from covidct.errors import ReadError
from covidct.images.blob import MemoryBlob
from covidct.images.gunzip import GzipBlob, Marks, gunzip


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


def test_a_stream_begins_anywhere_and_again() -> None:
    whole = random.Random(3).randbytes(3_000_000)
    packed = gzip.compress(whole[:1_000_000], 1) + gzip.compress(whole[1_000_000:], 1)
    for marks in (None, Marks()):
        blob = GzipBlob(MemoryBlob("x.gz", packed), marks=marks)
        for at in (2_999_990, 0, 1_500_000, 999_990, 999_995, 3_000_000, 3_000_001):
            with blob.open() as stream:
                stream.seek(at)
                assert stream.read(20) == whole[at : at + 20]
                assert stream.seek(-10, 1) == stream.tell()
                with pytest.raises(OSError, match="not known"):
                    stream.seek(0, 2)


def test_a_stream_meets_damage_where_it_is() -> None:
    whole = random.Random(3).randbytes(400_000)
    packed = gzip.compress(whole, 1)
    with GzipBlob(MemoryBlob("x.gz", packed[:-1000])).open() as stream:
        assert stream.read(200_000) == whole[:200_000]
        with pytest.raises(ReadError, match=r"x\.gz: gzip that is cut off"):
            stream.read()
    with (
        GzipBlob(MemoryBlob("x.gz", packed), limit=300_000).open() as stream,
        pytest.raises(ReadError, match="more than 300,000 bytes"),
    ):
        stream.read()


def test_zeros_are_not_unpacked_for_long() -> None:
    """Of 300 MB of zeros in 300 KB, at most a quarter."""
    with pytest.raises(ReadError, match=r"x: unpacks to more than 100 times its 31[0-9],[0-9]{3} bytes"):
        gunzip(gzip.compress(bytes(2**20), mtime=0) * 300, name="x")


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
