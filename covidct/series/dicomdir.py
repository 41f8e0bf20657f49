"""A DICOMDIR (PS3.3 F) -> the files of images that it lists.

Knows the table of contents of a medium. Knows nothing of what is in the files.
"""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

# Before gdcm, which pydicom loads: see `dicom`.
import PIL.Image  # noqa: F401
from pydicom import dcmread

from covidct.errors import ReadError
from covidct.images.elements import read_items
from covidct.images.files import has_known_ending, read_bytes
from covidct.images.library_errors import damage_as
from covidct.images.limits import Allowance

SOP_CLASS = "1.2.840.10008.1.3.10"
TIMES = 2  # as much as an image: ten thousand records, as are on a DVD


def read_dicomdir(path: Path, *, name: str) -> tuple[tuple[Path, str], ...]:
    """The (path, name) of each image it lists, in its order; names begin as `name` does.

    A listed file may be missing; reading it says so. Raises ReadError for what is no DICOMDIR, lists nothing,
    or points out of its own folder.
    """
    data = read_bytes(path, name=name)
    with damage_as(lambda cause: ReadError(f"{name}: damaged DICOMDIR ({cause}); give the folder it is in")):
        records = _list(data, Allowance(name, times=TIMES))
    if not records:
        raise ReadError(f"{name}: a DICOMDIR that lists no images; give the folder it is in")
    top = Path(name).parent
    found = []
    for parts in records:
        if not all(parts) or any(part in (".", "..") or "/" in part for part in parts):
            raise ReadError(f"{name}: a DICOMDIR that points out of its folder; give the folder itself")
        found.append((_find(path.parent, parts), str(top.joinpath(*parts))))
    return tuple(found)


def _list(data: bytes, allowance: Allowance) -> list[list[str]]:
    """ReferencedFileID of each record of an image."""
    dataset = dcmread(allowance.bind(BytesIO(data)))
    records = read_items(dataset, "DirectoryRecordSequence", allowance)
    images = [record for record in records if str(record.get("DirectoryRecordType")) == "IMAGE"]
    listed = [record.get("ReferencedFileID") for record in images]
    return [[part] if isinstance(part, str) else [str(one) for one in part] for part in listed if part]


def _find(folder: Path, parts: list[str]) -> Path:
    """The file, whatever copying made of its name; as it is listed where there is none."""
    found = folder
    for part in parts:
        exact = found / part
        found = exact if exact.exists() else _find_alike(found, part) or exact
    return found


def _find_alike(folder: Path, part: str) -> Path | None:
    """A neighbour in another case, with an ending that DICOM files get, or with ISO 9660's version."""
    try:
        names = sorted(entry.name for entry in folder.iterdir())
    except (OSError, ValueError):  # ValueError: a NUL in the path
        return None
    wanted = _plain(part)
    by_ending = (name for name in names if has_known_ending(name) and _plain(Path(name).stem) == wanted)
    alike = next((name for name in names if _plain(name) == wanted), None) or next(by_ending, None)
    return folder / alike if alike else None


def _plain(name: str) -> str:
    """`IM000001.;1` and `im000001` are one name."""
    return name.partition(";")[0].rstrip(".").casefold()
