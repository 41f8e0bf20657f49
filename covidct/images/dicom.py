"""A DICOM object -> one CT slice.

Knows how to get from a file to Hounsfield units and the lung window. Knows nothing of series, whose frames
come as objects of their own (`enhanced`), and does not read other modalities: it says which they are. Slices
are not turned here; `turn` says how to (see `orientation`).

pydicom's own warnings (a badly formed UID, an end of file in the middle of a value) pass through to the
caller. To mute them would take `warnings.catch_warnings` or `pydicom.config.settings`, and both act on every
thread of the program. Since only a few elements are read (`dicom_header.KEYWORDS`), few can arise.
"""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import numpy as np

# Before gdcm, which pydicom loads: gdcm shows its own zlib to every library loaded after it, and
# Pillow's PNG writer then corrupts memory.
import PIL.Image  # noqa: F401
from numpy.typing import NDArray
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.errors import InvalidDicomError

from covidct.errors import ReadError, UnsupportedDicom
from covidct.images.dicom_deflated import inflate
from covidct.images.dicom_header import KEYWORDS, Header, parse_header, sop_class
from covidct.images.elements import to_tags
from covidct.images.files import read_bytes
from covidct.images.hounsfield import (
    AIR_HU,
    PLAUSIBLE_AIR_HU,
    Words,
    drop_unused_bits,
    has_air,
    mark_padding,
    to_display,
)
from covidct.images.library_errors import damage_as, damage_is_an_error
from covidct.images.limits import Allowance
from covidct.images.pixel_data import decode_words
from covidct.images.plausibility import find_implausible
from covidct.types import Pixels, Slice, Source


def read_dicom(path: Path, *, name: str) -> Slice:
    """Read the single CT slice in a DICOM file; `name` is what errors and results call it.

    Raises ReadError for what cannot be read, UnsupportedDicom for what is no axial CT slice.
    """
    return parse_dicom_bytes(read_bytes(path, name=name), name=name)


def read_hounsfield(path: Path, *, name: str) -> NDArray[np.float64]:
    """Read the Hounsfield units (rows, columns) themselves, air where there was padding; see `read_dicom`."""
    return parse_hounsfield(read_bytes(path, name=name), name=name)


def parse_hounsfield(data: bytes, *, name: str) -> NDArray[np.float64]:
    """Parse the Hounsfield units of the bytes of a DICOM file; see `read_hounsfield`."""
    with damage_is_an_error(name):
        dataset = _parse(data, name)
        return _to_hu(dataset, parse_header(dataset, name=name), name)


def parse_stored(data: bytes, *, name: str) -> tuple[Header, Words]:
    """Parse header and stored values (rows, columns), unused bits dropped, before they are Hounsfield units.

    The values are the same in every transfer syntax without loss. Raises as `read_dicom` does.
    """
    with damage_is_an_error(name):
        dataset = _parse(data, name)
        header = parse_header(dataset, name=name)
        words, bits = decode_words(dataset, header, name=name)
        return header, drop_unused_bits(words, bits_stored=bits)


def parse_dicom_bytes(data: bytes, *, name: str) -> Slice:
    """Parse the bytes of a DICOM file, with or without its preamble; see `read_dicom`."""
    with damage_is_an_error(name):
        dataset = _parse(data, name)
    return parse_dicom(dataset, name=name)


def parse_dicom(dataset: Dataset, *, name: str) -> Slice:
    """Turn a dataset into a slice: stored values -> Hounsfield units -> the lung window; see `read_dicom`."""
    with damage_is_an_error(name):
        header = parse_header(dataset, name=name)
        return Slice(
            pixels=to_display(_to_hu(dataset, header, name)),
            source=Source(name, header.series_uid, header.instance_uid),
            spacing_mm=header.spacing_mm,
            turn=header.turn,
            has_hu=True,
        )


