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


@dataclass(frozen=True)
class GzipBlob:
    """What a blob holds packed; unpacked anew each time that it is read."""

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

    Raises ReadError where it is damaged, cut off, or would be longer than `limit`.
    """
    parts: list[bytes] = []
    left = limit + 1
    while data.startswith(GZIP) and left > 0:
        inflater = zlib.decompressobj(16 + zlib.MAX_WBITS)
        try:
            parts.append(inflater.decompress(data, left))
        except zlib.error as error:
            raise ReadError(f"{name}: damaged gzip ({error}); copy it again") from error
        left -= len(parts[-1])
        if left > 0 and not inflater.eof:
            raise ReadError(f"{name}: gzip that is cut off; copy it again")
        data = inflater.unused_data
    if left <= 0:
        raise ReadError(f"{name}: unpacks to more than {limit:,} bytes; unpack it, and give single series")
    return b"".join(parts)
