"""What a DICOM dataset declares about its pixels, and whether that is one axial CT slice.

Knows the elements that matter (PS3.3 C.7.6.3, C.8.2.1, C.11.1) and how scanners and anonymisers bend them.
Knows nothing of files or decoding.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from pydicom import uid
from pydicom.dataset import Dataset

from covidct.errors import ForeignDicom, ReadError, UnsupportedDicom
from covidct.images.elements import exact_numbers, number, numbers, texts, whole
from covidct.images.image_type import find_localiser
from covidct.images.limits import check_pixels
from covidct.images.orientation import find_turn
from covidct.types import UPRIGHT, Reason, Turn

# The only elements that are read: names, dates and private groups, which scanners like to write wrong, are
# never looked at, so that neither errors nor warnings come of them.
HEADER_KEYWORDS = (
    "ImageType",
    "SOPClassUID",
    "SOPInstanceUID",
    "Modality",
    "SeriesInstanceUID",
    "ImageOrientationPatient",
    "SamplesPerPixel",
    "PhotometricInterpretation",
    "NumberOfFrames",
    "Rows",
    "Columns",
    "PixelSpacing",
    "BitsAllocated",
    "BitsStored",
    "HighBit",
    "PixelRepresentation",
    "PixelPaddingValue",
    "PixelPaddingRangeLimit",
    "RescaleIntercept",
    "RescaleSlope",
    "RescaleType",
)
KEYWORDS = (*HEADER_KEYWORDS, "PixelData")

_ENHANCED = (uid.EnhancedCTImageStorage, uid.LegacyConvertedEnhancedCTImageStorage)
CT_CLASSES = (uid.CTImageStorage, *_ENHANCED)
# Modalities (PS3.3 C.7.3.1.1.1) that are projections of X-rays.
RADIOGRAPHS = frozenset(("CR", "DX", "MG", "RF", "RG", "XA", "PX", "IO"))
# RescaleType (0028,1054), PS3.3 C.11.1.1.2: the defined terms that are no Hounsfield units. A list of
# what is allowed would not do: scanners write "Houndsfield Unit" too.
_OTHER_UNITS = frozenset(("OD", "MGML", "Z_EFF", "ED", "EDW", "PCT"))


@dataclass(frozen=True)
class Header:
    """What a dataset declares of its one CT slice, checked.

    `rescale` is (slope, intercept), None where the dataset has neither; `padding` the first and last stored
    value that mean no measurement; `is_ct_image` whether both Modality and SOPClassUID say so; `turn` shows
    the slice as usual.
    """

    rows: int
    columns: int
    bits_allocated: int
    bits_stored: int
    signed: bool
    rescale: tuple[float, float] | None
    padding: tuple[int, int] | None
    is_ct_image: bool
    spacing_mm: tuple[float, float] | None
    turn: Turn
    series_uid: str | None
    instance_uid: str | None


def parse_header(dataset: Dataset, *, name: str) -> Header:
    """Check the elements of a dataset and give them as a `Header`.

    Raises ForeignDicom for what says that it is another modality or plane, UnsupportedDicom for anything else
    but one CT slice with pixels, ReadError for impossible values, and whatever pydicom raises for values that
    cannot be parsed.
    """
    _check_is_ct(dataset, name)
    _check_is_one_slice(dataset, name)
    orientation = _orientation(dataset, name)
    _check_is_grey(dataset, name)
    _check_unit(dataset, name)
    allocated, stored = _bits(dataset, name)
    rows, columns = whole(dataset, "Rows", 0, name=name), whole(dataset, "Columns", 0, name=name)
    check_pixels(rows, columns, name=name, error=UnsupportedDicom)
    return Header(
        rows=rows,
        columns=columns,
        bits_allocated=allocated,
        bits_stored=stored,
        signed=whole(dataset, "PixelRepresentation", 0, name=name) == 1,
        rescale=_rescale(dataset, name),
        padding=_padding(dataset),
        is_ct_image=_first(dataset, "Modality") == "CT" and sop_class(dataset) in ("", uid.CTImageStorage),
        spacing_mm=_spacing(dataset),
        turn=find_turn(orientation) if orientation else UPRIGHT,
        series_uid=_first(dataset, "SeriesInstanceUID") or None,
        instance_uid=_first(dataset, "SOPInstanceUID") or None,
    )


def sop_class(dataset: Dataset) -> uid.UID:
    """Give the SOPClassUID, empty where it lacks."""
    return uid.UID(_first(dataset, "SOPClassUID"))


def _check_is_ct(dataset: Dataset, name: str) -> None:
    """Raise ForeignDicom for anything but CT; what lacks a Modality is tested for air later."""
    modality, storage = _first(dataset, "Modality"), sop_class(dataset)
    if modality == "CT" or (not modality and storage in ("", *CT_CLASSES)):
        return
    parts = (f"Modality {modality}" if modality else "no Modality", storage.name)
    what = ", ".join(part for part in parts if part)
    raise ForeignDicom(
        f"{name}: not a CT ({what}); give a CT slice (Modality CT, CT Image Storage)",
        Reason.RADIOGRAPH if modality in RADIOGRAPHS else Reason.NOT_CT,
    )


def _check_is_one_slice(dataset: Dataset, name: str) -> None:
    frames = whole(dataset, "NumberOfFrames", 1, name=name)
    if frames > 1 or sop_class(dataset) in _ENHANCED:
        raise UnsupportedDicom(
            f"{name}: a multi-frame object ({frames} frames), not a single slice; with functional groups it "
            "is read as a series (read_study), without them export single slices"
        )
    if not dataset.get("PixelData"):
        raise UnsupportedDicom(
            f"{name}: no PixelData: a report, a plan, a DICOMDIR, or a file cut off; give the image, or copy "
            "it again"
        )
    if find_localiser(texts(dataset, "ImageType")):
        raise ForeignDicom(
            f"{name}: a localizer (ImageType), not an axial slice; give slices of the series",
            Reason.RADIOGRAPH,
        )


def _orientation(dataset: Dataset, name: str) -> tuple[float, ...]:
    """Give ImageOrientationPatient, () where it lacks. Raises for coronal and sagittal reformats.

    A tilted gantry (up to 30 degrees) is still axial.
    """
    cosines = exact_numbers(dataset, "ImageOrientationPatient", 6)
    if not any(cosines):
        return ()
    normal = np.abs(np.cross(cosines[:3], cosines[3:]))
    if normal[2] < math.cos(math.radians(40)):
        plane = "coronal" if normal[1] > normal[0] else "sagittal"
        raise ForeignDicom(
            f"{name}: a {plane} image (ImageOrientationPatient); give axial slices", Reason.NOT_AXIAL
        )
    return cosines


def _check_is_grey(dataset: Dataset, name: str) -> None:
    # PS3.3 C.8.2.1.1: CT has one sample a pixel, MONOCHROME1 or MONOCHROME2. Which of the two is for the
    # display alone: Hounsfield units mean the same in both, so MONOCHROME1 is not inverted here.
    samples = whole(dataset, "SamplesPerPixel", 1, name=name)
    photometric = _first(dataset, "PhotometricInterpretation") or "MONOCHROME2"
    if samples != 1 or photometric not in ("MONOCHROME1", "MONOCHROME2"):
        raise UnsupportedDicom(
            f"{name}: a colour picture ({photometric}, {samples} samples a pixel), as screenshots "
            "and 3D views are; give the original CT slice"
        )


def _check_unit(dataset: Dataset, name: str) -> None:
    if (unit := _first(dataset, "RescaleType").upper()) in _OTHER_UNITS:
        raise UnsupportedDicom(f"{name}: not in Hounsfield units (RescaleType {unit}); give the CT itself")


def _bits(dataset: Dataset, name: str) -> tuple[int, int]:
    """Give BitsAllocated and BitsStored."""
    allocated = whole(dataset, "BitsAllocated", 16, name=name)
    stored = whole(dataset, "BitsStored", allocated, name=name)
    high = whole(dataset, "HighBit", stored - 1, name=name)
    if allocated not in (8, 16, 32) or not 0 < stored <= allocated or high != stored - 1:
        raise UnsupportedDicom(
            f"{name}: not how CT stores pixels (BitsAllocated {allocated}, BitsStored {stored}, HighBit "
            f"{high}); export it again"
        )
    return allocated, stored


def _padding(dataset: Dataset) -> tuple[int, int] | None:
    """Give PixelPaddingValue and PixelPaddingRangeLimit, the former twice where the latter lacks."""
    first = numbers(dataset, "PixelPaddingValue")
    last = numbers(dataset, "PixelPaddingRangeLimit") or first
    return (int(first[0]), int(last[0])) if first else None


def _rescale(dataset: Dataset, name: str) -> tuple[float, float] | None:
    """Give RescaleSlope and RescaleIntercept (PS3.3 C.11.1), None where both lack."""
    slope = number(dataset, "RescaleSlope", name=name)
    intercept = number(dataset, "RescaleIntercept", name=name)
    if slope is None and intercept is None:
        return None
    # The bounds are those of any number that could stand there.
    if slope is None or intercept is None or not 0 < abs(slope) < 1e6 or not abs(intercept) < 1e9:
        raise ReadError(
            f"{name}: RescaleSlope {slope} and RescaleIntercept {intercept} do not give Hounsfield units; "
            "export it again"
        )
    return slope, intercept


def _spacing(dataset: Dataset) -> tuple[float, float] | None:
    """Give PixelSpacing (row, column) in mm, None where it lacks or cannot be one."""
    spacing = exact_numbers(dataset, "PixelSpacing", 2)
    return (spacing[0], spacing[1]) if spacing and min(spacing) > 0 else None


def _first(dataset: Dataset, keyword: str) -> str:
    return next(iter(texts(dataset, keyword)), "")
