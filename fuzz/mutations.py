"""A sound file -> a damaged one: by bits, by numbers that lie, and by the structure of its format."""

from __future__ import annotations

import gzip
import random
import re
import struct
import zlib
from collections.abc import Callable
from functools import cache

# What lengths, sizes and counts are when they lie.
WILD = (0, 1, 2, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFE, 0xFFFFFFFF)
VRS = b"AE AS AT CS DA DS DT FD FL IS LO LT OB OW PN SH SL SQ SS ST TM UI UL UN US UT".split()
# Rows, Columns, NumberOfFrames, BitsAllocated, BitsStored: their tags, little-endian.
SIZES = tuple(b"\x28\0" + tag for tag in (b"\x10\0", b"\x11\0", b"\x08\0", b"\0\1", b"\1\1"))
# Markers of JPEG and JPEG 2000 with a length after them: SOFs, DHT, DQT, SOS; SIZ, COD, QCD, SOT.
MARKERS = tuple(bytes((0xFF, code)) for code in b"\xc0\xc1\xc2\xc3\xc4\xdb\xda\xf7\x51\x52\x5c\x90")
ITEMS = b"\xfe\xff\x00\xe0", b"\xfe\xff\xdd\xe0"  # of fragments, and what ends them
SIGNATURES = (
    b"MZ",
    b"\x7fELF",
    b"II*\0",
    b"MM\0*",
    b"PK\x03\x04",
    b"\x1f\x8b\x08",
    b"DICM",
    b"\xff\x4f\xff\x51",
)
ITEM, SEQUENCE = b"\xfe\xff\x00\xe0\xff\xff\xff\xff", b"\x08\x00\x40\x11SQ\0\0\xff\xff\xff\xff"
Mutation = Callable[[bytes, random.Random], bytes]


def mutate(data: bytes, draw: random.Random) -> bytes:
    """One to four mutations, one after the other."""
    for _ in range(draw.choice((1, 1, 2, 4))):
        data = draw.choice(MUTATIONS)(data, draw)
    return data


def flip_bits(data: bytes, draw: random.Random) -> bytes:
    """Some bits turned over, near the start more often, where headers are."""
    changed = bytearray(data)
    for _ in range(draw.choice((1, 2, 8, 64)) if data else 0):
        limit = draw.choice((64, 1024, len(changed)))
        changed[draw.randrange(min(limit, len(changed)))] ^= 1 << draw.randrange(8)
    return bytes(changed)


def cut(data: bytes, draw: random.Random) -> bytes:
    """The end is missing."""
    return data[: draw.randrange(len(data) + 1)]


def move(data: bytes, draw: random.Random) -> bytes:
    """A part is missing, twice there or elsewhere."""
    start, end, to = sorted(draw.randrange(len(data) + 1) for _ in range(3))
    part = data[start:end]
    return draw.choice((data[:start] + data[end:], data[:to] + part * draw.choice((1, 2, 50)) + data[to:]))


def lie(data: bytes, draw: random.Random) -> bytes:
    """A number of two, four or eight bytes, in either order, becomes a wild one."""
    form = draw.choice(["<H", ">H", "<I", ">I", "<Q", ">Q"])
    size = struct.calcsize(form)
    if len(data) < size:
        return data
    at = draw.randrange(min(len(data) - size, draw.choice((600, len(data)))) + 1)
    return data[:at] + struct.pack(form, draw.choice(WILD) & (256**size - 1)) + data[at + size :]


def change_vr(data: bytes, draw: random.Random) -> bytes:
    """The value representation of an element becomes another (PS3.5, 6.2)."""
    places = [at for at in range(132, len(data) - 1) if data[at : at + 2] in VRS][:500]
    if not places:
        return data
    at = draw.choice(places)
    return data[:at] + draw.choice(VRS) + data[at + 2 :]


def nest(data: bytes, draw: random.Random) -> bytes:
    """Sequences in sequences, up to 10,000 deep, after the preamble's file meta information."""
    at = data.find(b"\x08\x00")
    depth = draw.choice((3, 100, 1000, 10_000))
    return data if at < 0 else data[:at] + (SEQUENCE + ITEM) * depth + data[at:]


