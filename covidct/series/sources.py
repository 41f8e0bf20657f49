"""Folders, ZIP archives, DICOMDIRs, files, bytes in memory -> the blobs in them that may be slices.

Knows where files may lie. Knows nothing of what is in them, but for the magic of an archive.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from covidct.errors import ReadError
from covidct.images.blob import Blob, FailedBlob, FileBlob, MemoryBlob
from covidct.images.files import find_slices
from covidct.series.archive import is_archive, open_archive

PEEK = 352  # bytes that tell what a file is: DICM at 128, the magic of NIfTI at 344


@dataclass(frozen=True)
class Source:
    """A blob, and what the caller named to get it: the folder, the archive, the DICOMDIR or itself."""

    blob: Blob
    given: str


Given = str | Path | tuple[str, bytes] | Source


def find_blobs(given: Iterable[Given], *, skipped: list[str]) -> Iterator[Source]:
    """Everything that may be read, in the order in which it is given; names passed over go to `skipped`.

    Nothing raises: what cannot be read gives a blob that says so when it is read.
    """
    for one in given:
        if isinstance(one, Source):
            yield one
        elif isinstance(one, tuple):
            name, data = one
            # A file of a folder that was uploaded has the folder in its name.
            yield from _unpack(MemoryBlob(name, data), skipped, given=name.partition("/")[0])
        elif (path := Path(one)).name.upper() == "DICOMDIR" and path.is_file():
            yield from _list_medium(path)
        elif path.is_dir():
            found = find_slices(path, volumes=True)
            skipped += map(str, found.skipped)
            yield from (Source(FileBlob(file, str(file)), str(one)) for file in found.paths)
        else:
            yield from _unpack(FileBlob(path, str(one)), skipped)


def peek(blob: Blob) -> bytes:
    """The first PEEK bytes; none of what cannot be read, or would wait for ever."""
    try:
        if isinstance(blob, FileBlob) and not blob.path.is_file():
            return b""
        with blob.open() as stream:
            return stream.read(PEEK)
    except (ReadError, OSError, ValueError):  # ValueError: a NUL in the path
        return b""


def _list_medium(path: Path) -> Iterator[Source]:
    # Here, not above: who reads pictures shall not pay for importing pydicom (0.1 s).
    from covidct.series.dicomdir import read_dicomdir

    name = str(path)
    try:
        yield from (
            Source(FileBlob(file, file_name), name) for file, file_name in read_dicomdir(path, name=name)
        )
    except ReadError as error:
        yield Source(FailedBlob(name, str(error)), name)


def _unpack(blob: Blob, skipped: list[str], *, given: str = "") -> Iterator[Source]:
    if not is_archive(peek(blob)):
        yield Source(blob, given or blob.name)
        return
    unpacked = open_archive(blob)
    skipped += unpacked.skipped
    yield from (Source(entry, blob.name) for entry in unpacked.blobs)
