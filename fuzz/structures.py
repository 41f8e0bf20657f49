"""Damage to the structure of a format, all else left whole: DICOM, codestreams, pictures, archives, ONNX."""

from __future__ import annotations

import gzip
import random
import re
import struct
import zlib
from functools import cache

from byte_mutations import BYTES, WILD, Mutation, flip_bits, lie

VRS = b"AE AS AT CS DA DS DT FD FL IS LO LT OB OW PN SH SL SQ SS ST TM UI UL UN US UT".split()
# Rows, Columns, NumberOfFrames, BitsAllocated, BitsStored: their tags, little-endian.
SIZES = tuple(b"\x28\0" + tag for tag in (b"\x10\0", b"\x11\0", b"\x08\0", b"\0\1", b"\1\1"))
# Markers of JPEG and JPEG 2000 with a length after them: SOFs, DHT, DQT, SOS; SIZ, COD, QCD, SOT.
MARKERS = tuple(bytes((0xFF, code)) for code in b"\xc0\xc1\xc2\xc3\xc4\xdb\xda\xf7\x51\x52\x5c\x90")
ITEMS = b"\xfe\xff\x00\xe0", b"\xfe\xff\xdd\xe0"  # of fragments, and what ends them
ITEM, SEQUENCE = b"\xfe\xff\x00\xe0\xff\xff\xff\xff", b"\x08\x00\x40\x11SQ\0\0\xff\xff\xff\xff"
ENTRY = b"PK\1\2"  # of the directory at the end of a ZIP archive
BLOCK = 512  # of a tar archive


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


def change_entry(data: bytes, draw: random.Random) -> bytes:
    """The directory of a ZIP archive says another size, place, method or kind (a link) of a file."""
    places = _find_all(data, ENTRY)
    if not places:
        return data
    # Flags, method, sizes packed and unpacked, length of the name, kind of file, place of the file.
    at = draw.choice(places) + draw.choice((8, 10, 20, 24, 28, 38, 42))
    return data[:at] + struct.pack("<I", draw.choice((*WILD, 0xA1FF0000))) + data[at + 4 :]


def change_member(data: bytes, draw: random.Random) -> bytes:
    """A file of a tar archive is a link, a device or sparse, or of another size; its checksum holds."""
    places = [at for at in range(0, len(data) - BLOCK, BLOCK) if data[at + 257 : at + 262] == b"ustar"]
    if not places:
        return data
    at = draw.choice(places)
    head = bytearray(data[at : at + BLOCK])
    if draw.random() < 0.5:
        head[156:157] = draw.choice(b"01234567SLKxgV\0").to_bytes()
    else:
        size = draw.choice(
            (b"77777777777", b"-0000000001", b"00000000000", b"\x80" + bytes(10), b"\xff" * 11)
        )
        head[124:135] = size
    head[148:156] = b" " * 8
    head[148:156] = b"%06o\0 " % sum(head)
    return data[:at] + bytes(head) + data[at + BLOCK :]


def change_field(data: bytes, draw: random.Random) -> bytes:
    """In protocol buffers, a length or a number is another, of up to ten bytes."""
    keys = [at for at in range(len(data) - 1) if 0 < data[at] < 0xC8 and data[at] & 7 in (0, 2)]
    if not keys:
        return data
    at = draw.choice(keys) + 1
    number = draw.choice(
        (b"\0", b"\1", b"\7", b"\x7f", b"\xff\x7f", b"\xff" * 4 + b"\x0f", b"\xff" * 9 + b"\1")
    )
    return data[:at] + number + data[at + draw.choice((0, 1, 1)) :]


def swap_operators(data: bytes, draw: random.Random) -> bytes:
    """An operator of a graph becomes another."""
    words = (b"Cast", b"Resize", b"AveragePool", b"Squeeze", b"Sub", b"Div", b"ReduceMean", b"Add", b"Neg")
    word = draw.choice(words)
    wanted = draw.choice((*words, b"If", b"Loop", b"Expand", b"Tile", b"Range", b"Pow", b"ConstantOfShape"))
    at = data.find(bytes((0x22, len(word))) + word)
    return data if at < 0 else data[:at] + bytes((0x22, len(wanted))) + wanted + data[at + 2 + len(word) :]


DICOM: tuple[Mutation, ...] = (*BYTES, change_vr, nest, change_size, change_size, blow_up)
COMPRESSED: tuple[Mutation, ...] = (*DICOM, change_segment, change_segment, change_segment, change_fragment)
PICTURES: tuple[Mutation, ...] = (*BYTES, change_chunk, loop_directories, change_segment, blow_up)
ARCHIVES: tuple[Mutation, ...] = (*BYTES, rename, change_entry, change_member, blow_up)
VOLUMES: tuple[Mutation, ...] = (*BYTES, blow_up)
GRAPHS: tuple[Mutation, ...] = (*BYTES, change_field, change_field, change_field, swap_operators)
