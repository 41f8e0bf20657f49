"""The headers of a JPEG, JPEG-LS or JPEG 2000 codestream: what a decoder would believe.

Knows just enough of the three to be asked before a decoder is. gdcm allocates what a codestream declares, and
ends the whole program (an uncaught C++ exception, or worse) where size, precision or tables are absurd.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

# SOF0 to SOF15 and SOF55 (JPEG-LS), without DHT, JPG and DAC, which lie between them.
_FRAME_MARKERS = frozenset((*range(0xC0, 0xD0), 0xF7)) - {0xC4, 0xC8, 0xCC}
_HUFFMAN_TABLES = 0xC4
_START_OF_SCAN = 0xDA
_JPEG_2000 = b"\xff\x4f\xff\x51"


@dataclass(frozen=True)
class Frame:
    """What a codestream declares of its picture."""

    rows: int
    columns: int
    components: int
    precision: int
    signed: bool = False


def parse_frame(data: bytes) -> Frame | None:
    """Parse the headers; None where there is no picture to decode in them, as in damaged data and in RLE."""
    try:
        if data.startswith(b"\xff\xd8"):
            return _parse_jpeg(data)
        start = find_jpeg_2000(data)
        return None if start < 0 else _parse_jpeg_2000(data, start)
    except (IndexError, struct.error):
        return None


def find_jpeg_2000(data: bytes) -> int:
    """Where the codestream begins, which may lie in a JP2 box of some dozens of bytes; -1 without one."""
    return data.find(_JPEG_2000, 0, 512)


def _parse_jpeg(data: bytes) -> Frame | None:
    frame, at = None, 2
    while data[at] == 0xFF and data[at + 1] != _START_OF_SCAN:
        marker = data[at + 1]
        if marker == 0xFF:  # a fill byte
            at += 1
            continue
        if marker in _FRAME_MARKERS:
            _, precision, rows, columns, components = struct.unpack_from(">HBHHB", data, at + 2)
            frame = Frame(rows, columns, components, precision)
        length = int(struct.unpack_from(">H", data, at + 2)[0])
        if marker == _HUFFMAN_TABLES and not _are_huffman_tables(data[at + 4 : at + 2 + length]):
            return None
        at += 2 + length
    return frame if data[at] == 0xFF else None


def _are_huffman_tables(data: bytes) -> bool:
    """Tell whether a segment holds nothing but tables with a possible class and number."""
    at = 0
    while at + 17 <= len(data):
        if data[at] & 0xEC:  # class 0 or 1 in the upper half, number 0 to 3 in the lower
            return False
        at += 17 + sum(data[at + 1 : at + 17])
    return at == len(data)


def _parse_jpeg_2000(data: bytes, start: int) -> Frame | None:
    # SOC, then SIZ: marker, length, capabilities, size, offset, tile size, tile offset, components; of the
    # first, precision less one, with its sign in the highest bit, and subsampling.
    fields = struct.unpack_from(">HHHIIIIIIIIHBBB", data, start + 2)
    columns, rows, left, top, components = fields[3], fields[4], fields[5], fields[6], fields[11]
    if fields[13:] != (1, 1):
        return None
    return Frame(rows - top, columns - left, components, (fields[12] & 0x7F) + 1, bool(fields[12] & 0x80))
