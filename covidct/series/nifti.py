"""A NIfTI volume -> its axial slices as a series, each a CT Image Storage object made when it is read.

Knows affines (voxel indices -> millimetres to the right, the front and the head) and what Hounsfield units
look like. NIfTI says nothing of scanner, patient or unit: values that cannot be Hounsfield units are
refused.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any, BinaryIO

import numpy as np

# Before gdcm, which pydicom loads: see `dicom`.
import PIL.Image  # noqa: F401
from nibabel import Nifti1Image, Nifti2Image
from nibabel.orientations import apply_orientation, io_orientation
from numpy.typing import NDArray
from pydicom import uid
from pydicom.dataset import Dataset, FileMetaDataset

from covidct.errors import ReadError
from covidct.images.blob import Blob
from covidct.images.file_type import sniff_head
from covidct.images.gunzip import gunzip
from covidct.images.hounsfield import AIR_HU, PLAUSIBLE_AIR_HU
from covidct.images.library_errors import damage_as
from covidct.series.geometry import OBLIQUE
from covidct.series.types import Acquisition, Described, Instance

MAX_VOLUME = 1024**3  # bytes, unpacked
DENSEST_HU = 40_000  # metal in an extended scale


@dataclass(frozen=True)
class Volume:
    """Stored `values` (x, y, z), whose axes run to the right, the front and the head, and what they mean.

    Hounsfield units are values times `scale[0]` plus `scale[1]`; `zooms` are mm along x, y and z.
    """

    values: NDArray[Any] = field(repr=False)
    scale: tuple[float, float]
    zooms: tuple[float, float, float]


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


def describe_volume(blob: Blob, *, given: str) -> list[Described]:
    """Describe the axial slices of a volume, `.nii` or `.nii.gz`, from feet to head.

    Raises ReadError for what is damaged, not three-dimensional, oblique, too large, or not in Hounsfield
    units.
    """
    volume = _parse(_unzip(blob), blob.name)
    _check_is_hounsfield(volume, blob.name)
    columns, rows, slices = volume.values.shape
    x, y, z = volume.zooms
    acquisition = Acquisition(modality="CT", pixel_spacing_mm=(y, x), rows=rows, columns=columns)
    return [
        Described(
            Instance(blob.name, None, None, None, frame=at + 1, blob=VolumeSlice(blob.name, volume, at)),
            given=given,
            acquisition=acquisition,
            position=(0.0, 0.0, z * at),
            orientation=(1.0, 0.0, 0.0, 0.0, 1.0, 0.0),
            order=(0, at),
        )
        for at in range(slices)
    ]


def _unzip(blob: Blob) -> bytes:
    """The volume, unpacked within bounds."""
    with blob.open() as stream:
        data = stream.read(MAX_VOLUME + 1)
    if sniff_head(data).is_packed:
        data = gunzip(data, name=blob.name, limit=MAX_VOLUME)
    if len(data) > MAX_VOLUME:
        raise ReadError(f"{blob.name}: a volume of more than {MAX_VOLUME:,} bytes; cut it to the chest")
    return data


def _parse(data: bytes, name: str) -> Volume:
    unread = "damaged, cut off, or no NIfTI volume in one file"
    with damage_as(lambda cause: ReadError(f"{name}: {unread} ({cause}); convert it again")):
        kind = Nifti2Image if data[4:8] == b"n+2\0" else Nifti1Image
        image: Any = kind.from_bytes(data)
        _check_length(image, len(data), name)
        values, affine = image.dataobj.get_unscaled(), image.affine
        scale = float(image.dataobj.slope), float(image.dataobj.inter)
        zooms = np.linalg.norm(affine[:3, :3], axis=0)
        axes = io_orientation(affine)  # type: ignore[no-untyped-call]
    while values.ndim > 3 and values.shape[-1] == 1:
        values = values[..., 0]
    if values.ndim != 3 or values.dtype.kind not in "iuf" or 0 in values.shape:
        raise ReadError(
            f"{name}: shape {values.shape}, {values.dtype}; give one grey volume of three dimensions"
        )
    placed = int(image.header["sform_code"]) or int(image.header["qform_code"])
    if not placed or np.isnan(axes).any() or not np.isfinite(affine).all():
        raise ReadError(
            f"{name}: an affine without directions, so that head and feet are unknown; convert it again"
        )
    along_z = int(np.flatnonzero(axes[:, 0] == 2)[0])
    if abs(affine[2, along_z]) < math.cos(math.radians(OBLIQUE)) * zooms[along_z]:
        raise ReadError(f"{name}: an oblique volume; give one whose slices are axial")
    x, y, z = (float(zooms[int(np.flatnonzero(axes[:, 0] == axis)[0])]) for axis in range(3))
    turned = apply_orientation(values, axes)  # type: ignore[no-untyped-call]
    return Volume(turned, scale, (x, y, z))


def _check_length(image: Any, size: int, name: str) -> None:
    """Raise before anything is allocated where a header claims more than there is."""
    needed = math.prod(image.shape) * image.get_data_dtype().itemsize
    there = max(size - int(image.dataobj.offset), 0)
    if needed > there:
        raise ReadError(
            f"{name}: cut off: the header claims {needed:,} bytes of voxels, and {there:,} are there; "
            "copy or convert it again"
        )


def _check_is_hounsfield(volume: Volume, name: str) -> None:
    """Raise for values that cannot be Hounsfield units: masks, grey levels, values scaled for a network."""
    slope, intercept = volume.scale
    ends = [float(end) * slope + intercept for end in _ends(volume.values)]
    low, high = min(ends), max(ends)
    if low < PLAUSIBLE_AIR_HU and 0 < high < DENSEST_HU and np.isfinite(ends).all():
        return
    raise ReadError(
        f"{name}: values from {low:g} to {high:g} do not look like Hounsfield units (air is about "
        "-1000, bone above 200); give the CT volume itself, not a mask or a normalised one"
    )


def _ends(values: NDArray[Any]) -> tuple[float, float]:
    """The least and the greatest value but for NaN, both NaN where there is nothing else."""
    known = np.fmin.reduce(values, axis=None), np.fmax.reduce(values, axis=None)
    return float(known[0]), float(known[1])


def _to_dicom(hu: NDArray[np.int16], zooms: tuple[float, float, float]) -> bytes:
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = uid.ExplicitVRLittleEndian
    dataset.SOPClassUID = uid.CTImageStorage
    dataset.SOPInstanceUID = uid.generate_uid()
    dataset.Modality = "CT"
    dataset.Rows, dataset.Columns = hu.shape
    dataset.PixelSpacing = [f"{zooms[1]:.9g}", f"{zooms[0]:.9g}"]
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 16, 16, 15, 1
    dataset.RescaleSlope, dataset.RescaleIntercept = 1, 0
    dataset.PixelData = hu.tobytes()
    dataset["PixelData"].VR = "OW"
    buffer = BytesIO()
    dataset.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()
