from __future__ import annotations

import numpy as np
import pytest

from covidct.images.phantoms.landscape import draw_picture


@pytest.mark.parametrize("size", [16, 65, 128])
def test_is_grey_levels(size: int) -> None:
    picture = draw_picture(seed=1, size=size)
    assert picture.shape == (size, size)
    assert picture.dtype == np.uint8
    assert picture.min() < 60
    assert picture.max() > 220


def test_same_seed_same_picture() -> None:
    np.testing.assert_array_equal(draw_picture(seed=2, size=64), draw_picture(seed=2, size=64))
    assert (draw_picture(seed=2, size=64) != draw_picture(seed=3, size=64)).mean() > 0.3
