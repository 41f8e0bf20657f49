from __future__ import annotations

import gzip

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
