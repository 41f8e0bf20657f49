"""Damage to text: numbers that lie, words and lines that are others, twice there or missing."""

from __future__ import annotations

import random
import re

from byte_mutations import Mutation, cut, flip_bits, move

NUMBER = re.compile(rb"-?\d+(\.\d+)?(e-?\d+)?")
WORD = re.compile(rb"[A-Za-z_]{2,}")
NUMBERS = (
    *(b"0", b"-1", b"1", b"2", b"65536", b"4294967295", b"9" * 19, b"9" * 400, b"1e999", b"-1e999"),
    *(b"nan", b"NaN", b"Infinity", b"1e-320", b"0.5", b"null", b'"1"', b"[]", b"{}", b"true", b""),
)
MOST = 2**20  # bytes that a line may grow to: more would be the memory of the harness
ODD = (
    b"\0",
    b"\xff",
    b"\xef\xbb\xbf",
    b"\r",
    b"\n",
    b'"',
    b"'",
    b",",
    b";",
    b"\\",
    b"..",
    b"=cmd",
    b"%",
    b"\xe2\x80\xae",
)


def change_number(data: bytes, draw: random.Random) -> bytes:
    """A number in the first 64 KB becomes a wild one, or none."""
    return _replace(data, NUMBER, draw.choice(NUMBERS), draw)


def change_word(data: bytes, draw: random.Random) -> bytes:
    """A word becomes another of the same text, or an odd one."""
    words = WORD.findall(data[:65536])
    return _replace(data, WORD, draw.choice([*words[:200], *ODD]), draw) if words else data


def change_line(data: bytes, draw: random.Random) -> bytes:
    """A line is missing, there many times, or swapped with another."""
    lines = data.split(b"\n")
    at, other = draw.randrange(len(lines)), draw.randrange(len(lines))
    match draw.randrange(3):
        case 0:
            del lines[at]
        case 1:
            lines[at:at] = [lines[at]] * min(draw.choice((1, 2, 1000)), 1 + MOST // (1 + len(lines[at])))
        case _:
            lines[at], lines[other] = lines[other], lines[at]
    return b"\n".join(lines)


def put_in(data: bytes, draw: random.Random) -> bytes:
    """An odd character, or a thousand, anywhere."""
    at = draw.randrange(len(data) + 1)
    return data[:at] + draw.choice(ODD) * draw.choice((1, 1, 1000)) + data[at:]


def nest_brackets(data: bytes, draw: random.Random) -> bytes:
    """Brackets in brackets, up to 100,000 deep, in place of a number."""
    depth = draw.choice((10, 1000, 100_000))
    opened, closed = draw.choice(((b"[", b"]"), (b'{"a":', b"}"), (b"(", b")")))
    return _replace(data, NUMBER, opened * depth + b"1" + closed * depth, draw)


def _replace(data: bytes, pattern: re.Pattern[bytes], wanted: bytes, draw: random.Random) -> bytes:
    found = list(pattern.finditer(data[:65536]))
    if not found:
        return data
    one = draw.choice(found)
    return data[: one.start()] + wanted + data[one.end() :]


TEXT: tuple[Mutation, ...] = (
    *(change_number, change_number, change_word, change_word, change_line, put_in, nest_brackets),
    *(flip_bits, cut, move),
)
