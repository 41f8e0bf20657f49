"""How large a file or a picture may be. Checked before anything is decoded.

A slice has a quarter of a million pixels; these limits are far above any, and far below what would fill
the memory of a laptop.
"""

from __future__ import annotations

from typing import BinaryIO, cast

from covidct.errors import ReadError, UnsupportedImage

MAX_PIXELS = 50_000_000
MAX_BYTES = 256 * 1024 * 1024
# How many times a packed file may grow once it is large: slices grow two to ten times, zeros a thousand.
MAX_GROWTH, LARGE = 100, 64 * 1024 * 1024
# pydicom takes some 2 microseconds a read, and 15 to 40 an item, which may be eight bytes (in deep sequences
# the interpreter asks the system for memory for each). A slice takes some hundred reads; a frame of an
# enhanced object at most two hundred, and eight items.
MAX_READS, MAX_ITEMS = 200_000, 12_000


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


def check_growth(size: int, packed: int, *, name: str) -> None:
    """Raise ReadError for `size` bytes out of `packed` that are as many as only zeros become."""
    if size > LARGE and size > MAX_GROWTH * packed:
        raise ReadError(
            f"{name}: unpacks to more than {MAX_GROWTH} times its {packed:,} bytes, as no scan does; if you "
            "trust it, unpack it yourself"
        )


class Allowance:
    """How much of a DICOM file may be parsed: `reads`, of which each element takes one or two, and `items`.

    The streams that are bound to it share it.
    """

    def __init__(self, name: str, *, times: int = 1):
        """`name` is what the error calls the file; `times` as much as an image may take."""
        self._name = name
        self._reads, self._items = times * MAX_READS, times * MAX_ITEMS

    def bind(self, stream: BinaryIO) -> BinaryIO:
        """The stream for pydicom, which raises ReadError beyond what is allowed."""
        return cast(BinaryIO, _BoundedStream(stream, self))

    def spend_read(self) -> None:
        """One read less. Raises ReadError where there are none."""
        self._reads -= 1
        if self._reads < 0:
            raise self._far_too_many("elements and items")

    def spend_item(self) -> None:
        """One item less. Raises ReadError where there are none."""
        self._items -= 1
        if self._items < 0:
            raise self._far_too_many("items")

    def _far_too_many(self, what: str) -> ReadError:
        return ReadError(
            f"{self._name}: damaged DICOM (far too many {what}); copy it again, or export it again"
        )


class _BoundedStream:
    """pydicom seeks once for each item, and for each element that it passes over: an item, too."""

    def __init__(self, stream: BinaryIO, allowance: Allowance):
        self._stream, self._allowance = stream, allowance
        self.tell, self.close = stream.tell, stream.close

    def read(self, size: int = -1, /) -> bytes:
        self._allowance.spend_read()
        return self._stream.read(size)

    def seek(self, offset: int, whence: int = 0, /) -> int:
        self._allowance.spend_item()
        return self._stream.seek(offset, whence)
