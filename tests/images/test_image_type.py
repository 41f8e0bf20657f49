from __future__ import annotations

import pytest

from covidct.images.image_type import find_derived, find_localiser


@pytest.mark.parametrize(
    "value",
    [
        "MIP",
        "MINIP",
        "MIN_IP",
        "CT_SOM5:MIP",
        "CT_SOM7:MINIP",
        "MIP:THIN",
        "CSA:MIP",
        "VRT",
        "CT_SOM5:VRT",
        "AVERAGE",
        "SUBTRACTION",
        "PROJECTION:IMAGE",
        "DOSE_INFO",
        "SCREEN:SAVE",
        "3D",
        "MAXIMUM",
        "mip",
    ],
)
def test_values_of_what_was_calculated(value: str) -> None:
    value = value.replace(":", " ")
    assert find_derived(["DERIVED", "PRIMARY", "AXIAL", value]) == f"ImageType {value}"


@pytest.mark.parametrize(
    "values",
    [
        ["ORIGINAL", "PRIMARY", "AXIAL", "CT_SOM5 SPI"],
        ["ORIGINAL", "PRIMARY", "VOLUME", "NONE"],
        ["DERIVED", "SECONDARY", "REFORMATTED"],
        ["ORIGINAL", "PRIMARY", "AXIAL", "HELICAL"],
        ["ORIGINAL", "PRIMARY", "AXIAL", "SIMIPLE"],
        [],
    ],
)
def test_values_of_slices(values: list[str]) -> None:
    assert (find_derived(values), find_localiser(values)) == (None, None)


@pytest.mark.parametrize(
    ("description", "is_derived"),
    [
        ("Thorax MIP 3.0 ax", True),
        ("MinIP 5mm", True),
        ("Lung max-ip", True),
        ("VRT Thorax", True),
        ("Patient Protocol", True),
        ("Thorax 3D Volume 1.0", False),
        ("Average breath 2.0", False),
        ("LUNG 1.25", False),
    ],
)
def test_descriptions(description: str, is_derived: bool) -> None:
    expected = f"SeriesDescription {description!r}" if is_derived else None
    assert find_derived(["ORIGINAL", "PRIMARY", "AXIAL"], description) == expected


@pytest.mark.parametrize("value", ["LOCALIZER", "Localiser", "SCOUT", "CT_SOM5 TOP", "TOPOGRAM", "SURVIEW"])
def test_localisers(value: str) -> None:
    assert find_localiser(["ORIGINAL", "PRIMARY", value]) == value
