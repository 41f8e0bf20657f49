"""The signs of modality."""

from __future__ import annotations

import numpy as np
import pytest

from covidct.audit.lung_segmentation import find_lungs
from covidct.audit.probes.appearance import Appearance, measure_view
from covidct.images.hounsfield import to_display
from covidct.images.phantoms.slice import Phantom, draw_phantom
from covidct.types import Pixels


def view(pixels: Pixels, *, colour: float = 0.0) -> Appearance:
    height, width = pixels.shape
    return measure_view(find_lungs(pixels), (height, width), colour=colour)


def test_a_phantom_has_lungs_and_clear_tones() -> None:
    found = view(to_display(draw_phantom(Phantom.NORMAL, size=256)), colour=0.125)
    assert found.contrast > 0.85
    assert 0.2 < found.lung_share < 0.6
    assert 0.2 < found.dark_share < 0.6
    assert 0.5 < found.height < 1.0
    assert found.colour == 0.125


@pytest.mark.parametrize("shape", [(300, 100), (100, 300)])
def test_height_is_in_the_slices_own_pixels(shape: tuple[int, int]) -> None:
    pixels = np.zeros(shape, np.uint8)
    pixels[20:-20, 20:-20] = 200
    expected = (shape[0] - 40) / (shape[1] - 40)
    assert view(pixels).height == pytest.approx(expected, rel=0.1)


def test_a_blurred_outline_is_less_sharp() -> None:
    steep, slow = np.zeros((128, 128), np.uint8), np.zeros((128, 128), np.uint8)
    steep[:, 64:] = 240
    slow[:] = np.clip(np.arange(-44, 84) * 4, 0, 240)
    assert view(steep).sharpness > 2 * view(slow).sharpness > 0


def test_a_blank_picture_has_signs() -> None:
    found = view(np.full((64, 64), 9, np.uint8))
    assert (found.contrast, found.sharpness, found.lung_share, found.dark_share) == (0, 0, 0, 0)
