"""How large a file or a picture may be. Checked before anything is decoded.

A slice has a quarter of a million pixels; these limits are far above any, and far below what would fill
the memory of a laptop.
"""

from __future__ import annotations

from typing import BinaryIO

from covidct.errors import ReadError, UnsupportedImage

MAX_PIXELS = 50_000_000
MAX_BYTES = 256 * 1024 * 1024
# pydicom takes some microseconds an element or item, and an item may be eight bytes. A slice takes some
# hundred reads, an enhanced object at most two hundred a frame.
MAX_READS = 400_000
MAX_ITEMS = 100_000
_ITEM = b"\xfe\xff\x00\xe0"


def check_pixels(rows: int, columns: int, *, name: str, error: type[ReadError] = UnsupportedImage) -> None:
    """Raise `error` for a picture without pixels or with more than MAX_PIXELS."""
    if rows < 1 or columns < 1:
        raise error(f"{name}: {columns} x {rows} pixels: the picture is empty; export it again")
    if rows * columns > MAX_PIXELS:
        raise error(
            f"{name}: {columns} x {rows} pixels, but at most {MAX_PIXELS:,} are read; "
            "give the slice at its own size"
        )


def check_bytes(size: int, *, name: str) -> None:
    """Raise ReadError for a file that is empty or larger than MAX_BYTES."""
    if size == 0:
        raise ReadError(f"{name}: the file is empty; copy it again")
    if size > MAX_BYTES:
        raise ReadError(
            f"{name}: {size:,} bytes, but at most {MAX_BYTES:,} are read; give a single slice, not a volume"
        )


class BoundedStream:
    """A stream for pydicom that raises ReadError after MAX_READS reads: each element and item takes some."""

    def __init__(self, stream: BinaryIO, *, name: str):
        self._stream = stream
        self._name = name
        self._left = MAX_READS
        self.seek, self.tell, self.close = stream.seek, stream.tell, stream.close

    def read(self, size: int = -1, /) -> bytes:
        """As of any stream."""
        self._left -= 1
        if self._left < 0:
            raise _too_many(self._name, "elements and items")
        return self._stream.read(size)


def check_items(value: object, *, name: str) -> None:
    """Raise ReadError for the bytes of a sequence, not yet parsed, with more than MAX_ITEMS items."""
    if isinstance(value, bytes) and value.count(_ITEM) > MAX_ITEMS:
        raise _too_many(name, "items in a sequence")


def _too_many(name: str, what: str) -> ReadError:
    return ReadError(f"{name}: damaged DICOM (far too many {what}); copy it again, or export it again")
