from __future__ import annotations

from typing import Any

import pytest
from pydicom import uid

from covidct.errors import ReadError, UnsupportedDicom
from covidct.images.dicom_header import KEYWORDS, Header, parse_header
from covidct.types import UPRIGHT, Turn
from makers import SERIES_UID, ct_dataset, phantom_hu

HU = phantom_hu(size=16)


def parse(**tags: Any) -> Header:
    return parse_header(ct_dataset(HU, **tags), name="x.dcm")


def test_header() -> None:
    assert parse() == Header(
        rows=16,
        columns=16,
        bits_allocated=16,
        bits_stored=12,
        signed=False,
        rescale=(1.0, -1024.0),
        padding=None,
        is_ct_image=True,
        spacing_mm=(0.7, 0.8),
        turn=UPRIGHT,
        series_uid=SERIES_UID,
        instance_uid=SERIES_UID + ".1",
    )


def test_everything_that_is_read_is_named() -> None:
    dataset = ct_dataset(HU)
    named = ct_dataset(HU)
    for element in dataset:
        if element.keyword not in KEYWORDS:
            del named[element.tag]
    assert parse_header(named, name="x") == parse_header(dataset, name="x")


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        ({"PixelSpacing": None}, None),
        ({"PixelSpacing": [0.5, 0.0]}, None),
        ({"PixelSpacing": "0.5"}, None),
        ({"PixelSpacing": [0.5, 0.625]}, (0.5, 0.625)),
    ],
)
def test_spacing(tags: dict[str, Any], expected: tuple[float, float] | None) -> None:
    assert parse(**tags).spacing_mm == expected


def test_padding() -> None:
    assert parse(PixelPaddingValue=63536).padding == (63536, 63536)
    assert parse(PixelPaddingValue=0, PixelPaddingRangeLimit=20).padding == (0, 20)
    assert parse(PixelPaddingRangeLimit=20).padding is None


def test_what_may_lack() -> None:
    header = parse(
        Modality=None,
        SeriesInstanceUID=None,
        ImageType=None,
        ImageOrientationPatient=None,
        SamplesPerPixel=None,
        PhotometricInterpretation=None,
        HighBit=None,
        BitsStored=None,
    )
    assert not header.is_ct_image
    assert header.series_uid is None
    assert header.bits_stored == 16
    assert parse(Modality=None, SOPClassUID=None).is_ct_image is False
    assert parse(SOPClassUID=None).is_ct_image is True
    assert parse(SeriesInstanceUID="").series_uid is None


@pytest.mark.parametrize(
    ("tags", "message"),
    [
        ({"Modality": "MR", "SOPClassUID": uid.MRImageStorage}, r"not a CT \(Modality MR, MR Image"),
        ({"Modality": "MR", "SOPClassUID": None}, r"not a CT \(Modality MR\)"),
        ({"Modality": None, "SOPClassUID": uid.MRImageStorage}, r"no Modality, MR Image Storage"),
        ({"Modality": "SEG", "SOPClassUID": uid.SegmentationStorage}, "Modality SEG, Segmentation Storage"),
        ({"NumberOfFrames": 30}, r"multi-frame object \(30 frames\).*export single slices"),
        ({"SOPClassUID": uid.EnhancedCTImageStorage}, "multi-frame object"),
        ({"SOPClassUID": uid.LegacyConvertedEnhancedCTImageStorage}, "multi-frame object"),
        ({"PixelData": None}, "no PixelData: a report, a plan, a DICOMDIR, or a file cut off"),
        ({"PixelData": b""}, "no PixelData"),
        ({"ImageType": ["ORIGINAL", "PRIMARY", "LOCALIZER"]}, r"a localizer \(ImageType\)"),
        ({"ImageType": ["DERIVED", "SECONDARY", "SCOUT", "X"]}, "a localizer"),
        ({"ImageOrientationPatient": [1, 0, 0, 0, 0, -1]}, r"a coronal image \(ImageOrientationPatient\)"),
        ({"ImageOrientationPatient": [0, 1, 0, 0, 0, -1]}, "a sagittal image"),
        ({"SamplesPerPixel": 3, "PhotometricInterpretation": "RGB"}, r"a colour picture \(RGB, 3 samples"),
        ({"PhotometricInterpretation": "PALETTE COLOR"}, "a colour picture"),
        ({"RescaleType": "Z_EFF"}, r"not in Hounsfield units \(RescaleType Z_EFF\)"),
        ({"BitsAllocated": 12}, "not how CT stores pixels .*BitsAllocated 12"),
        ({"BitsStored": 17}, "BitsStored 17"),
        ({"HighBit": 15}, "HighBit 15"),
        ({"Rows": 60000, "Columns": 60000}, "60000 x 60000 pixels, but at most 50,000,000"),
        ({"Rows": None}, "16 x 0 pixels: the picture is empty"),
    ],
)  # fmt: skip
def test_unsupported(tags: dict[str, Any], message: str) -> None:
    with pytest.raises(UnsupportedDicom, match=rf"^x\.dcm: .*{message}"):
        parse(**tags)


