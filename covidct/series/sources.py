"""Folders, archives, DICOMDIRs, files, bytes in memory -> the blobs in them that may be slices.

Knows where to look for files, and looks at the head of each once. Knows nothing of what is in them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from covidct.errors import ReadError
from covidct.images.blob import Blob, FailedBlob, FileBlob, MemoryBlob
from covidct.images.file_type import ARCHIVES, HEAD, FileType, Head, sniff_head
from covidct.images.files import is_contents, is_folder, is_wanted, walk


@dataclass(frozen=True)
class Candidate:
    """A blob, and what the caller named to get it: folder, archive, DICOMDIR or the file itself.

    `head` says what it is; None if not looked at yet.
    """

    blob: Blob
    given: str
    head: Head | None = None


StudyInput = str | Path | tuple[str, bytes] | Candidate


def find_blobs(given: Iterable[StudyInput], *, skipped: list[str]) -> Iterator[Candidate]:
    """Everything that may be read, in the order in which it is given; names skipped go to `skipped`.

    Raises nothing: a file that cannot be read becomes a blob that says so when it is read.
    """
    for one in given:
        if isinstance(one, Candidate):
            yield one
        elif isinstance(one, tuple):
            name, data = one
            # A file of a folder that was uploaded has the folder in its name.
            blob = MemoryBlob(name, data)
            yield from _unpack(blob, peek(blob), skipped, given=name.partition("/")[0])
        elif is_contents((path := Path(one)).name) and path.is_file():
            yield from _list_medium(path)
        elif is_folder(path):
            yield from _search(path, skipped)
        else:
            file = FileBlob(path, str(one))
            yield from _unpack(file, peek(file), skipped, given=str(one))


def peek(blob: Blob) -> Head:
    """What a blob is; unknown for what cannot be read, or would wait for ever."""
    try:
        if isinstance(blob, FileBlob) and not blob.path.is_file():
            return Head(FileType.UNKNOWN)
        with blob.open() as stream:
            return sniff_head(stream.read(HEAD))
    except (ReadError, OSError, ValueError):  # ValueError: a NUL in the path
        return Head(FileType.UNKNOWN)


def _search(folder: Path, skipped: list[str]) -> Iterator[Candidate]:
    """The files of a folder and its subfolders that may hold slices, archives opened."""
    for entry, is_file in walk(folder):
        blob = FileBlob(entry, str(entry))
        head = peek(blob) if is_file else Head(FileType.UNKNOWN)
        if is_file and is_wanted(entry.name, head):
            yield from _unpack(blob, head, skipped, given=str(folder))
        else:
            skipped.append(str(entry))


def _list_medium(path: Path) -> Iterator[Candidate]:
    # Here, not above: who reads pictures shall not pay for importing pydicom (0.1 s).
    from covidct.series.dicomdir import read_dicomdir

    name = str(path)
    try:
        yield from (
            Candidate(FileBlob(file, file_name), name) for file, file_name in read_dicomdir(path, name=name)
        )
    except ReadError as error:
        yield Candidate(FailedBlob(name, str(error)), name)


def _unpack(blob: Blob, head: Head, skipped: list[str], *, given: str) -> Iterator[Candidate]:
    if head.type not in ARCHIVES:
        yield Candidate(blob, given, head)
        return
    # Here, not above: who reads pictures shall not pay for importing zipfile and tarfile.
    from covidct.series.archive import open_archive

    unpacked = open_archive(blob, head)
    skipped += unpacked.skipped
    for entry, entry_head in unpacked.entries:
        yield Candidate(entry, blob.name if given == blob.name else given, entry_head)
