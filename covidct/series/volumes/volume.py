"""Voxels and where they lie -> the axial slices of a volume, CT Image Storage objects made when read.

Knows affines (voxel indices -> millimetres to the right, the front and the head) and what Hounsfield units
look like. Volume files say nothing of scanner, patient or unit: values that cannot be Hounsfield units are
refused.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from io import BytesIO
from itertools import permutations
from typing import Any, BinaryIO

import numpy as np

# Before gdcm, which pydicom loads: see `dicom`.
import PIL.Image  # noqa: F401
from numpy.typing import NDArray
from pydicom import uid
from pydicom.dataset import Dataset, FileMetaDataset

from covidct.errors import ReadError
from covidct.images.hounsfield import AIR_HU, PLAUSIBLE_AIR_HU
from covidct.series.geometry import is_axial

DENSEST_HU = 40_000  # metal in an extended scale


@dataclass(frozen=True)
class Volume:
    """Stored `values` (x, y, z), whose axes run to the right, the front and the head, and what they mean.

    Hounsfield units are values times `scale[0]` plus `scale[1]`; `zooms` are mm along x, y and z, None where
    the file does not say.
    """

    values: NDArray[Any] = field(repr=False)
    scale: tuple[float, float] = (1.0, 0.0)
    zooms: tuple[float, float, float] | None = None


@dataclass(frozen=True)
class VolumeSlice:
    """One axial slice of a volume, the lowest of index 0."""

    name: str
    volume: Volume
    index: int

    @property
    def size(self) -> int:
        """Bytes of its pixels."""
        return 2 * self.volume.values[:, :, self.index].size

    def open(self) -> BinaryIO:
        """The slice as the stream of a DICOM object."""
        return BytesIO(self.read())

    def read(self) -> bytes:
        """The slice as a DICOM object: signed 16-bit values that are Hounsfield units."""
        slope, intercept = self.volume.scale
        # Rows run to the back and columns to the left, as in every axial CT.
        hu = self.volume.values[::-1, ::-1, self.index].T * slope + intercept
        hu = np.nan_to_num(hu, nan=AIR_HU)  # what lies outside of the field of view
        return _to_dicom(np.clip(np.rint(hu), -32768, 32767).astype("<i2"), self.volume.zooms)


def to_volume(
    values: NDArray[Any], affine: NDArray[np.float64], *, name: str, scale: tuple[float, float] = (1.0, 0.0)
) -> Volume:
    """Turn voxels so that their axes run to the right, the front and the head.

    `values` are three-dimensional numbers; `affine` (4, 4) maps their indices to mm in these directions.
    Raises ReadError for other values, for one without directions and for oblique slices.
    """
    if values.ndim != 3 or values.dtype.kind not in "iuf" or 0 in values.shape:
        raise ReadError(
            f"{name}: shape {values.shape}, {values.dtype}; give one grey volume of three dimensions"
        )
    zooms = np.linalg.norm(affine[:3, :3], axis=0)
    if not np.isfinite(affine).all() or zooms.min() <= 0 or np.linalg.matrix_rank(affine[:3, :3]) < 3:
        raise ReadError(
            f"{name}: an affine without directions, so that head and feet are unknown; convert it again"
        )
    cosines = affine[:3, :3] / zooms
    # The order of the stored axes that lies closest to right, front and head.
    axes = max(permutations(range(3)), key=lambda order: np.abs(cosines[range(3), order]).sum())
    if not is_axial(tuple(cosines[:, axes[2]].tolist())):
        raise ReadError(f"{name}: an oblique volume; give one whose slices are axial")
    flips = tuple(slice(None, None, -1 if cosines[to, axis] < 0 else 1) for to, axis in enumerate(axes))
    x, y, z = (float(zooms[axis]) for axis in axes)
    return Volume(values.transpose(axes)[flips], scale, (x, y, z))


def check_length(needed: int, there: int, *, name: str) -> None:
    """Raise ReadError, before anything is allocated, where a header claims more bytes than there are."""
    if needed > there:
        raise ReadError(
            f"{name}: cut off: the header claims {needed:,} bytes of voxels, and {max(there, 0):,} are "
            "there; copy or convert it again"
        )


def check_is_hounsfield(volume: Volume, *, name: str) -> None:
    """Raise ReadError for values that cannot be Hounsfield units: masks, grey levels, normalised values."""
    slope, intercept = volume.scale
    ends = [float(end) * slope + intercept for end in _ends(volume.values)]
    low, high = min(ends), max(ends)
    if low < PLAUSIBLE_AIR_HU and 0 < high < DENSEST_HU and all(map(math.isfinite, ends)):
        return
    raise ReadError(
        f"{name}: values from {low:g} to {high:g} do not look like Hounsfield units (air is about "
        "-1000, bone above 200); give the CT volume itself, not a mask or a normalised one"
    )


def _ends(values: NDArray[Any]) -> tuple[float, float]:
    """The least and the greatest value but for NaN, both NaN where there is nothing else."""
    known = np.fmin.reduce(values, axis=None), np.fmax.reduce(values, axis=None)
    return float(known[0]), float(known[1])


def _to_dicom(hu: NDArray[np.int16], zooms: tuple[float, float, float] | None) -> bytes:
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = uid.ExplicitVRLittleEndian
    dataset.SOPClassUID = uid.CTImageStorage
    dataset.SOPInstanceUID = uid.generate_uid()
    dataset.Modality = "CT"
    dataset.Rows, dataset.Columns = hu.shape
    if zooms:
        dataset.PixelSpacing = [f"{zooms[1]:.9g}", f"{zooms[0]:.9g}"]
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 16, 16, 15, 1
    dataset.RescaleSlope, dataset.RescaleIntercept = 1, 0
    dataset.PixelData = hu.tobytes()
    dataset["PixelData"].VR = "OW"
    buffer = BytesIO()
    dataset.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()