def change_size(data: bytes, draw: random.Random) -> bytes:
    """What a DICOM object says of its size or depth becomes a wild number."""
    places = [at for tag in SIZES if (at := data.find(tag)) >= 0]
    if not places:
        return data
    at = draw.choice(places) + 8
    return data[:at] + struct.pack("<H", draw.choice(WILD) & 0xFFFF) + data[at + 2 :]


def change_segment(data: bytes, draw: random.Random) -> bytes:
    """In a segment of a codestream, its length or some of its first bytes are others."""
    places = [at for marker in MARKERS for at in _find_all(data, marker)]
    if not places:
        return data
    at = draw.choice(places) + draw.choice((2, 2, 4, 6, 8, 12, 16, 20, 30, 40))
    form = draw.choice((">B", ">H", ">I"))
    wild = draw.choice(WILD) & (256 ** struct.calcsize(form) - 1)
    return data[:at] + struct.pack(form, wild) + data[at + struct.calcsize(form) :]


def change_fragment(data: bytes, draw: random.Random) -> bytes:
    """A fragment of pixel data has another length, is there again, or is none."""
    places = [at for item in ITEMS for at in _find_all(data, item)]
    if not places:
        return data
    at = draw.choice(places)
    length = struct.pack("<I", draw.choice(WILD))
    again = data[at : at + draw.choice((8, 200))] * draw.choice((1, 3, 1000))
    return draw.choice((data[: at + 4] + length + data[at + 8 :], data[:at] + again + data[at:], data[:at]))


def _find_all(data: bytes, part: bytes) -> list[int]:
    return [match.start() for match in re.finditer(re.escape(part), data)][:100]


def blow_up(data: bytes, draw: random.Random) -> bytes:
    """The file lies in gzip: once, in gzip again, or after more zeros than are read."""
    zeros = _pack_zeros() * (300 if draw.random() < 0.05 else 1)
    packed = gzip.compress(data, 1, mtime=0)
    return draw.choice((packed, gzip.compress(packed, 1, mtime=0), packed + zeros, zeros))


@cache
def _pack_zeros() -> bytes:
    return gzip.compress(bytes(2**20), mtime=0)


def change_chunk(data: bytes, draw: random.Random) -> bytes:
    """A chunk of a PNG has another length, type or content, with the right checksum."""
    chunks, at = [], 8
    while at + 12 <= len(data) and data[:4] == b"\x89PNG":
        (length,) = struct.unpack(">I", data[at : at + 4])
        chunks.append(at)
        at += 12 + length
    if not chunks:
        return data
    at = draw.choice(chunks)
    (length,) = struct.unpack(">I", data[at : at + 4])
    kind = draw.choice((data[at + 4 : at + 8], b"IHDR", b"PLTE", b"tRNS", b"iCCP", b"zTXt", b"acTL"))
    body = lie(flip_bits(data[at + 8 : at + 8 + length], draw), draw)
    body = draw.choice((body, zlib.compress(bytes(draw.choice((100, 10**7))))))
    chunk = struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
    return data[:at] + chunk + data[at + 12 + length :]


def loop_directories(data: bytes, draw: random.Random) -> bytes:
    """The next directory of a TIFF is one of those before it."""
    if data[:4] != b"II*\0" or len(data) < 8:
        return data
    (first,) = struct.unpack("<I", data[4:8])
    (count,) = struct.unpack("<H", data[first : first + 2]) if first + 2 <= len(data) else (0,)
    at = min(first + 2 + 12 * count, len(data))
    return data[:at] + struct.pack("<I", draw.choice((first, 4, at))) + data[at + 4 :]


def rename(data: bytes, draw: random.Random) -> bytes:
    """Names in an archive climb out, are absolute or hold odd characters; their length stays."""
    name = draw.choice((b"../", b"/et", b"C:\\", b"a\0b", b"\xff\xfe\x80", b"IM0"))
    return data.replace(draw.choice((b"IM0", b"IM1", b"a/b")), name)


def sign(data: bytes, draw: random.Random) -> bytes:
    """The file begins as one of another kind: a program, or another picture, in a preamble too."""
    signature = draw.choice(SIGNATURES)
    return signature + data[len(signature) :]


MUTATIONS: tuple[Mutation, ...] = (
    *(flip_bits, flip_bits, cut, move, lie, lie, lie),
    *(change_vr, nest, change_chunk, loop_directories, rename, sign),
    *(change_size, change_segment, change_segment, change_fragment, blow_up),
)
