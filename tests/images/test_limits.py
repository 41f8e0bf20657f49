from __future__ import annotations

from io import BytesIO

import pytest

from covidct.errors import ReadError, UnsupportedDicom, UnsupportedImage
from covidct.images import limits
from covidct.images.limits import (
    LARGE,
    MAX_BYTES,
    MAX_GROWTH,
    MAX_PIXELS,
    Allowance,
    check_bytes,
    check_growth,
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


def test_what_zeros_become_is_not_unpacked() -> None:
    check_growth(LARGE, 1, name="x")
    check_growth(LARGE + 1, LARGE // MAX_GROWTH + 1, name="x")
    with pytest.raises(ReadError, match="x: unpacks to more than 100 times its 1,000 bytes"):
        check_growth(LARGE + 1, 1000, name="x")


def test_streams_share_how_often_they_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MAX_READS", 4)
    allowance = Allowance("x")
    stream, other = allowance.bind(BytesIO(b"abcdef")), allowance.bind(BytesIO(b"gh"))
    assert (stream.read(2), stream.tell(), stream.seek(4), stream.read(), stream.read()) == (
        b"ab",
        2,
        4,
        b"ef",
        b"",
    )
    assert other.read() == b"gh"
    for one in (stream, other):
        with pytest.raises(ReadError, match=r"x: damaged DICOM \(far too many elements and items\)"):
            one.read(1)
    twice = Allowance("x", times=2).bind(BytesIO(b"12345678"))
    assert b"".join(twice.read(1) for _ in range(8)) == b"12345678"


def test_streams_share_how_often_they_are_sought(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MAX_ITEMS", 2)
    allowance = Allowance("x")
    stream = allowance.bind(BytesIO(b"abcdef"))
    assert (stream.seek(1), stream.seek(1, 1)) == (1, 2)
    with pytest.raises(ReadError, match=r"x: damaged DICOM \(far too many items\)"):
        allowance.bind(BytesIO()).seek(0)
