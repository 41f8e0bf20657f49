"""A DICOM object -> one CT slice.

Knows how to get from a file to Hounsfield units and the lung window. Knows nothing of series, whose frames
come as objects of their own (`enhanced`), and does not read other modalities: it says which they are. Slices
are not turned, but say how they would be: see `orientation`.

pydicom's own warnings (a badly formed UID, an end of file in the middle of a value) pass through to the
caller. To mute them would take `warnings.catch_warnings` or `pydicom.config.settings`, and both act on every
thread of the program. Since only a few elements are read (`dicom_header.KEYWORDS`), few can arise.
"""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

# Before gdcm, which pydicom loads: gdcm shows its own zlib to every library loaded after it, and
# Pillow's PNG writer then corrupts memory.
import PIL.Image  # noqa: F401
from numpy.typing import NDArray
from pydicom import dcmread, uid
from pydicom.dataset import Dataset
from pydicom.encaps import get_frame
from pydicom.errors import InvalidDicomError
from pydicom.pixels import get_decoder  # type: ignore[attr-defined]  # (documented, but not in an __all__)

from covidct.errors import ReadError, UnsupportedDicom
from covidct.images.codestream import parse_frame
from covidct.images.dicom_deflated import inflate
from covidct.images.dicom_header import KEYWORDS, Header, parse_header, sop_class
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
from covidct.images.plausibility import find_implausible
from covidct.types import Pixels, Slice, Source

_HIGH_THROUGHPUT = (uid.HTJ2KLossless, uid.HTJ2KLosslessRPCL, uid.HTJ2K)
_CARRY_PRECISION = (*uid.JPEG2000TransferSyntaxes, *uid.JPEGLSTransferSyntaxes, *_HIGH_THROUGHPUT)


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
        syntax = _transfer_syntax(dataset)
        return header, _drop_unused(_decode(dataset, header, syntax, name), header, syntax)


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
        )


