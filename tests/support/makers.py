"""What tests make their files with: small phantoms as PNG and DICOM."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image
from pydicom import uid
from pydicom.dataset import Dataset, FileMetaDataset

from covidct.images.phantoms.slice import Phantom, draw_phantom
from covidct.types import Pixels

SERIES_UID = "1.2.826.0.1.3680043.8.498.1"


def phantom_hu(kind: Phantom = Phantom.LESIONS, *, seed: int = 0, size: int = 64) -> NDArray[np.int16]:
    return draw_phantom(kind, seed=seed, size=size)


def encode(image: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    buffer = BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def encode_photograph(
    image: Image.Image, kind: str = "JPEG", *, endian: str = "<", **exposure: float
) -> bytes:
    """A picture with the EXIF of a phone, `endian` as `struct` has it, and of its exposure."""
    exif = Image.Exif()
    exif.endian = endian
    exif[ExifTags.Base.Make], exif[ExifTags.Base.Model] = "Acme", "Phone 3"
    exif.get_ifd(ExifTags.IFD.Exif).update({ExifTags.Base[name]: value for name, value in exposure.items()})
    return encode(image, kind, exif=exif)


def png_bytes(pixels: NDArray[Any]) -> bytes:
    return encode(Image.fromarray(pixels))


def write_png(path: Path, pixels: Pixels) -> Path:
    path.write_bytes(png_bytes(pixels))
    return path


def ct_dataset(hu: NDArray[Any], **tags: Any) -> Dataset:
    """A CT Image Storage object: 12 bits unsigned, intercept -1024. A tag given as None is left out."""
    stored = np.clip(hu.astype(np.int64) + 1024, 0, 4095).astype("<u2")
    defaults: dict[str, Any] = {
        "SOPClassUID": uid.CTImageStorage,
        "SOPInstanceUID": SERIES_UID + ".1",
        "SeriesInstanceUID": SERIES_UID,
        "Modality": "CT",
        "ImageType": ["ORIGINAL", "PRIMARY", "AXIAL"],
        "ImageOrientationPatient": [1, 0, 0, 0, 1, 0],
        "PixelSpacing": [0.7, 0.8],
        "SamplesPerPixel": 1,
        "PhotometricInterpretation": "MONOCHROME2",
        "Rows": hu.shape[0],
        "Columns": hu.shape[1],
        "BitsAllocated": 16,
        "BitsStored": 12,
        "HighBit": 11,
        "PixelRepresentation": 0,
        "RescaleSlope": 1,
        "RescaleIntercept": -1024,
        "PixelData": stored.tobytes(),
    }
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = uid.ExplicitVRLittleEndian
    for keyword, value in (defaults | tags).items():
        if value is not None:
            setattr(dataset, keyword, value)
    if "PixelData" in dataset:
        dataset["PixelData"].VR = "OW"
    return dataset


def signed_dataset(hu: NDArray[Any], **tags: Any) -> Dataset:
    """A CT Image Storage object whose 16-bit signed values are Hounsfield units already."""
    layout = {"BitsStored": 16, "HighBit": 15, "PixelRepresentation": 1, "RescaleIntercept": 0}
    return ct_dataset(hu, **(layout | {"PixelData": hu.astype("<i2").tobytes()} | tags))


def dicom_bytes(dataset: Dataset) -> bytes:
    buffer = BytesIO()
    dataset.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def write_dicom(path: Path, hu: NDArray[Any], **tags: Any) -> Path:
    path.write_bytes(dicom_bytes(ct_dataset(hu, **tags)))
    return path


def transcode(source: Path, target: Path, syntax: str) -> Path:
    """Write a DICOM file in another transfer syntax, by its gdcm name."""
    # Not above: loaded before Pillow it breaks the writing of PNG (see covidct.images.dicom).
    import gdcm

    reader = gdcm.ImageReader()
    reader.SetFileName(str(source))
    assert reader.Read()
    change = gdcm.ImageChangeTransferSyntax()
    change.SetTransferSyntax(gdcm.TransferSyntax(getattr(gdcm.TransferSyntax, syntax)))
    change.SetInput(reader.GetImage())
    assert change.Change()
    writer = gdcm.ImageWriter()
    writer.SetFileName(str(target))
    writer.SetFile(reader.GetFile())
    writer.SetImage(change.GetOutput())
    assert writer.Write()
    return target
