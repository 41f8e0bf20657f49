from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from covidct.images.hounsfield import to_display


@pytest.mark.parametrize(
    ("hu", "grey"), [(-1350, 0), (150, 255), (-600, 128), (-1000, 60), (40, 236), (-32768, 0), (32767, 255)]
)
def test_lung_window(hu: int, grey: int) -> None:
    assert to_display(np.array([[hu]], dtype=np.int16)).item() == grey


def test_other_window() -> None:
    assert to_display(np.array([-160, 40, 240]), centre=40, width=400).tolist() == [0, 128, 255]


@settings(deadline=None, max_examples=25)
@given(
    hnp.arrays(
        st.sampled_from([np.int16, np.int32, np.float32, np.float64]),
        hnp.array_shapes(min_dims=1, max_dims=3, max_side=5),
        elements=st.integers(-32768, 32767),
    )
)
def test_keeps_shape_and_order(hu: Any) -> None:
    grey = to_display(hu)
    assert grey.shape == hu.shape
    assert grey.dtype == np.uint8
    order = np.argsort(hu, axis=None)
    assert (np.diff(grey.ravel()[order].astype(int)) >= 0).all()


def test_leaves_the_input_alone() -> None:
    hu = np.full((2, 2), -600.0)
    to_display(hu)
    assert (hu == -600).all()


def test_single_value() -> None:
    assert to_display(np.array(-1024)) == 55


def test_infinity_is_clipped() -> None:
    assert to_display(np.array([-np.inf, np.inf])).tolist() == [0, 255]


@pytest.mark.parametrize("width", [0, -1, float("nan")])
def test_refuses_widths(width: float) -> None:
    with pytest.raises(ValueError, match="must be above 0 HU"):
        to_display(np.zeros((2, 2)), width=width)
