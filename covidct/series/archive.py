"""A ZIP archive -> the files in it that may be slices, read one by one, never unpacked to disk.

Knows archives and their tricks: bombs, encryption, damage. Since nothing is written, a path in an archive is
a name and no more. Knows nothing of what is inside of files.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from io import BytesIO
from typing import BinaryIO

from covidct.errors import ReadError
from covidct.images.blob import Blob, FailedBlob, FileBlob
from covidct.images.files import ENDINGS, VOLUME_ENDINGS, is_clutter, natural_key
from covidct.images.limits import check_bytes

MAX_ENTRIES = 50_000
MAX_TOTAL = 16 * 1024**3  # bytes, unpacked; only one entry at a time is in memory
_MAGIC = b"PK\x03\x04"
_DAMAGE = (zipfile.BadZipFile, zipfile.LargeZipFile, NotImplementedError, RuntimeError, OSError, EOFError)
_ENCRYPTED = 0x1


@dataclass(frozen=True)
class Unpacked:
    """What an archive holds: `blobs` to read, `skipped` names that were passed over."""

    blobs: tuple[Blob, ...]
    skipped: tuple[str, ...] = ()


@dataclass(frozen=True)
class EntryBlob:
    """A file in an archive; `name` is the archive's, a slash and the path in it."""

    name: str
    archive: zipfile.ZipFile = field(repr=False)
    entry: zipfile.ZipInfo = field(repr=False)

    @property
    def size(self) -> int:
        """Bytes unpacked, as the archive declares them."""
        return self.entry.file_size

    def open(self) -> BinaryIO:
        """The file as a stream. Raises ReadError."""
        return BytesIO(self.read())

    def read(self) -> bytes:
        """The whole file. Raises ReadError where it is empty, too large, encrypted or damaged."""
        check_bytes(self.entry.file_size, name=self.name)
        if self.entry.flag_bits & _ENCRYPTED:
            raise ReadError(
                f"{self.name}: encrypted; unpack the archive with its password, and give the folder"
            )
        try:
            # `read` stops at the size that the entry declares, whatever the data would become.
            return self.archive.read(self.entry)
        except Exception as error:  # broad: zlib.error, lzma.LZMAError ...: each compression has its own
            raise ReadError(
                f"{self.name}: damaged in the archive ({error}); make the archive again"
            ) from error


def is_archive(head: bytes) -> bool:
    """Whether a file that begins so is a ZIP archive."""
    return head.startswith(_MAGIC)


def open_archive(blob: Blob) -> Unpacked:
    """List the files of an archive that may be slices, in natural order.

    As in a folder, files are taken by their ending or by DICM at byte 128. An archive that cannot be read, is
    empty, has too many entries or is too large unpacked gives one blob, which says so when it is read.
    """
    try:
        # A path, not a stream, where there is one: the archive is then closed with the last blob of it.
        archive = zipfile.ZipFile(blob.path if isinstance(blob, FileBlob) else BytesIO(blob.read()))
        entries = [entry for entry in archive.infolist() if not entry.is_dir()]
    except ReadError as error:
        return Unpacked((FailedBlob(blob.name, str(error)),))
    except (*_DAMAGE, ValueError) as error:
        return _fail(blob, f"a damaged ZIP archive ({error}); make it again")
    if len(entries) > MAX_ENTRIES:
        return _fail(blob, f"{len(entries):,} files in an archive, and at most {MAX_ENTRIES:,} are read")
    if (total := sum(entry.file_size for entry in entries)) > MAX_TOTAL:
        return _fail(
            blob, f"{total:,} bytes unpacked, and at most {MAX_TOTAL:,} are read; give single series"
        )
    if not entries:
        return _fail(blob, "an archive with nothing in it; make it again")
    return _sort(blob.name, archive, entries)


def _fail(blob: Blob, what: str) -> Unpacked:
    return Unpacked((FailedBlob(blob.name, f"{blob.name}: {what}"),))


def _sort(name: str, archive: zipfile.ZipFile, entries: list[zipfile.ZipInfo]) -> Unpacked:
    entries = sorted(entries, key=lambda entry: (natural_key(entry.filename), entry.filename))
    wanted: list[Blob] = []
    skipped: list[str] = []
    for entry in entries:
        blob = EntryBlob(f"{name}/{entry.filename}", archive, entry)
        if _is_wanted(blob):
            wanted.append(blob)
        else:
            skipped.append(blob.name)
    return Unpacked(tuple(wanted), tuple(skipped))


def _is_wanted(blob: EntryBlob) -> bool:
    if any(is_clutter(part) for part in _parts(blob.entry.filename)):
        return False
    if blob.entry.filename.lower().endswith((*ENDINGS, *VOLUME_ENDINGS)) or blob.entry.flag_bits & _ENCRYPTED:
        return True
    try:
        with blob.archive.open(blob.entry) as stream:
            return stream.read(132)[128:] == b"DICM"
    except Exception:  # broad: see EntryBlob.read; what cannot be looked into is read, and says why
        return True


def _parts(path: str) -> Iterator[str]:
    yield from (part for part in path.replace("\\", "/").split("/") if part not in ("", ".", ".."))
