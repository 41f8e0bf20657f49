"""Properties of a file, without its pixels: format, size, colour mode, JPEG quality, DICOM tags.

A network can learn these instead of disease if the picture's size or compression shows them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image
from pydicom import dcmread

from covidct.data.manifest import Row
from covidct.images.file_type import PICTURES, sniff
from covidct.images.library_errors import read_or_none
from covidct.images.limits import Allowance

# PS3.6 keywords that tell hospitals, scanners and protocols apart.
TAGS = (
    "Manufacturer",
    "ManufacturerModelName",
    "InstitutionName",
    "ConvolutionKernel",
    "KVP",
    "SliceThickness",
    "PixelSpacing",
    "BitsStored",
    "PatientID",
    "PatientAge",
    "PatientSex",
    "StudyInstanceUID",
    "SeriesInstanceUID",
)
# Chroma subsampling and rounding move grey JPEG channels apart by a few levels.
COLOURED = 24
ENDINGS = {
    ".png": "PNG",
    ".jpg": "JPEG",
    ".jpeg": "JPEG",
    ".bmp": "BMP",
    ".tif": "TIFF",
    ".tiff": "TIFF",
    ".webp": "WEBP",
    ".gif": "GIF",
    ".dcm": "DICOM",
    ".dicom": "DICOM",
    ".ima": "DICOM",
}


@dataclass(frozen=True)
class Facts:
    """A file's format and header: `jpeg_quality` is in 1..100 by its tables, None for other formats.

    `ending` is lower case, with its dot; `mode` Pillow's colour mode ("L", "RGBA"), "" for DICOM;
    `colour` the share of pixels that are not grey, in [0, 1]; `tags` DICOM keyword -> value, those of `TAGS`
    that are there, PatientID hashed.
    """

    ending: str
    format: str
    width: int
    height: int
    mode: str
    n_bytes: int
    jpeg_quality: float | None = None
    exif_tags: int = 0
    colour: float = 0.0
    tags: Mapping[str, str] = field(default_factory=dict)

    @property
    def misnamed(self) -> bool:
        """Whether the ending says another format than the bytes."""
        return ENDINGS.get(self.ending, self.format) != self.format


def parse_facts(data: bytes, path: Path) -> Facts:
    """Facts of a file's bytes, which `read_slice` has accepted before."""
    if sniff(data) not in PICTURES:
        return _parse_dicom_facts(data, path)
    with Image.open(BytesIO(data)) as image:
        tables = getattr(image, "quantization", None)
        return Facts(
            ending=path.suffix.lower(),
            format="JPEG" if image.format == "MPO" else image.format or "",
            width=image.width,
            height=image.height,
            mode=image.mode,
            n_bytes=len(data),
            jpeg_quality=_estimate_quality(tables[0]) if tables else None,
            exif_tags=len(_exif(image)),
            colour=_colour_share(image),
        )


def _exif(image: Image.Image) -> Mapping[int, object]:
    return read_or_none(image.getexif) or {}  # broken EXIF says nothing


def _colour_share(image: Image.Image) -> float:
    """Share of pixels whose channels differ by more than JPEG's rounding, on a copy of at most 256 x 256."""
    if len(image.getbands()) < 3 and image.mode != "P":
        return 0.0
    image.draft("RGB", (256, 256))
    small = image.convert("RGB")
    small.thumbnail((256, 256), Image.Resampling.NEAREST)
    channels = np.asarray(small).astype(np.int16)
    return float((channels.max(axis=2) - channels.min(axis=2) > COLOURED).mean())


def _parse_dicom_facts(data: bytes, path: Path) -> Facts:
    dataset = dcmread(Allowance(str(path)).bind(BytesIO(data)), stop_before_pixels=True, force=True)
    found = {name: str(dataset.get(name)) for name in TAGS if dataset.get(name) not in (None, "")}
    if "PatientID" in found:
        # Who is the same is all that counts; the id itself has no place in a report.
        found["PatientID"] = hashlib.sha256(found["PatientID"].encode()).hexdigest()[:12]
    return Facts(
        ending=path.suffix.lower(),
        format="DICOM",
        width=int(dataset.get("Columns", 0)),
        height=int(dataset.get("Rows", 0)),
        mode="",
        n_bytes=len(data),
        tags=found,
    )


def _estimate_quality(table: list[int]) -> float:
    """The quality setting in 1..100 that scales the standard luminance table (ITU-T T.81, K.1) to this one.

    By the sum of its entries, 3688 in the standard: exact for libjpeg's own tables but for rounding.
    """
    scale = 100 * sum(table) / 3688
    quality = (200 - scale) / 2 if scale <= 100 else 5000 / scale
    return float(min(max(quality, 1), 100))


def identify(row: Row, facts: Facts) -> Row:
    """The row with patient, study and series of the DICOM file where the manifest says nothing of them."""
    tags = facts.tags
    return replace(
        row,
        patient_id=row.patient_id or tags.get("PatientID", ""),
        study_uid=row.study_uid or tags.get("StudyInstanceUID", ""),
        series_uid=row.series_uid or tags.get("SeriesInstanceUID", ""),
    )
