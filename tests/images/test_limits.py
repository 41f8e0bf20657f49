from __future__ import annotations

from io import BytesIO

import pytest

from covidct.errors import ReadError, UnsupportedDicom, UnsupportedImage
from covidct.images import limits
from covidct.images.limits import (
    MAX_BYTES,
    MAX_ITEMS,
    MAX_PIXELS,
    BoundedStream,
    check_bytes,
    check_items,
    check_pixels,
)


def test_pixels() -> None:
    check_pixels(1, 1, name="x")
    check_pixels(MAX_PIXELS, 1, name="x")
    with pytest.raises(UnsupportedImage, match="x: 1 x 50000001 pixels, but at most 50,000,000 are read"):
        check_pixels(MAX_PIXELS + 1, 1, name="x")
    with pytest.raises(UnsupportedDicom, match="x: 512 x 0 pixels: the picture is empty"):
        check_pixels(0, 512, name="x", error=UnsupportedDicom)


def test_bytes() -> None:
    check_bytes(1, name="x")
    check_bytes(MAX_BYTES, name="x")
    with pytest.raises(ReadError, match="x: the file is empty; copy it again"):
        check_bytes(0, name="x")
    with pytest.raises(ReadError, match="x: 268,435,457 bytes, but at most"):
        check_bytes(MAX_BYTES + 1, name="x")


def test_a_bounded_stream_is_read_so_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MAX_READS", 3)
    stream = BoundedStream(BytesIO(b"abcdef"), name="x")
    assert (stream.read(2), stream.tell(), stream.seek(4), stream.read(), stream.read()) == (
        b"ab",
        2,
        4,
        b"ef",
        b"",
    )
    with pytest.raises(ReadError, match=r"x: damaged DICOM \(far too many elements and items\)"):
        stream.read(1)


def test_items_of_a_sequence() -> None:
    item = b"\xfe\xff\x00\xe0\0\0\0\0"
    check_items(item * MAX_ITEMS, name="x")
    check_items(None, name="x")
    with pytest.raises(ReadError, match=r"x: damaged DICOM \(far too many items in a sequence\)"):
        check_items(item * (MAX_ITEMS + 1), name="x")
