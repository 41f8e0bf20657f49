from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from covidct.errors import UnsupportedDicom
from covidct.images.dicom import parse_dicom
from covidct.images.hounsfield import to_display
from covidct.images.phantoms.slice import Phantom, draw_phantom
from covidct.images.plausibility import find_implausible
from makers import ct_dataset, signed_dataset

HU = draw_phantom(Phantom.LESIONS, seed=0, size=192).astype(np.float64)
NOISE = np.random.default_rng(0).normal(0, 30, HU.shape)


def corners(value: float) -> NDArray[Any]:
    """With the corners around the round field of view padded."""
    rows, columns = np.indices(HU.shape) - HU.shape[0] / 2
    return np.where(rows**2 + columns**2 > (HU.shape[0] / 2) ** 2, value, HU)


def metal() -> NDArray[Any]:
    hu = HU.copy()
    hu[90:100, 90:100] = 30710
    return hu


@pytest.mark.parametrize(
    ("hu", "word"),
    [
        (HU - 1024, "air near -2000"),
        (np.maximum(HU - 1024, -2048) + NOISE, "air near -2000"),
        (corners(-1024) - 1000, "air near -2000"),
        (HU + 1024, "tissue near 1000|denser"),
        (np.where(HU < -500, 40, HU) + 1024, "tissue near 1000|denser"),
        (np.where(HU < 0, HU + 65536, HU), "tens of thousands"),
        (np.where(HU < 0, HU + 4096, HU), "denser"),
        (-HU, "denser"),
    ],
)
def test_what_a_wrong_rescale_makes_is_known(hu: NDArray[Any], word: str) -> None:
    found = find_implausible(hu)
    assert found is not None
    assert any(one in found for one in word.split("|"))


@pytest.mark.parametrize(
    "hu",
    [
        HU,
        HU + NOISE,
        corners(-2000),
        corners(-3024) + NOISE,  # as lossy compression blurs it
        metal(),
        HU[60:130, 40:90],  # inside of the body
        np.full((64, 64), 40.0),
        np.full((64, 64), -1000.0),
        np.full(9, 5000.0),
    ],
)
def test_what_can_be_is_left_alone(hu: NDArray[Any]) -> None:
    assert find_implausible(hu) is None


@pytest.mark.parametrize(
    "dataset",
    [
        ct_dataset(HU, RescaleIntercept=-2048),
        ct_dataset(HU, RescaleIntercept=0),
        signed_dataset(HU, PixelRepresentation=0),
        ct_dataset(HU, RescaleSlope=-1),
    ],
)
def test_the_error_names_the_rescale(dataset: Any) -> None:
    with pytest.raises(
        UnsupportedDicom, match=r"x: not in Hounsfield units with RescaleSlope -?1 and .*fits"
    ):
        parse_dicom(dataset, name="x")


@pytest.mark.parametrize("intercept", [-1024, -1000, 0, 500])
@pytest.mark.parametrize("slope", [1, 0.5, 2, 0.25])
def test_an_answer_does_not_depend_on_how_units_are_stored(slope: float, intercept: float) -> None:
    stored = np.rint((HU - intercept) / slope).astype("<i2")
    dataset = signed_dataset(HU, RescaleSlope=slope, RescaleIntercept=intercept, PixelData=stored.tobytes())
    shown = parse_dicom(dataset, name="x").pixels.astype(int)
    assert np.abs(shown - to_display(HU)).max() <= 1