def read_shown(path: Path, *, name: str) -> Pixels:
    """The picture in a DICOM file of any modality and plane, as grey levels (H, W) uint8; its first frame.

    CT goes through the lung window; other modalities are scaled from their 1st to their 99th percentile. For
    training and testing the gate, which must work without headers; slices are read by `read_dicom`. Raises
    ReadError.
    """
    with damage_is_an_error(name):
        dataset = dcmread(path)
        values = np.asarray(dataset.pixel_array, np.float64)
        while values.ndim > 2:
            values = values.mean(-1) if values.shape[-1] in (3, 4) else values[0]
        if str(dataset.get("Modality", "")) == "CT":
            slope, intercept = dataset.get("RescaleSlope", 1), dataset.get("RescaleIntercept", 0)
            return to_display(values * float(slope) + float(intercept))
        low, high = np.percentile(values, (1, 99))
        grey = np.clip((values - low) / max(high - low, 1e-6), 0, 1)
        inverted = str(dataset.get("PhotometricInterpretation", "")) == "MONOCHROME1"
        return np.asarray(np.rint(255 * (1 - grey if inverted else grey)), np.uint8)


def _parse(data: bytes, name: str) -> Dataset:
    data = inflate(data, name=name)
    try:
        return dcmread(Allowance(name).bind(BytesIO(data)), specific_tags=to_tags(KEYWORDS))
    except InvalidDicomError:
        pass
    # Objects from old network archives lack the preamble. With `force` pydicom reads anything at all, so
    # what it read counts only when it makes sense.
    refusal = ReadError(
        f"{name}: not DICOM (no DICM at byte 128, no SOPClassUID); give a DICOM file or a PNG"
    )
    with damage_as(lambda _: refusal):
        stream = Allowance(name).bind(BytesIO(data))
        dataset = dcmread(stream, specific_tags=to_tags(KEYWORDS), force=True)
        makes_sense = sop_class(dataset).is_valid
    if not makes_sense:
        raise refusal
    return dataset


def _to_hu(dataset: Dataset, header: Header, name: str) -> NDArray[np.float64]:
    """Give Hounsfield units (rows, columns) float64, with air where padding was."""
    words, bits = decode_words(dataset, header, name=name)
    padding = None
    if header.padding:
        padding = mark_padding(words, first=header.padding[0], last=header.padding[1])
    # After padding, which may lie outside of the bits that count.
    words = drop_unused_bits(words, bits_stored=bits)
    slope, intercept = header.rescale or (1.0, 0.0)
    # In place: each further array of a slice takes longer to get from the system than to compute.
    hu = words.astype(np.float64)
    hu *= slope
    hu += intercept
    _check_is_hounsfield(hu if padding is None else hu[~padding], header, name)
    if padding is not None:
        hu[padding] = AIR_HU
    return hu


def _check_is_hounsfield(hu: NDArray[np.float64], header: Header, name: str) -> None:
    """Raise if the values may not be Hounsfield units; `hu` is without padding.

    CT has to carry both rescale values (PS3.3 C.8.2.1). Without them, signed values that reach down to air
    are Hounsfield units already; anything else would be a guess. Objects that do not call themselves CT, such
    as a screenshot with a slope of 1, must contain air, too. Objects that do must be plausible.
    """
    if header.rescale and header.is_ct_image:
        if what := find_implausible(hu):
            slope, intercept = header.rescale
            raise UnsupportedDicom(
                f"{name}: not in Hounsfield units with RescaleSlope {slope:g} and RescaleIntercept "
                f"{intercept:g}: {what}; give the original CT slice, whose rescale fits its pixels"
            )
        return
    if (header.rescale or header.signed) and has_air(hu):
        return
    lacking = "Modality CT or CT Image Storage" if header.rescale else "RescaleSlope and RescaleIntercept"
    raise UnsupportedDicom(
        f"{name}: lacks {lacking}, and its values do not look like Hounsfield units (signed, some below "
        f"{PLAUSIBLE_AIR_HU}); give the original CT slice"
    )
