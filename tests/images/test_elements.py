from __future__ import annotations

from io import BytesIO

import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset

from covidct.errors import ReadError
from covidct.images.elements import exact_numbers, number, numbers, text, texts, whole
from makers import ct_dataset, dicom_bytes, phantom_hu

HU = phantom_hu(size=16)


def stored(character_set: str | None, value: bytes) -> Dataset:
    """SeriesDescription as a file may have it, byte for byte."""
    length = len(value)
    dataset = ct_dataset(HU, SpecificCharacterSet=character_set, SeriesDescription="x" * length)
    data = dicom_bytes(dataset).replace(b"x" * length, value, 1)
    return dcmread(BytesIO(data))


@pytest.mark.parametrize(
    ("character_set", "encoding", "expected"),
    [
        ("ISO_IR 100", "latin-1", "TÓRAX "),
        ("ISO_IR 192", "utf-8", "TÓRAX  "),
        (None, "utf-8", "TÓRAX  "),
        (None, "latin-1", "TÓRAX "),
        ("ISO_IR 100", "utf-8", "胸部"),  # as it should not be, and often is
        ("ISO_IR 144", "iso8859_5", "ГРУДНАЯ "),
        ("GB18030", "gb18030", "胸部"),
        ("\\ISO 2022 IR 87", "iso2022_jp", "胸部"),
        ("ISO_IR NONSENSE", "latin-1", "TÓRAX "),
    ],
)
@pytest.mark.filterwarnings("ignore")
def test_text_in_any_character_set(character_set: str | None, encoding: str, expected: str) -> None:
    assert text(stored(character_set, expected.encode(encoding)), "SeriesDescription") == expected.strip()


def test_numbers() -> None:
    dataset = ct_dataset(HU, SliceThickness="")
    dataset.add_new("PixelSpacing", "LO", ["0,7", "x"])
    assert numbers(dataset, "PixelSpacing") == [0.7]
    assert exact_numbers(dataset, "PixelSpacing", 2) == ()
    assert texts(dataset, "ImageType") == ["ORIGINAL", "PRIMARY", "AXIAL"]
    assert number(dataset, "SliceThickness", name="x") is None
    assert whole(dataset, "NumberOfFrames", 1, name="x") == 1
    assert whole(dataset, "Rows", 0, name="x") == 16
    dataset.add_new("SliceThickness", "LO", "thin")
    with pytest.raises(ReadError, match="x: SliceThickness is 'thin', not a number"):
        number(dataset, "SliceThickness", name="x")
