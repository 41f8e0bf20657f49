from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from covidct.images.hounsfield import to_display
from covidct.images.phantoms.slice import Phantom, draw_phantom
from covidct.images.read import read_slice
from covidct.inference.classifier import Classifier
from covidct.inference.upside_down import WEIGHTS, is_upside_down, to_contrast
from covidct.types import Slice, Source, Status

WHOLE = (0.0, 0.0, 1.0, 1.0)


def test_upside_down_is_the_opposite() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (80, 96), np.uint8)
    assert np.allclose(to_contrast(pixels[::-1], WHOLE), -to_contrast(pixels, WHOLE))
    assert np.allclose(to_contrast(pixels[:, ::-1], WHOLE), to_contrast(pixels, WHOLE))
    assert WEIGHTS.shape == to_contrast(pixels, WHOLE).shape


def test_only_the_part_with_lungs_counts() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (80, 96), np.uint8)
    other = pixels.copy()
    other[:20] = 0
    assert np.array_equal(to_contrast(pixels, (0, 0.25, 1, 1)), to_contrast(other, (0, 0.25, 1, 1)))


@pytest.mark.parametrize("box", [WHOLE, (0.5, 0.5, 0.5, 0.5), (1.0, 1.0, 1.0, 1.0)])
@pytest.mark.parametrize("shape", [(64, 64), (8, 300), (9, 8)])
def test_a_slice_of_one_grey_is_not(shape: tuple[int, int], box: tuple[float, float, float, float]) -> None:
    assert not is_upside_down(np.full(shape, 90, np.uint8), box)


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    return Classifier.load()


def test_an_upright_phantom_is_not(classifier: Classifier) -> None:
    for seed in range(4):
        upright = classifier.predict(to_display(draw_phantom(Phantom.LESIONS, seed=seed, size=256)))
        assert (upright.status, upright.seems_turned) == (Status.OK, False)


def test_most_real_slices_that_are_upside_down_are_told(classifier: Classifier, shared_data: Path) -> None:
    paths = sorted((shared_data / "mosmed").rglob("*.jpg"))[::10]
    upright = [read_slice(path) for path in paths]
    turned = [Slice(np.ascontiguousarray(one.pixels[::-1]), Source("turned")) for one in upright]
    assert not [one for one in classifier.predict_many(upright) if one.seems_turned]
    answered = [one for one in classifier.predict_many(turned) if one.status is Status.OK]
    assert sum("upside down" in (one.message or "") for one in answered) >= 0.8 * len(answered) > 5
