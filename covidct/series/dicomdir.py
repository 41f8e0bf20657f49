"""A DICOMDIR (PS3.3 F) -> the files of images that it lists.

Knows the table of contents of a medium. Knows nothing of what is in the files.
"""

from __future__ import annotations

from pathlib import Path

# Before gdcm, which pydicom loads: see `dicom`.
import PIL.Image  # noqa: F401
from pydicom import dcmread

from covidct.errors import ReadError
from covidct.images.files import read_bytes

SOP_CLASS = "1.2.840.10008.1.3.10"


def is_dicomdir(path: Path) -> bool:
    """Whether a file is called as the standard wants (PS3.10 8.6)."""
    return path.name.upper() == "DICOMDIR" and path.is_file()


def read_dicomdir(path: Path, *, name: str) -> tuple[tuple[Path, str], ...]:
    """The (path, name) of each image it lists, in its order; names begin as `name` does.

    A listed file may be missing; reading it says so. Raises ReadError for what is no DICOMDIR, lists nothing,
    or points out of its own folder.
    """
    data = read_bytes(path, name=name)
    try:
        records = _list(data)
    except Exception as error:  # broad: pydicom throws nearly anything at damaged bytes
        raise ReadError(f"{name}: damaged DICOMDIR ({error}); give the folder it is in") from error
    if not records:
        raise ReadError(f"{name}: a DICOMDIR that lists no images; give the folder it is in")
    top = Path(name).parent
    found = []
    for parts in records:
        if not all(parts) or any(part in (".", "..") or "/" in part for part in parts):
            raise ReadError(f"{name}: a DICOMDIR that points out of its folder; give the folder itself")
        found.append((_find(path.parent, parts), str(top.joinpath(*parts))))
    return tuple(found)


def _list(data: bytes) -> list[list[str]]:
    """ReferencedFileID of each record of an image."""
    from io import BytesIO

    dataset = dcmread(BytesIO(data))
    records = dataset.get("DirectoryRecordSequence") or []
    images = [record for record in records if str(record.get("DirectoryRecordType")) == "IMAGE"]
    listed = [record.get("ReferencedFileID") for record in images]
    return [[part] if isinstance(part, str) else [str(one) for one in part] for part in listed if part]


def _find(folder: Path, parts: list[str]) -> Path:
    """The file, whatever the case of its name: media are in capitals, copies of them often not."""
    exact = folder.joinpath(*parts)
    lower = folder.joinpath(*(part.lower() for part in parts))
    return lower if not exact.exists() and lower.exists() else exact
