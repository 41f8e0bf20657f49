from __future__ import annotations

import pytest

from covidct.errors import ReadError, UnsupportedDicom, UnsupportedImage
from covidct.images.limits import MAX_BYTES, MAX_PIXELS, check_bytes, check_pixels


def test_pixels() -> None:
    check_pixels(1, 1, name="x")
    check_pixels(MAX_PIXELS, 1, name="x")
    with pytest.raises(UnsupportedImage, match="x: 1 x 50000001 pixels, and at most 50,000,000 are read"):
        check_pixels(MAX_PIXELS + 1, 1, name="x")
    with pytest.raises(UnsupportedDicom, match="x: 512 x 0 pixels: the picture is empty"):
        check_pixels(0, 512, name="x", error=UnsupportedDicom)


def test_bytes() -> None:
    check_bytes(1, name="x")
    check_bytes(MAX_BYTES, name="x")
    with pytest.raises(ReadError, match="x: the file is empty; copy it again"):
        check_bytes(0, name="x")
    with pytest.raises(ReadError, match="x: 268,435,457 bytes, and at most"):
        check_bytes(MAX_BYTES + 1, name="x")
