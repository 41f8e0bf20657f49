"""A sound file -> a damaged one: by bits, by numbers that lie, and by what all formats share.

What is peculiar to one format is in `structures`, to text in `text_mutations`.
"""

from __future__ import annotations

import random
import struct
from collections.abc import Callable

# What lengths, sizes and counts are when they lie.
WILD = (0, 1, 2, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFE, 0xFFFFFFFF)
SIGNATURES = (
    b"MZ",
    b"\x7fELF",
    b"II*\0",
    b"MM\0*",
    b"PK\x03\x04",
    b"\x1f\x8b\x08",
    b"DICM",
    b"\xff\x4f\xff\x51",
    b"NRRD0004\n",
    b"\x93NUMPY\1\0",
    b"\x5c\x01\0\0",
)
Mutation = Callable[[bytes, random.Random], bytes]


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


def sign(data: bytes, draw: random.Random) -> bytes:
    """The file begins as one of another kind: a program, or another picture, in a preamble too."""
    signature = draw.choice(SIGNATURES)
    return signature + data[len(signature) :]


BYTES: tuple[Mutation, ...] = (flip_bits, flip_bits, cut, move, lie, lie, lie, sign)
