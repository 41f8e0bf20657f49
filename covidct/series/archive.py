"""A ZIP or tar archive -> the files in it that may be slices, read one by one, never unpacked to disk.

Knows archives and their tricks: bombs, encryption, damage. Since nothing is written, a path in an archive is
a name and no more. Knows nothing of what is inside of files.
"""

from __future__ import annotations

import tarfile
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from io import BytesIO
from typing import BinaryIO

from covidct.errors import ReadError
from covidct.images.blob import Blob, FailedBlob, FileBlob, MemoryBlob
from covidct.images.file_type import ARCHIVES, HEAD, FileType, Head, sniff_head
from covidct.images.files import is_clutter, is_wanted, natural_key
from covidct.images.gunzip import GzipBlob, Marks
from covidct.images.library_errors import damage_as, read_or_none
from covidct.images.limits import check_bytes, check_growth

MAX_ENTRIES = 50_000
MAX_TOTAL = 16 * 1024**3  # bytes, unpacked; only one entry at a time is in memory
MAX_PACKED_TAR = 1024**3  # bytes of a tar within gzip, unpacked; packed it is in memory
_ENCRYPTED = 0x1


@dataclass(frozen=True)
class Unpacked:
    """What an archive holds: `entries` to read, with how each begins; `skipped` names were skipped."""

    entries: tuple[tuple[Blob, Head], ...]
    skipped: tuple[str, ...] = ()

    @property
    def blobs(self) -> tuple[Blob, ...]:
        """The entries alone."""
        return tuple(blob for blob, _ in self.entries)


@dataclass(frozen=True)
class EntryBlob:
    """A file in a ZIP archive; `name` is the archive's, a slash and the path in it."""

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
        with damage_as(
            lambda cause: ReadError(f"{self.name}: damaged in the archive ({cause}); make the archive again")
        ):
            # `read` stops at the size that the entry declares, whatever the data would become.
            return self.archive.read(self.entry)


@dataclass(frozen=True)
class TarBlob:
    """A file in a tar archive: `size` bytes of `archive` from `start` on."""

    name: str
    archive: Blob = field(repr=False)
    start: int
    size: int

    def open(self) -> BinaryIO:
        """The file as a stream. Raises ReadError."""
        return BytesIO(self.read())

    def read(self) -> bytes:
        """The whole file. Raises ReadError where it is empty, too large or cut off."""
        check_bytes(self.size, name=self.name)
        data = self.read_start(self.size)
        if len(data) < self.size:
            raise ReadError(f"{self.name}: cut off in the archive; make the archive again")
        return data

    def read_start(self, size: int) -> bytes:
        """The first bytes, at most `size`. Raises ReadError."""
        try:
            with self.archive.open() as stream:
                stream.seek(self.start)
                return stream.read(min(size, self.size))
        except OSError as error:
            raise ReadError(f"{self.name}: the archive cannot be read ({error}); copy it again") from error


def open_archive(blob: Blob, head: Head | None = None) -> Unpacked:
    """List the files of an archive that may be slices, in natural order.

    As in a folder, files are recognised by their ending or first bytes; `head` says what the archive is. One
    that cannot be read, is empty, has too many entries or is too large unpacked gives one blob, which says so
    when it is read.
    """
    try:
        head = head or sniff_head(blob.read())
        files = _list_tar(blob, head) if head.type is FileType.TAR else _list_zip(blob)
        _check_bounds(blob.name, files, packed=blob.size)
    except ReadError as error:
        return Unpacked(((FailedBlob(blob.name, str(error)), Head(FileType.UNKNOWN)),))
    return _sort(files)


