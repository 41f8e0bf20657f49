from __future__ import annotations

from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from covidct.results.png import to_png


@pytest.mark.parametrize("shape", [(3, 5), (3, 5, 3), (1, 1)])
def test_what_is_written_is_read_again(shape: tuple[int, ...]) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    assert np.array_equal(np.asarray(Image.open(BytesIO(to_png(pixels)))), pixels)
