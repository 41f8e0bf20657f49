"""Sound files of every kind that is read, small, drawn in code: what mutations start from."""

from __future__ import annotations

import gzip
import zipfile
from io import BytesIO

import nibabel
import numpy as np
from PIL import Image

from covidct.images.hounsfield import to_display
from makers import ct_dataset, dicom_bytes, encode, phantom_hu, signed_dataset

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
    files["series.zip"] = _zip(members | {"a/b.png": files["slice.png"]})
    files["slice.dcm.gz"] = gzip.compress(files["slice.dcm"], mtime=0)
    return files | _make_nifti()


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
