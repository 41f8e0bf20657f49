"""A file of the archive, wherever it is stored -> a local blob; remote files go to a private folder.

A network that drops is not a damaged file: it is tried again, and then left for another run.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp
from types import TracebackType

from covidct.apps.archive.places import is_address, is_web, open_place
from covidct.errors import DicomwebError, SourceDropped
from covidct.images.blob import Blob, FailedBlob, FileBlob, MemoryBlob
from covidct.images.limits import MAX_BYTES
from covidct.images.scratch import open_scratch
from covidct.series.archive import Unpacked, open_archive
from covidct.series.sources import Candidate, peek

START = 1 << 16  # bytes that hold the header of nearly every slice
_PAUSES_S = (1.0, 4.0)
NO_MEMBER = -1


@dataclass(frozen=True)
class Spot:
    """Where one file of the archive lies: the `member`-th of the archive at `path`, or NO_MEMBER."""

    path: str
    member: int
    given: str


class Fetcher:
    """Opens files; those that it fetched are gone with it."""

    def __init__(self, *, pauses_s: tuple[float, ...] = _PAUSES_S):
        self._scratch = ExitStack()
        self._folder = self._scratch.enter_context(open_scratch())
        self._pauses_s = pauses_s
        self._fetched: dict[str, Blob] = {}
        self._opened: tuple[str, Unpacked] | None = None

    def __enter__(self) -> Fetcher:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._scratch.close()

    def read_start(self, path: str) -> Blob:
        """A file, or of one in an object store its first START bytes. Raises SourceDropped."""
        if not is_address(path):
            return FileBlob(Path(path), path)

        def read() -> Blob:
            place = open_place(path)
            with place.files.open_input_file(place.path) as stream:
                return MemoryBlob(path, bytes(stream.read(START)))

        return self._try(path, read)

    def fetch(self, path: str) -> Blob:
        """A whole file; reading it says what is wrong with it. Raises SourceDropped."""
        if not is_address(path):
            return FileBlob(Path(path), path)
        if path not in self._fetched:
            self._fetched[path] = self._try(path, lambda: self._copy(path))
        return self._fetched[path]

    def find(self, place: Spot) -> list[Candidate]:
        """What lies at a place: one file, or all instances of a study of a server. Raises SourceDropped."""
        if is_web(place.path):
            return self._fetch_study(place.path)
        blob = self.fetch(place.path)
        if place.member == NO_MEMBER:
            return [Candidate(blob, place.given)]
        entries = self.unpack(blob).entries
        if place.member >= len(entries):
            message = f"{place.path}: has fewer files than when it was listed; run the same command again"
            return [Candidate(FailedBlob(place.path, message), place.given)]
        entry, head = entries[place.member]
        # As `find_blobs` has it: an archive that was named itself is what was given.
        return [Candidate(entry, place.given, head)]

    def unpack(self, blob: Blob) -> Unpacked:
        """The files of an archive, of which the last is kept open."""
        if self._opened is None or self._opened[0] != blob.name:
            self._opened = (blob.name, open_archive(blob, peek(blob)))
        return self._opened[1]

    def _copy(self, path: str) -> Blob:
        place = open_place(path)
        target = self._folder / f"{len(self._fetched)}{Path(path).suffix}"
        with place.files.open_input_file(place.path) as source, target.open("wb") as copy:
            if source.size() > MAX_BYTES * 64:
                return FailedBlob(path, f"{path}: {source.size():,} bytes are too many; give single series")
            while piece := source.read(1 << 22):
                copy.write(piece)
        return FileBlob(target, path)

    def _try(self, path: str, read: Callable[[], Blob]) -> Blob:
        """What `read` gives; a blob that says so for what is missing or forbidden."""
        for pause_s in (*self._pauses_s, None):
            try:
                return read()
            except FileNotFoundError:
                return FailedBlob(path, f"{path}: no such file; check the address")
            except PermissionError:
                return FailedBlob(path, f"{path}: permission denied; change its permissions, or copy it")
            except OSError as error:
                if pause_s is None:
                    raise SourceDropped(
                        f"{path}: is not available now ({error}); check the network, then run it again"
                    ) from error
                time.sleep(pause_s)
        raise AssertionError("the last try returns or raises")

    def _fetch_study(self, address: str) -> list[Candidate]:
        from covidct.apps.pacs.dicomweb import Archive

        url, _, study = address.rpartition("/studies/")
        try:
            with Archive(url) as archive:
                # Not called as the study: its UID is a server's word, and could lead elsewhere.
                return archive.fetch(study, Path(mkdtemp(dir=self._folder)))
        except DicomwebError as error:
            raise SourceDropped(f"{address}: {error}; then run it again") from error