def read_shown(path: Path, *, name: str) -> Pixels:
    """What a DICOM file of any modality and plane shows, as grey levels (H, W) uint8; its first frame.

    CT in the lung window, all else stretched over its values but for a hundredth at either end. For teaching
    and testing the gate, which must do without headers; slices are read by `read_dicom`. Raises ReadError.
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
        return dcmread(BytesIO(data), specific_tags=list(KEYWORDS))
    except InvalidDicomError:
        pass
    # Objects from old network archives lack the preamble. With `force` pydicom reads anything at all, so
    # what it read counts only when it makes sense.
    refusal = ReadError(
        f"{name}: not DICOM (no DICM at byte 128, no SOPClassUID); give a DICOM file or a PNG"
    )
    with damage_as(lambda _: refusal):
        dataset = dcmread(BytesIO(data), specific_tags=list(KEYWORDS), force=True)
        makes_sense = sop_class(dataset).is_valid
    if not makes_sense:
        raise refusal
    return dataset


def _to_hu(dataset: Dataset, header: Header, name: str) -> NDArray[np.float64]:
    """Give Hounsfield units (rows, columns) float64, with air where padding was."""
    syntax = _transfer_syntax(dataset)
    words = _decode(dataset, header, syntax, name)
    padding = np.zeros(words.shape, dtype=bool)
    if header.padding:
        padding = mark_padding(words, first=header.padding[0], last=header.padding[1])
    words = _drop_unused(words, header, syntax)
    slope, intercept = header.rescale or (1.0, 0.0)
    hu = words.astype(np.float64) * slope + intercept
    _check_is_hounsfield(hu[~padding], header, name)
    hu[padding] = AIR_HU
    return hu


def _decode(dataset: Dataset, header: Header, syntax: uid.UID, name: str) -> Words:
    """Decode the pixel data to whole words (rows, columns), their unused bits left as they are."""
    data = dataset["PixelData"].value
    if not syntax.is_transfer_syntax:
        raise _undecodable(syntax, name)
    if syntax.is_encapsulated:
        _check_codestream(data, header, syntax, name)
    else:
        data = _exact_bytes(data, header, name)
    options: dict[str, Any] = {
        "rows": header.rows,
        "columns": header.columns,
        "number_of_frames": 1,
        "samples_per_pixel": 1,
        "bits_allocated": header.bits_allocated,
        "bits_stored": header.bits_stored,
        "pixel_representation": int(header.signed),
        "photometric_interpretation": "MONOCHROME2",
        "pixel_keyword": "PixelData",
        "pixel_vr": dataset["PixelData"].VR,
        # Padding may lie outside of BitsStored, so it is looked for before the unused bits go.
        "correct_unused_bits": False,
    }
    with damage_as(lambda _: _undecodable(syntax, name)):
        words, _ = get_decoder(_decoded_as(syntax)).as_array(data, raw=True, index=0, **options)
    return np.asarray(words)


def _drop_unused(words: Words, header: Header, syntax: uid.UID) -> Words:
    """Drop unused bits; codestreams carry their own precision and sign, which pydicom has applied."""
    return words if syntax in _CARRY_PRECISION else drop_unused_bits(words, bits_stored=header.bits_stored)


def _decoded_as(syntax: uid.UID) -> uid.UID:
    """The syntax whose decoder reads it: that of JPEG 2000 in gdcm knows high-throughput codestreams, too."""
    return uid.JPEG2000 if syntax in _HIGH_THROUGHPUT else syntax


def _undecodable(syntax: uid.UID, name: str) -> ReadError:
    return ReadError(
        f"{name}: the pixel data ({syntax.name}) cannot be decoded: damaged, cut off or of a kind that is "
        "not supported; copy it again, or convert it to Explicit VR Little Endian (gdcmconv --raw)"
    )


def _check_codestream(data: bytes, header: Header, syntax: uid.UID, name: str) -> None:
    """Raise where a codestream is not what the dataset declares, which the decoder may not survive."""
    if syntax == uid.RLELossless:  # pydicom's own decoder, which checks for itself
        return
    with damage_as(lambda _: _undecodable(syntax, name)):
        frame = parse_frame(get_frame(data, 0, number_of_frames=1))
    if frame is None or not 2 <= frame.precision <= header.bits_allocated:
        raise _undecodable(syntax, name)
    if (frame.rows, frame.columns, frame.components) != (header.rows, header.columns, 1):
        raise _undecodable(syntax, name)


def _exact_bytes(data: bytes, header: Header, name: str) -> bytes:
    expected = header.rows * header.columns * header.bits_allocated // 8
    if len(data) < expected:
        raise ReadError(f"{name}: the pixel data is cut off ({len(data)} of {expected} bytes); copy it again")
    # Bytes after the last pixel are harmless, but pydicom takes enough of them for a second frame.
    return data[:expected]


def _transfer_syntax(dataset: Dataset) -> uid.UID:
    """Give the TransferSyntaxUID; for an object without file meta, the one that it was parsed with."""
    meta = getattr(dataset, "file_meta", None)
    if meta is not None and (syntax := meta.get("TransferSyntaxUID")):
        return uid.UID(syntax)
    implicit, little = dataset.original_encoding
    if little is False:
        return uid.ExplicitVRBigEndian
    return uid.ImplicitVRLittleEndian if implicit else uid.ExplicitVRLittleEndian


def _check_is_hounsfield(hu: NDArray[np.float64], header: Header, name: str) -> None:
    """Raise where values cannot be trusted to be Hounsfield units; `hu` is without padding.

    CT has to carry both rescale values (PS3.3 C.8.2.1). Where they lack, signed values that reach down to
    air are Hounsfield units already; anything else would be a guess. Air is asked too of objects that do not
    call themselves CT images, such as a screenshot with a slope of 1. What calls itself CT must be plausible.
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
