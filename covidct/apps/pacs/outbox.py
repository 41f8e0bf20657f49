"""The outbox: reports on their way to the peer, each a folder that is there whole or not at all.

Knows which files go first, and whether the peer may have one of them already. Knows nothing of what is in
them.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Lock
from time import time_ns

from covidct.apps.pacs.durable import PARTIAL, sync, write_durably

ORDER = ("sr.dcm", "sc.dcm")
RECORD = "record.json"
BEGUN = "begun"


@dataclass(frozen=True)
class Parcel:
    """A report on its way: its folder in the outbox and the files in it that are still to be sent.

    `begun` says that the peer may have it, or a part of it.
    """

    folder: Path
    key: str
    files: tuple[Path, ...]
    begun: bool = False


class Outbox:
    """Parcels in a folder; they are sent by one thread and posted by another."""

    def __init__(self, folder: Path):
        self._folder = folder
        self._lock = Lock()
        self._leaving: Path | None = None
        # What the peer has, though the disk did not let go of it: a read-only one. It is not sent again.
        self._taken: set[Path] = set()

    def post(self, key: str, files: Mapping[str, bytes], record: bytes) -> Path:
        """Put a report with its record into the outbox, whole or not at all. Raises OSError."""
        folder = self._folder / f"{key}-{time_ns()}"
        partial = folder.with_name(f"{folder.name}{PARTIAL}")
        try:
            partial.mkdir(mode=0o700)
            for name, data in {**files, RECORD: record}.items():
                write_durably(partial / name, data)
            partial.rename(folder)
        except OSError:
            shutil.rmtree(partial, ignore_errors=True)
            raise
        sync(self._folder)
        return folder

    def parcels(self) -> list[Parcel]:
        """All that lie here, oldest first; one without files was sent in this moment."""
        for path in list(self._taken):
            self._remove(path)
        folders = [path for path in self._folder.iterdir() if path.is_dir() and path.suffix != PARTIAL]
        parcels = [_read(path) for path in sorted(folders, key=lambda path: path.name.partition("-")[2])]
        return [replace(one, files=tuple(f for f in one.files if f not in self._taken)) for one in parcels]

    def begin(self, parcel: Parcel) -> bool:
        """Note that a report is about to be sent; False where it has been withdrawn."""
        with self._lock:
            if not parcel.folder.exists():
                return False
            self._leaving = parcel.folder
            with suppress(OSError):  # a full disk must not hold up reports, whose going makes room
                (parcel.folder / BEGUN).touch(mode=0o600)
            return True

    def end(self, parcel: Parcel, *, reached: bool) -> None:
        """Note that a try is over, and whether the peer may have something of the report by it."""
        with self._lock:
            self._leaving = None
            if not (reached or parcel.begun):
                (parcel.folder / BEGUN).unlink(missing_ok=True)

    def sent(self, parcel: Parcel, path: Path) -> None:
        """Note that the peer has a file; the parcel goes with its last one, once its record is noted."""
        self._taken.add(path)
        self._remove(path)

    def _remove(self, path: Path) -> None:
        """Remove a file that the peer has; where that fails it is tried again."""
        with suppress(OSError):
            path.unlink(missing_ok=True)
            self._taken.discard(path)
            _tidy(path.parent)

    def noted(self, folder: Path) -> None:
        """Note that the record of a parcel is kept elsewhere; the parcel goes where it was sent already."""
        (folder / RECORD).unlink(missing_ok=True)
        _tidy(folder)

    def withdraw(self, key: str) -> int:
        """Take back the reports of a series of which the peer has nothing; how many there were."""
        with self._lock:
            waiting = [one for one in self.parcels() if one.key == key and one.files and not one.begun]
            withdrawn = [one.folder for one in waiting if one.folder != self._leaving]
            for folder in withdrawn:
                partial = folder.with_name(f"{folder.name}{PARTIAL}")
                folder.rename(partial)
                shutil.rmtree(partial)
            return len(withdrawn)


def _tidy(folder: Path) -> None:
    """Remove a parcel that holds nothing any more that somebody must see to."""
    if not _read(folder).files and not (folder / RECORD).exists():
        shutil.rmtree(folder, ignore_errors=True)  # the other thread may be at it in this moment, too


def _read(folder: Path) -> Parcel:
    try:
        files = tuple(sorted(folder.glob("*.dcm"), key=_to_turn))
    except FileNotFoundError:  # sent by the other thread in this moment
        files = ()
    return Parcel(folder, folder.name.partition("-")[0], files, begun=(folder / BEGUN).exists())


def _to_turn(path: Path) -> tuple[int, str]:
    """The report goes first, then its picture, then what fewer archives take."""
    return (ORDER.index(path.name) if path.name in ORDER else len(ORDER), path.name)
