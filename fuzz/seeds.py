"""Sound files of every kind that is read, small, drawn in code: what mutations start from."""

from __future__ import annotations

import base64
import gzip
import zipfile
from io import BytesIO
from typing import Any

import nibabel
import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydicom import dcmread, uid
from pydicom.encaps import encapsulate
from pydicom.pixels import get_encoder  # type: ignore[attr-defined]  # (documented, but not in an __all__)

from covidct.images.hounsfield import to_display
from makers import ct_dataset, dicom_bytes, encode, phantom_hu, signed_dataset

# A ramp of 9 x 14 from -924 HU in lossy JPEG of 12 bits, as libjpeg-turbo writes it, which Pillow cannot.
RAMP_12_BIT = (
    "/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDAAIBAQEBAQIBAQECAgICAgQDAgICAgUEBAMEBgUGBgYFBgYGBwkIBgcJBwYGCAsICQoKCgoK"
    "BggLDAsKDAkKCgr/wQALDAAJAA4BAREA/8QAFQABAQAAAAAAAAAAAAAAAAAADQz/xAAnEAAAAgYLAQAAAAAAAAAAAAAABQsMDSdFYSo4"
    "OkdIVmRzd4a0w//aAAgBAQAAPwCKDZxmjuqiLjctw7ZkHclSD0d1Q6jVxtwRPDtWXyAzczjPAj1v4h3JUg+x1GvARP6y8f/Z"
)
PICTURES = ("PNG", "JPEG", "TIFF", "BMP", "GIF", "WEBP")


def make_seeds() -> dict[str, bytes]:
    """Name, with an ending -> bytes."""
    hu = phantom_hu(size=32)
    picture = Image.fromarray(to_display(hu))
    files = {f"slice.{kind.lower()}": encode(picture, kind) for kind in PICTURES}
    files["colour.png"] = encode(picture.convert("RGBA"))
    files["slice.dcm"] = dicom_bytes(ct_dataset(hu, PixelSpacing=[1, 1], ImagePositionPatient=[0, 0, 5]))
    files["signed.dcm"] = dicom_bytes(signed_dataset(hu))
    item = ct_dataset(hu, PixelData=None)
    files["nested.dcm"] = dicom_bytes(ct_dataset(hu, ReferencedImageSequence=[item]))
    members = {f"IM{at}": files["slice.dcm"] for at in range(2)}
    files |= _compress(files["slice.dcm"], hu)
    files["series.zip"] = _zip(members | {"a/b.png": files["slice.png"]})
    files["slice.dcm.gz"] = gzip.compress(files["slice.dcm"], mtime=0)
    return files | _make_nifti()


def _compress(raw: bytes, hu: NDArray[np.integer[Any]]) -> dict[str, bytes]:
    """The slice in each compressed syntax that something here can write."""
    words = np.ascontiguousarray(hu + 1024, "<u2")
    frames = {uid.JPEG2000Lossless: encode(Image.fromarray(words), "JPEG2000", no_jp2=True)}
    options: dict[str, Any] = {"rows": 32, "columns": 32, "bits_allocated": 16, "bits_stored": 16}
    options |= {"samples_per_pixel": 1, "number_of_frames": 1, "pixel_representation": 0}
    options |= {"photometric_interpretation": "MONOCHROME2"}
    for syntax in (uid.RLELossless, uid.JPEGLSLossless):
        frames[syntax] = bytes(get_encoder(syntax).encode(words.tobytes(), **options))
    grey = Image.fromarray(to_display(hu))
    frames[uid.JPEGBaseline8Bit] = encode(grey, "JPEG")
    frames[uid.JPEGExtended12Bit] = base64.b64decode(RAMP_12_BIT)
    return {f"{syntax.keyword}.dcm": _to_object(raw, syntax, frame) for syntax, frame in frames.items()}


def _to_object(raw: bytes, syntax: uid.UID, frame: bytes) -> bytes:
    dataset = dcmread(BytesIO(raw))
    dataset.PixelRepresentation, dataset.RescaleIntercept = 0, -1024
    dataset.RescaleSlope = 1
    if syntax == uid.JPEGBaseline8Bit:
        dataset.BitsAllocated = dataset.BitsStored = 8
        dataset.HighBit, dataset.RescaleSlope = 7, 8
    elif syntax == uid.JPEGExtended12Bit:
        dataset.Rows, dataset.Columns = 9, 14
        dataset.BitsStored, dataset.HighBit = 12, 11
    else:
        dataset.BitsStored, dataset.HighBit = 16, 15
    dataset.PixelData = encapsulate([frame])
    dataset["PixelData"].VR = "OB"
    dataset.file_meta.TransferSyntaxUID = syntax
    return dicom_bytes(dataset)


def _make_nifti() -> dict[str, bytes]:
    image = nibabel.nifti1.Nifti1Image(np.stack([phantom_hu(size=16)] * 3, axis=2), np.eye(4))  # type: ignore[no-untyped-call]
    data: bytes = image.to_bytes()
    return {"volume.nii": data, "volume.nii.gz": gzip.compress(data, mtime=0)}


def _zip(members: dict[str, bytes]) -> bytes:
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return buffer.getvalue()