@pytest.mark.parametrize("tilt", [[1, 0, 0, 0, 0.87, 0.5], [-1, 0, 0, 0, -1, 0], [0, 0, 0, 0, 0, 0]])
def test_tilted_and_prone_slices_are_axial(tilt: list[float]) -> None:
    assert parse(ImageOrientationPatient=tilt).rows == 16


@pytest.mark.filterwarnings("ignore:Invalid value for VR DS")
@pytest.mark.parametrize(
    "tags",
    [
        {"RescaleSlope": 0},
        {"RescaleSlope": "nan"},
        {"RescaleSlope": "inf"},
        {"RescaleIntercept": "-1e300"},
        {"RescaleSlope": None},
        {"RescaleIntercept": None},
    ],
)
def test_impossible_rescale(tags: dict[str, Any]) -> None:
    with pytest.raises(ReadError, match=r"Rescale.* (do not give Hounsfield units|not a number); export it"):
        parse(**tags)


@pytest.mark.parametrize("unit", ["HU", "US", "Houndsfield Unit", "HU_MOD", ""])
def test_units_as_scanners_write_them(unit: str) -> None:
    assert parse(RescaleType=unit).rescale == (1.0, -1024.0)


def parse_worded(**values: str) -> Header:
    """The header of a dataset some of whose values are text, as they stand in a file."""
    dataset = ct_dataset(HU)
    for keyword, value in values.items():
        dataset.add_new(keyword, "LO", value.split("\\"))
    return parse_header(dataset, name="x.dcm")


def test_a_decimal_comma_is_a_point() -> None:
    header = parse_worded(RescaleSlope="1,5", RescaleIntercept="-1024,0", PixelSpacing="0,7\\ 0,8")
    assert (header.rescale, header.spacing_mm) == ((1.5, -1024.0), (0.7, 0.8))


@pytest.mark.parametrize(
    ("keyword", "value"),
    [
        ("PixelSpacing", "wide\\0.8"),
        ("PixelSpacing", "0.7\\nan"),
        ("ImageOrientationPatient", "1\\0\\0\\0\\one\\0"),
        ("RescaleType", "???"),
    ],
)
def test_an_element_that_decides_nothing_fails_softly(keyword: str, value: str) -> None:
    assert parse_worded(**{keyword: value}).rescale == (1.0, -1024.0)


@pytest.mark.parametrize("keyword", ["RescaleIntercept", "RescaleSlope", "NumberOfFrames", "Rows"])
def test_an_element_that_decides_is_named(keyword: str) -> None:
    with pytest.raises(ReadError, match=rf"^x\.dcm: {keyword} is '1\.024\.0', not a number; export it again"):
        parse_worded(**{keyword: "1.024.0"})


def test_how_a_slice_lies_is_known() -> None:
    assert parse(ImageOrientationPatient=[-1, 0, 0, 0, -1, 0]).turn == Turn(flip_rows=True, flip_columns=True)
    assert parse(ImageOrientationPatient=None).turn == UPRIGHT
