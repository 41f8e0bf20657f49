"""How large a file or a picture may be. Checked before anything is decoded.

A slice has a quarter of a million pixels; these limits are far above any, and far below what would fill
the memory of a laptop.
"""

from __future__ import annotations

from covidct.errors import ReadError, UnsupportedImage

MAX_PIXELS = 50_000_000
MAX_BYTES = 256 * 1024 * 1024


def check_pixels(rows: int, columns: int, *, name: str, error: type[ReadError] = UnsupportedImage) -> None:
    """Raise `error` for a picture without pixels or with more than MAX_PIXELS."""
    if rows < 1 or columns < 1:
        raise error(f"{name}: {columns} x {rows} pixels: the picture is empty; export it again")
    if rows * columns > MAX_PIXELS:
        raise error(
            f"{name}: {columns} x {rows} pixels, and at most {MAX_PIXELS:,} are read; "
            "give the slice at its own size"
        )


def check_bytes(size: int, *, name: str) -> None:
    """Raise ReadError for a file that is empty or larger than MAX_BYTES."""
    if size == 0:
        raise ReadError(f"{name}: the file is empty; copy it again")
    if size > MAX_BYTES:
        raise ReadError(
            f"{name}: {size:,} bytes, and at most {MAX_BYTES:,} are read; give a single slice, not a volume"
        )
