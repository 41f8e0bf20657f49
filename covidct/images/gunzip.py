"""gzip -> the bytes in it, within bounds; all of its members, as gunzip has it.

Knows gzip (RFC 1952). Knows nothing of what is packed.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field
from io import BytesIO
from typing import BinaryIO

from covidct.errors import ReadError
from covidct.images.blob import Blob
from covidct.images.file_type import GZIP
from covidct.images.limits import MAX_BYTES

MAX_MEMBERS = 20_000  # as packed in blocks of 64 KB, 256 MB are some 4,000
_PIECE = 1 << 16


@dataclass(frozen=True)
class GzipBlob:
    """The content of a packed blob, unpacked each time that it is read."""

    packed: Blob = field(repr=False)

    @property
    def name(self) -> str:
        """That of the packed blob."""
        return self.packed.name

    @property
    def size(self) -> int:
        """Bytes packed: a copy that was cut off is smaller."""
        return self.packed.size

    def open(self) -> BinaryIO:
        """The unpacked bytes as a stream. Raises ReadError."""
        return BytesIO(self.read())

    def read(self) -> bytes:
        """The unpacked bytes. Raises ReadError for damage, and for more than MAX_BYTES."""
        return gunzip(self.packed.read(), name=self.name)


def gunzip(data: bytes, *, name: str, limit: int = MAX_BYTES) -> bytes:
    """Unpack all members of a gzip file; what follows the last of them is left.

    Raises ReadError where it is damaged, cut off, of very many members, or would be longer than `limit`.
    """
    parts: list[bytes] = []
    left, at = limit + 1, 0
    while data.startswith(GZIP, at) and left > 0:
        if len(parts) == MAX_MEMBERS:
            raise ReadError(f"{name}: gzip of more than {MAX_MEMBERS:,} members; pack it again, as one")
        part, at = _unpack_member(data, at, left, name)
        parts.append(part)
        left -= len(part)
    if left <= 0:
        raise ReadError(f"{name}: unpacks to more than {limit:,} bytes; unpack it, and give single series")
    return b"".join(parts)


def _unpack_member(data: bytes, at: int, limit: int, name: str) -> tuple[bytes, int]:
    """What the member at `at` holds, at most `limit` bytes of it, and where it ends."""
    inflater = zlib.decompressobj(16 + zlib.MAX_WBITS)
    parts: list[bytes] = []
    # In pieces: zlib copies what follows a member, which for many of them would be the whole file each time.
    while at < len(data) and limit > 0 and not inflater.eof:
        piece = data[at : at + _PIECE]
        try:
            parts.append(inflater.decompress(piece, limit))
        except zlib.error as error:
            raise ReadError(f"{name}: damaged gzip ({error}); copy it again") from error
        at += len(piece) - len(inflater.unused_data)
        limit -= len(parts[-1])
    if limit > 0 and not inflater.eof:
        raise ReadError(f"{name}: gzip that is cut off; copy it again")
    return b"".join(parts), at
