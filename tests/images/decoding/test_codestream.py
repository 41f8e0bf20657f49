from __future__ import annotations

import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from covidct.images.decoding.codestream import Frame, parse_frame
from makers import encode

GREY = Image.fromarray(np.arange(48, dtype=np.uint8).reshape(6, 8))
JPEG, JPEG_2000 = encode(GREY, "JPEG"), encode(GREY, "JPEG2000", no_jp2=True)
# SOI, a fill byte, SOF55, SOS, EOI
JPEG_LS = (
    b"\xff\xd8\xff\xff\xf7" + struct.pack(">HBHHB3s", 11, 12, 6, 8, 1, b"\1\x11\0") + b"\xff\xda\xff\xd9"
)


def test_parses_headers() -> None:
    assert parse_frame(JPEG) == Frame(rows=6, columns=8, components=1, precision=8)
    assert parse_frame(encode(GREY.convert("RGB"), "JPEG")) == Frame(6, 8, 3, 8)
    assert parse_frame(JPEG_LS) == Frame(6, 8, 1, 12)
    assert parse_frame(JPEG_2000) == Frame(6, 8, 1, 8)
    assert parse_frame(encode(GREY, "JPEG2000")) == Frame(6, 8, 1, 8)  # in a JP2 box


@pytest.mark.parametrize("length", range(0, 120, 7))
def test_headers_cut_off(length: int) -> None:
    assert parse_frame(JPEG[:length]) is None
    if length < 40:
        assert parse_frame(JPEG_2000[:length]) is None


@pytest.mark.parametrize("table", [0x20, 0x04, 0x68])
def test_impossible_huffman_tables(table: int) -> None:
    at = JPEG.index(b"\xff\xc4") + 4
    assert parse_frame(JPEG[:at] + bytes([table]) + JPEG[at + 1 :]) is None


def test_huffman_tables_longer_than_their_segment() -> None:
    at = JPEG.index(b"\xff\xc4") + 5
    assert parse_frame(JPEG[:at] + b"\xff" + JPEG[at + 1 :]) is None


@settings(deadline=None, max_examples=50)
@given(st.binary(max_size=60))
def test_never_raises(data: bytes) -> None:
    for start in (b"", b"\xff\xd8", b"\xff\x4f\xff\x51"):
        parse_frame(start + data)
