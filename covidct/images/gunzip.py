"""gzip -> the bytes in it, within bounds; all of its members, as gunzip has it.

Whole, or from any place on, with little of it in memory. Knows gzip (RFC 1952). Knows nothing of what is
packed.
"""

from __future__ import annotations

import os
import zlib
from bisect import bisect_right
from dataclasses import dataclass, field, replace
from io import BufferedReader, BytesIO, RawIOBase
from threading import Lock
from typing import Any, BinaryIO

from covidct.errors import ReadError
from covidct.images.blob import Blob
from covidct.images.file_type import GZIP
from covidct.images.limits import MAX_BYTES, check_growth

MAX_MEMBERS = 20_000  # as packed in blocks of 64 KB, 256 MB are some 4,000
_PIECE = 1 << 16
_STEP = 1 << 20  # bytes between two places from which unpacking can begin anew: each takes some 40 KB


class Marks:
    """Places in a packed file from which unpacking can begin anew; safe to use from several threads."""

    def __init__(self) -> None:
        self._places: list[_Unpacking] = []
        self._lock = Lock()

    def leave(self, place: _Unpacking) -> None:
        """Mark a place, unless there is one near before it, or behind."""
        with self._lock:
            if not self._places or place.reached >= self._places[-1].reached + _STEP:
                self._places.append(place.copy())

    def find(self, wanted: int) -> _Unpacking | None:
        """The last place up to `wanted` (unpacked bytes); None where none was left."""
        with self._lock:
            after = bisect_right(self._places, wanted, key=lambda place: place.reached)
            return self._places[after - 1].copy() if after else None


@dataclass(frozen=True)
class GzipBlob:
    """The content of a packed blob, unpacked each time that it is read, at most `limit` bytes.

    With `marks`, streams leave them, and begin at the nearest. (Marks hold the packed bytes.)
    """

    packed: Blob = field(repr=False)
    limit: int = MAX_BYTES
    marks: Marks | None = field(default=None, repr=False)

    @property
    def name(self) -> str:
        """That of the packed blob."""
        return self.packed.name

    @property
    def size(self) -> int:
        """Bytes packed: a copy that was cut off is smaller."""
        return self.packed.size

    def open(self) -> BinaryIO:
        """The unpacked bytes as a stream, which raises ReadError as `gunzip` does, once it comes to that."""
        start = _Unpacking(self.packed.read(), self.name, self.limit)
        return BufferedReader(_GzipStream(start, self.marks or Marks()))

    def read(self) -> bytes:
        """The unpacked bytes. Raises ReadError for damage, and for more than `limit`."""
        return gunzip(self.packed.read(), name=self.name, limit=self.limit)


def gunzip(data: bytes, *, name: str, limit: int = MAX_BYTES) -> bytes:
    """Unpack all members of a gzip file; what follows the last of them is left.

    Raises ReadError where it is damaged, cut off, of very many members, would be longer than `limit`, or
    grows as no scan does.
    """
    unpacking, whole = _Unpacking(data, name, limit), BytesIO()
    while part := unpacking.next(_STEP):
        whole.write(part)
    return whole.getvalue()


@dataclass
class _Unpacking:
    """How far it is: `at` in the packed bytes, `reached` in those unpacked."""

    data: bytes
    name: str
    limit: int
    at: int = 0
    reached: int = 0
    members: int = 0
    inflater: zlib._Decompress | None = None

    def next(self, most: int) -> bytes:
        """The next bytes, at most `most`; none at the end. Raises ReadError."""
        while (inflater := self._enter_member()) is not None:
            # In pieces: zlib copies what follows a member, for many of them the whole file each time.
            piece = self.data[self.at : self.at + _PIECE]
            try:
                part = inflater.decompress(piece, most)
            except zlib.error as error:
                raise ReadError(f"{self.name}: damaged gzip ({error}); copy it again") from error
            # (At its end zlib gives what is left twice.)
            left = inflater.unused_data if inflater.eof else inflater.unconsumed_tail
            self.at += len(piece) - len(left)
            if part:
                self._check(len(part))
                return part
            if not piece and not inflater.eof:
                raise ReadError(f"{self.name}: gzip that is cut off; copy it again")
        return b""

    def copy(self) -> _Unpacking:
        """The same place, to go on from there twice."""
        return replace(self, inflater=self.inflater and self.inflater.copy())

    def _enter_member(self) -> zlib._Decompress | None:
        """Be in a member; None after the last."""
        if self.inflater is not None and not self.inflater.eof:
            return self.inflater
        if not self.data.startswith(GZIP, self.at):
            return None
        if self.members == MAX_MEMBERS:
            raise ReadError(f"{self.name}: gzip of more than {MAX_MEMBERS:,} members; pack it again, as one")
        self.members += 1
        self.inflater = zlib.decompressobj(16 + zlib.MAX_WBITS)
        return self.inflater

    def _check(self, more: int) -> None:
        self.reached += more
        if self.reached > self.limit:
            raise ReadError(
                f"{self.name}: unpacks to more than {self.limit:,} bytes; unpack it, and give single series"
            )
        check_growth(self.reached, len(self.data), name=self.name)


class _GzipStream(RawIOBase):
    """Unpacked bytes, from any place on."""

    def __init__(self, start: _Unpacking, marks: Marks):
        self._now, self._marks, self._wanted = start, marks, 0
        marks.leave(start)

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        if whence == os.SEEK_END:
            raise OSError("the end of a packed stream is not known before it is unpacked")
        self._wanted = offset + (self._wanted if whence == os.SEEK_CUR else 0)
        return self._wanted

    def readinto(self, buffer: Any, /) -> int:
        nearest = self._marks.find(self._wanted)
        if nearest and not nearest.reached <= self._now.reached <= self._wanted:
            self._now = nearest
        while self._now.reached < self._wanted and self._advance(self._wanted - self._now.reached):
            pass
        part = self._advance(len(buffer)) if self._now.reached == self._wanted else b""
        buffer[: len(part)] = part
        self._wanted += len(part)
        return len(part)

    def _advance(self, most: int) -> bytes:
        part = self._now.next(min(most, _STEP))
        self._marks.leave(self._now)
        return part