def _list_zip(blob: Blob) -> list[tuple[str, EntryBlob]]:
    with damage_as(lambda cause: ReadError(f"{blob.name}: a damaged ZIP archive ({cause}); make it again")):
        # A path, not a stream, where there is one: the archive is then closed with the last blob of it.
        archive = zipfile.ZipFile(blob.path if isinstance(blob, FileBlob) else BytesIO(blob.read()))
    # (`is_dir` fails where a file has no name.)
    entries = [entry for entry in archive.infolist() if not entry.filename.endswith("/")]
    named = ((entry.filename, entry) for entry in entries)
    return [(path, EntryBlob(f"{blob.name}/{path}", archive, entry)) for path, entry in named]


def _list_tar(blob: Blob, head: Head) -> list[tuple[str, TarBlob]]:
    """Files of a tar archive; one within gzip is unpacked as far as it is read, once to list it."""
    if head.is_packed:
        blob = GzipBlob(MemoryBlob(blob.name, blob.read()), MAX_PACKED_TAR, Marks())
    files: list[tuple[str, TarBlob]] = []
    try:
        with blob.open() as stream, tarfile.open(fileobj=stream, mode="r:") as archive:
            # One by one: a list of all would be made before it could be called too long.
            for entry in archive:
                if entry.size < 0:
                    raise tarfile.HeaderError(f"a file of {entry.size} bytes")
                if entry.isreg() and not entry.issparse():
                    name = f"{blob.name}/{entry.name}"
                    files.append((entry.name, TarBlob(name, blob, entry.offset_data, entry.size)))
                if len(files) > MAX_ENTRIES:
                    break
    except (tarfile.TarError, OSError, ValueError, EOFError) as error:
        raise ReadError(f"{blob.name}: a damaged tar archive ({error}); make it again") from error
    return files


def _check_bounds(name: str, files: Iterable[tuple[str, Blob]], *, packed: int) -> None:
    """Raise ReadError for an archive that is empty or holds too much."""
    sizes = [blob.size for _, blob in files]
    if not sizes:
        raise ReadError(f"{name}: the archive is empty; make it again")
    if len(sizes) > MAX_ENTRIES:
        raise ReadError(f"{name}: {len(sizes):,} files in an archive, but at most {MAX_ENTRIES:,} are read")
    if (total := sum(sizes)) > MAX_TOTAL:
        raise ReadError(
            f"{name}: {total:,} bytes unpacked, but at most {MAX_TOTAL:,} are read; give single series"
        )
    check_growth(total, packed, name=name)


def _sort(files: Iterable[tuple[str, EntryBlob | TarBlob]]) -> Unpacked:
    wanted: list[tuple[Blob, Head]] = []
    skipped: list[str] = []
    for path, blob in sorted(files, key=lambda file: (natural_key(file[0]), file[0])):
        head = _peek(blob)
        is_passed_over = any(is_clutter(part) for part in _parts(path))
        if not is_passed_over and (head is None or is_wanted(path, head)):
            wanted.append(_name_nested(blob, head or Head(FileType.UNKNOWN)))
        else:
            skipped.append(blob.name)
    return Unpacked(tuple(wanted), tuple(skipped))


def _peek(blob: EntryBlob | TarBlob) -> Head | None:
    """How an entry begins; None for what cannot be looked into, which is read, and says why."""
    return read_or_none(lambda: sniff_head(_read_start(blob)))


def _read_start(blob: EntryBlob | TarBlob) -> bytes:
    if isinstance(blob, TarBlob):
        return blob.read_start(HEAD)
    with blob.archive.open(blob.entry) as stream:
        return stream.read(HEAD)


def _name_nested(blob: Blob, head: Head) -> tuple[Blob, Head]:
    """An entry as it is, but for an archive within the archive, which is not opened."""
    if head.type not in ARCHIVES:
        return blob, head
    what = f"{blob.name}: a {head.type} archive in an archive; unpack the outer one, and give the folder"
    return FailedBlob(blob.name, what), head


def _parts(path: str) -> Iterator[str]:
    yield from (part for part in path.replace("\\", "/").split("/") if part not in ("", ".", ".."))
