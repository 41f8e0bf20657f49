"""A file, bytes or an array -> one slice as display grey levels.

Recognises the content, never by the file's ending, and calls the right reader. Pictures keep their grey
levels; Hounsfield units (DICOM, signed or float arrays) go through the lung window. Whether it shows a lung
is the gate's question.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from covidct.errors import ReadError
from covidct.images.file_type import DICOM, PICTURES, FileType, Head, sniff_head
from covidct.images.files import read_bytes
from covidct.images.gunzip import gunzip
from covidct.images.hounsfield import PLAUSIBLE_AIR_HU, has_air, to_display
from covidct.images.limits import check_bytes, check_pixels
from covidct.images.numpy_file import parse_numpy
from covidct.images.raster import parse_picture
from covidct.types import Pixels, Slice, Source

# What people give instead of a slice, and what to do then.
_STRANGERS: Mapping[FileType, str] = {
    FileType.PDF: "a PDF; export the slice in it as PNG",
    FileType.ZIP: "a ZIP archive; unpack it",
    FileType.TAR: "a tar archive; unpack it",
    FileType.GZIP: "gzip; unpack it",
    FileType.NIFTI: "a NIfTI volume; read it as a series (read_study), or export single slices",
    FileType.METAIMAGE: "a MetaImage volume; read it as a series (read_study), or export single slices",
    FileType.NRRD: "an NRRD volume; read it as a series (read_study), or export single slices",
    FileType.TEXT: "text (HTML, SVG or XML); export the slice as PNG",
    FileType.HEIC: "a HEIC or AVIF picture, or a video; export the slice as PNG or JPEG",
    FileType.POINTER: "a Git LFS pointer, not the file itself; run `git lfs pull`, and read it again",
}


def read_slice(path: Path, *, name: str | None = None) -> Slice:
    """Read one slice from a file: DICOM, PNG, JPEG, BMP, TIFF, WEBP or GIF.

    `name` is what errors and results call it; the path, unless given. Raises ReadError with what is wrong
    and what to do: UnsupportedDicom and UnsupportedImage for what is sound, but no single slice.
    """
    name = str(path) if name is None else name
    return parse_slice(read_bytes(path, name=name), name=name)


def parse_slice(data: bytes, *, name: str) -> Slice:
    """Parse one slice from the bytes of a file, within gzip or not; see `read_slice`."""
    data, kind = _unpack(data, name)
    if kind in DICOM:
        return _parse_dicom(data, name)
    if kind is FileType.NUMPY:
        return read_array(parse_numpy(data, name=name), name=name)
    picture = parse_picture(data, name=name)
    return Slice(pixels=picture.pixels, source=Source(path=name), camera=picture.camera)


def parse_hounsfield(data: bytes, *, name: str) -> NDArray[np.float64] | None:
    """Parse the Hounsfield units (H, W) of a DICOM file; None for anything else, which has none.

    Raises ReadError for DICOM that cannot be read.
    """
    check_bytes(len(data), name=name)
    if sniff_head(data).type not in DICOM:
        return None
    data, _ = _unpack(data, name)
    # Here, not above: see _parse_dicom.
    from covidct.images.dicom import parse_hounsfield as parse_dicom_hounsfield

    return parse_dicom_hounsfield(data, name=name)


def read_array(array: ArrayLike, *, name: str = "array") -> Slice:
    """Take one slice from an array (H, W): uint8 is display grey levels, signed integers and floats are HU.

    Hounsfield units must show some air (below -500 HU), as every axial slice of a chest does: without
    it they are more likely grey levels, or values scaled for a network. Raises ReadError for any other shape
    or type, and for values that are not finite.
    """
    values = _as_plane(array, name)
    if values.dtype == np.uint8:
        return Slice(pixels=np.array(values, order="C"), source=Source(path=name))
    return Slice(pixels=_window(values, name), source=Source(path=name), has_hu=True)


def _parse_dicom(data: bytes, name: str) -> Slice:
    # Here, not above: reading a PNG shall not pay for importing pydicom (0.1 s).
    from covidct.images.dicom import parse_dicom_bytes

    return parse_dicom_bytes(data, name=name)


def _unpack(data: bytes, name: str) -> tuple[bytes, FileType]:
    """The bytes, out of gzip if they lie in it, and what they are. Raises ReadError for what is no slice."""
    check_bytes(len(data), name=name)
    head = sniff_head(data)
    if head.type not in DICOM | PICTURES | {FileType.NUMPY}:
        raise ReadError(f"{name}: {_describe(head)}")
    return (gunzip(data, name=name) if head.is_packed else data), head.type


def _describe(head: Head) -> str:
    unknown = "neither DICOM nor a PNG, JPEG, BMP, TIFF, WEBP or GIF; export the slice as DICOM or PNG"
    what = _STRANGERS.get(head.type, unknown)
    return f"gzip-compressed, and in it: {what}" if head.is_packed else what


def _as_plane(array: ArrayLike, name: str) -> NDArray[Any]:
    """Give the array as (H, W) of a type that can be read."""
    try:
        values = np.asarray(array)
    except (TypeError, ValueError, RuntimeError) as error:
        raise ReadError(
            f"{name}: cannot be made into an array ({error}); give a numpy array (H, W)"
        ) from error
    if values.ndim != 2:
        raise ReadError(
            f"{name}: shape {values.shape}; give one grey slice (H, W) at a time, without channels or a batch"
        )
    check_pixels(*values.shape, name=name, error=ReadError)
    if values.dtype != np.uint8 and values.dtype.kind not in "if":
        raise ReadError(
            f"{name}: type {values.dtype}; give uint8 (display grey levels) or signed integers or floats "
            "(HU: stored DICOM values times RescaleSlope plus RescaleIntercept)"
        )
    return values


def _window(hu: NDArray[Any], name: str) -> Pixels:
    if not np.isfinite(hu).all():
        raise ReadError(f"{name}: holds NaN or infinity; replace them (air is -1000 HU)")
    if not has_air(hu):
        raise ReadError(
            f"{name}: {hu.dtype} values from {hu.min():g} to {hu.max():g} do not look like Hounsfield units "
            f"(no air, nothing below {PLAUSIBLE_AIR_HU}); give grey levels as uint8 in [0, 255]"
        )
    return np.ascontiguousarray(to_display(hu))
