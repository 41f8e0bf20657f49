"""The fields of a message, as protocol buffers lay them out in bytes (protobuf.dev, "Encoding").

Knows nothing of what a field means.
"""

from __future__ import annotations

from collections.abc import Iterator


def read_numbers(value: int | memoryview) -> Iterator[int]:
    """The numbers of a repeated field: one a field, or all in one."""
    if isinstance(value, int):
        yield value
        return
    at = 0
    while at < len(value):
        number, at = _read_varint(value, at)
        yield number


def read_fields(data: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """Number and value of each field. Raises ValueError and IndexError for what is no message."""
    at = 0
    while at < len(data):
        key, at = _read_varint(data, at)
        match key & 7:
            case 0:
                value, at = _read_varint(data, at)
                yield key >> 3, value
                continue
            case 1:
                size = 8
            case 2:
                size, at = _read_varint(data, at)
            case 5:
                size = 4
            case other:
                raise ValueError(f"a field of type {other}")
        if size > len(data) - at:
            raise ValueError("it was cut off")
        yield key >> 3, data[at : at + size]
        at += size


def _read_varint(data: memoryview, at: int) -> tuple[int, int]:
    """A number in base 128, and where it ends."""
    if (value := data[at]) < 128:  # as nearly all are
        return value, at + 1
    value = shift = 0
    while shift < 70:
        byte = data[at]
        value |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128:
            return value, at
    raise ValueError("a number of over ten bytes")
