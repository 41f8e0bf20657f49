"""Files of each kind that name a marked patient where they can, and a look for it in what came out."""

from __future__ import annotations

import gzip
import struct
import zipfile
from collections.abc import Callable
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from covidct.images.hounsfield import to_display
from makers import dicom_bytes, phantom_hu
from patients import patient_dataset
from stacks import contents

MARKS = {
    "PatientName": "Xqzname^Marked",
    "PatientID": "XQZID4711",
    "PatientBirthDate": "19110317",
    "AccessionNumber": "XQZACC99",
}
SECRETS = ("xqzname", "xqzid", "19110317", "xqzacc")
TEXT = " ".join(MARKS.values())


def find_secrets(*texts: str | bytes) -> list[str]:
    """Which marks stand in what came out, in any case and in UTF-16 too."""
    whole = b"\n".join(text.encode() if isinstance(text, str) else text for text in texts).lower()
    return [one for one in SECRETS if one.encode() in whole or one.encode("utf-16-le") in whole]


def marked_dicom(number: int = 1, **tags: Any) -> bytes:
    return dicom_bytes(patient_dataset(number, **(MARKS | {"ImageComments": TEXT} | tags)))


def marked_picture(kind: str) -> bytes:
    """A picture with the marks where its format keeps words."""
    picture, buffer = Image.fromarray(to_display(phantom_hu())), BytesIO()
    if kind == "PNG":
        words = PngInfo()
        words.add_text("Comment", TEXT)
        words.add_itxt("Description", TEXT)
        picture.save(buffer, kind, pnginfo=words)
    else:
        exif = Image.Exif()
        exif[0x010E] = exif[0x013B] = TEXT  # ImageDescription, Artist
        picture.save(buffer, kind, exif=exif)
    return buffer.getvalue()


def marked_nifti() -> bytes:
    """Three slices, with the marks as `descrip` and `aux_file`."""
    header = bytearray(348)
    struct.pack_into("<i", header, 0, 348)
    struct.pack_into("<8h", header, 40, 3, 64, 64, 3, 1, 1, 1, 1)
    struct.pack_into("<2h", header, 70, 4, 16)
    struct.pack_into("<8f", header, 76, 1, 1, 1, 5, 1, 1, 1, 1)
    struct.pack_into("<2f", header, 108, 352, 1)
    header[148:228] = TEXT.encode().ljust(80)[:80]
    header[228:252] = TEXT.encode().ljust(24)[:24]
    struct.pack_into("<2h", header, 252, 0, 1)
    struct.pack_into("<12f", header, 280, -1, 0, 0, 0, 0, -1, 0, 0, 0, 0, 5, 0)
    header[344:348] = b"n+1\0"
    values = np.stack([phantom_hu(seed=seed) for seed in range(3)], axis=-1).astype("<i2")
    return gzip.compress(bytes(header) + bytes(4) + values.tobytes("F"))


def marked_zip(name: str = "slice") -> bytes:
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.comment = TEXT.encode()
        for number in (1, 2, 3):
            archive.writestr(f"{name}{number}.dcm", marked_dicom(number))
    return buffer.getvalue()


def write_marked_medium(folder: Path) -> Path:
    """A DICOMDIR whose patient is marked, with three files that it lists, one missing and one cut off."""
    folder.mkdir(parents=True)
    for number in (1, 2, 3):
        (folder / f"IM{number}").write_bytes(marked_dicom(number))
    (folder / "IM4").write_bytes(marked_dicom(4)[:900])
    (folder / "DICOMDIR").write_bytes(contents([[f"IM{number}"] for number in range(1, 6)], **MARKS))
    return folder / "DICOMDIR"


_INPUTS: dict[str, Callable[[], bytes]] = {
    "slice.dcm": marked_dicom,
    "cut.dcm": lambda: marked_dicom()[:-3000],
    "torn.dcm": lambda: marked_dicom()[:600],
    "rows.dcm": lambda: marked_dicom(Rows=0),
    "modality.dcm": lambda: marked_dicom(Modality="MR"),
    "picture.png": lambda: marked_picture("PNG"),
    "torn.png": lambda: marked_picture("PNG")[:-900],
    "picture.jpg": lambda: marked_picture("JPEG"),
    "picture.tif": lambda: marked_picture("TIFF"),
    "volume.nii.gz": marked_nifti,
    "torn.nii.gz": lambda: marked_nifti()[:-500],
    "archive.zip": marked_zip,
    "torn.zip": lambda: marked_zip()[:-200],
}


@cache
def make_inputs() -> dict[str, bytes]:
    """Files by name: whole ones, and such that give an error."""
    return {name: make() for name, make in _INPUTS.items()}
