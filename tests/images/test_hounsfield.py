from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from covidct.images.hounsfield import drop_unused_bits, has_air, mark_padding


@pytest.mark.parametrize(
    ("dtype", "stored", "padding"),
    [
        (np.int16, -2000, -2000),
        (np.int16, -2000, 63536),  # VR US, pixels signed
        (np.uint16, 63536, -2000),  # VR SS, pixels unsigned
        (np.uint16, 63536, 63536),
        (np.uint8, 255, 255),
        (np.uint16, 0, 0),
    ],
)
def test_padding_is_compared_as_a_word(dtype: Any, stored: int, padding: int) -> None:
    words = np.array([[stored, 5], [7, stored]], dtype=dtype)
    marked = mark_padding(words, first=padding, last=padding)
    assert marked.tolist() == [[True, False], [False, True]]


@pytest.mark.parametrize("limits", [(-2000, -1500), (-1500, -2000), (63536, 64036)])
def test_padding_range_includes_both_ends(limits: tuple[int, int]) -> None:
    words = np.array([-2001, -2000, -1700, -1500, -1499], dtype=np.int16)
    assert mark_padding(words, first=limits[0], last=limits[1]).tolist() == [False, True, True, True, False]


@settings(deadline=None, max_examples=25)
@given(st.integers(1, 16), st.integers(0, 65535))
def test_unused_bits_are_dropped(bits: int, word: int) -> None:
    kept = word & ((1 << bits) - 1)
    unsigned = drop_unused_bits(np.array([word], dtype=np.uint16), bits_stored=bits)
    assert unsigned.item() == kept
    signed = drop_unused_bits(np.array([word], dtype=np.uint16).view(np.int16), bits_stored=bits)
    assert signed.item() == (kept - (1 << bits) if kept >> (bits - 1) else kept)
    assert unsigned.dtype.kind + signed.dtype.kind == "ui"


def test_has_air() -> None:
    assert has_air(np.array([-501, 40]))
    assert not has_air(np.array([-500, 40]))
    assert not has_air(np.array([]))
