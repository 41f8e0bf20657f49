from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from covidct.images.hounsfield import to_display
from covidct.images.phantoms.slice import Phantom, draw_phantom
from covidct.images.read import read_slice
from covidct.inference.classifier import Classifier
from covidct.inference.rotation import is_turned
from covidct.types import WHOLE, Slice, Source, Status

TALL = (0.2, 0.1, 0.8, 0.9)


def lungs() -> np.ndarray:
    """Evidence over two lungs side by side."""
    evidence = np.zeros((56, 56), np.float32)
    evidence[8:48, 4:24] = evidence[8:48, 32:52] = 1
    return evidence


def test_lungs_above_one_another_are_turned() -> None:
    assert is_turned(lungs().T, TALL, shape=(300, 300))
    assert is_turned(-lungs().T, TALL, shape=(300, 300))  # speaking against disease


def test_lungs_side_by_side_are_not() -> None:
    assert not is_turned(lungs(), TALL, shape=(300, 300))
    # Nor where the part that holds them is wide, whatever lies in it.
    assert not is_turned(lungs().T, WHOLE, shape=(200, 300))


@pytest.mark.parametrize("evidence", [np.zeros((56, 56)), np.zeros((1, 1)), np.ones((3, 2))])
def test_where_there_is_nothing_to_tell_by_nothing_fails(evidence: np.ndarray) -> None:
    assert is_turned(evidence.astype(np.float32), TALL, shape=(300, 300)) is bool(evidence.any())


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    return Classifier.load()


def test_a_turned_slice_is_refused_or_told(classifier: Classifier) -> None:
    told = []
    for seed in range(4):
        pixels = to_display(draw_phantom(Phantom.LESIONS, seed=seed, size=256))
        upright = classifier.predict(pixels)
        assert (upright.status, upright.seems_turned) == (Status.OK, False)
        assert "turned" not in (upright.message or "")
        for turns in (1, 3):
            turned = classifier.predict(np.ascontiguousarray(np.rot90(pixels, turns)))
            if turned.status is Status.OK:
                told.append(turned)
    assert len(told) >= 2
    for turned in told:
        assert turned.seems_turned
        assert "turned by 90 degrees" in (turned.message or "")


def test_most_real_slices_that_are_turned_are_told(classifier: Classifier, shared_data: Path) -> None:
    """A few dozen of the two thousand that it was measured on."""
    paths = sorted((shared_data / "luna16").glob("*.png"))[::15]
    upright = [read_slice(path) for path in paths]
    turned = [Slice(np.ascontiguousarray(np.rot90(one.pixels)), Source("turned")) for one in upright]
    assert not [one for one in classifier.predict_many(upright) if one.seems_turned]
    answered = [one for one in classifier.predict_many(turned) if one.status is Status.OK]
    assert sum(one.seems_turned for one in answered) >= 0.8 * len(answered) > 5
