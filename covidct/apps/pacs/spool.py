"""The spool of the node: what was received and what is to be sent, safe on disk.

    SPOOL/lock                   held by the one node that works here
    SPOOL/series/KEY/UID.dcm     received instances; KEY stands for a SeriesInstanceUID
    SPOOL/outbox/KEY-NUMBER/     a report on its way to the peer, with `record.json` until that is noted, and
                                 `begun` where the peer may have some of it
    SPOOL/done/KEY.json          the last record of a series: which instances the report was made of
    SPOOL/failed/...             what could not be answered or delivered, for people to look at

Files are written beside, synced and renamed, folders of reports are filled beside and renamed: whatever
moment the power goes, an acknowledged instance is there and a report is there whole or not at all. Knows
nothing of DICOM, networks or models.
"""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Mapping
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from threading import Lock
from types import TracebackType

from covidct.apps.pacs.durable import PARTIAL, sync, write_durably
from covidct.apps.pacs.outbox import BEGUN, RECORD, Outbox, Parcel
from covidct.apps.pacs.record import Record, read_record, to_json, to_stamp
from covidct.errors import NodeError
from covidct.images.files import lock

ATTEMPTS = "attempts"
KEEP_S = 3600.0  # how long an answered series stays, so that late instances find the rest of it
REMEMBER_S = 30 * 86400.0


def to_key(series_uid: str) -> str:
    """A name for a series that reveals nothing about it: for folders and for the log."""
    return sha256(series_uid.encode()).hexdigest()[:16]


class Spool:
    """A folder that survives kill -9 and a full disk; used by one node at a time.

    `reserve` is how many bytes stay free for reports: below it no instance is taken. Readable by its owner
    only, as it holds patients' images.
    """

    def __init__(self, folder: Path, *, reserve: int = 0):
        """Raises NodeError where the folder cannot be used or another node uses it."""
        self._folder = folder
        self._reserve = reserve
        # An instance must not come into a series that is being removed.
        self._moving = Lock()
        self.series, self.outbox = folder / "series", folder / "outbox"
        self.done, self.failed = folder / "done", folder / "failed"
        self.leaving = Outbox(self.outbox)
        try:
            for place in (folder, self.series, self.outbox, self.done, self.failed):
                place.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._held = _lock(folder / "lock")
        except OSError as error:
            raise NodeError(f"{folder}: cannot hold a spool ({error}); give another folder") from error
        self._recover()

    def __enter__(self) -> Spool:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._held)

    def keep(self, key: str, uid: str, data: bytes) -> None:
        """Put an instance on the disk, for good when this returns. Raises OSError where it did not fit."""
        self._check_room(len(data))
        folder = self.series / key
        with self._moving:
            folder.mkdir(mode=0o700, exist_ok=True)
            write_durably(folder / f"{uid}.dcm", data)
            sync(self.series)

    def instances(self, key: str) -> tuple[Path, ...]:
        """The files of a series, by name."""
        return tuple(sorted((self.series / key).glob("*.dcm")))

    def record(self, key: str) -> Record | None:
        """What the last report of a series was made of; None where there was none."""
        return read_record(self.done / f"{key}.json")

    def is_answered(self, key: str, *, model: str) -> bool:
        """Whether the last report, by this model, was made of the very files that are here."""
        last = self.record(key)
        if last is None or last.model != model:
            return False
        stamps = {uid: content.stamp for uid, content in last.instances.items()}
        return all(stamps.get(path.stem) == to_stamp(path) for path in self.instances(key))

    def unanswered(self, *, model: str) -> list[str]:
        """Keys of the series that wait for an answer, such as those an earlier node left behind."""
        keys = sorted(folder.name for folder in self.series.iterdir() if self.instances(folder.name))
        return [key for key in keys if not self.is_answered(key, model=model)]

    def count_attempt(self, key: str) -> int:
        """Note, before an answer is tried, that it is; gives how often it was, before crashes too."""
        path = self.series / key / ATTEMPTS
        tried = int(path.read_text()) + 1 if path.exists() else 1
        write_durably(path, str(tried).encode())
        return tried

    def forget_attempts(self, key: str) -> None:
        """Begin to count anew: what failed was not the series' fault."""
        (self.series / key / ATTEMPTS).unlink(missing_ok=True)

    def post(self, key: str, files: Mapping[str, bytes], record: Record) -> None:
        """Put a report into the outbox, whole or not at all, and remember what it was made of.

        Without files it is only remembered.
        """
        if not files:
            self.remember(key, record)
            return
        parcel = self.leaving.post(key, files, to_json(record))
        self.remember(key, record)
        self.leaving.noted(parcel)  # an older parcel must not be taken for the last one

    def note_reports(self, key: str | None = None) -> None:
        """Remember what reports in the outbox were made of, of one series or of all, where that is not noted.

        It is not where a node was killed, or had no room for it. Raises OSError.
        """
        for parcel in self.leaving.parcels():
            if key in (None, parcel.key) and (record := read_record(parcel.folder / RECORD)):
                self.remember(parcel.key, record)
                self.leaving.noted(parcel.folder)

    def remember(self, key: str, record: Record) -> None:
        """Note what the last report of a series was made of. Raises OSError."""
        write_durably(self.done / f"{key}.json", to_json(record))
        self.forget_attempts(key)

    def withdraw(self, key: str) -> bool:
        """Take back the last report of a series where the peer has nothing of it; whether it was.

        The record then names the report before that one, which is what a new one replaces. Raises OSError.
        """
        last = self.record(key)
        if last is None or not self.leaving.withdraw(key):
            return False
        self.remember(key, replace(last, report=last.replaces, replaces={}))
        return True

    def parcels(self) -> list[Parcel]:
        """What is still to be sent, oldest first."""
        return [parcel for parcel in self.leaving.parcels() if parcel.files]

    def set_aside(self, folder: Path) -> None:
        """Move a series or a parcel to `failed`; earlier files of other names stay there."""
        target = self.failed / folder.name
        target.mkdir(mode=0o700, exist_ok=True)
        for mark in (ATTEMPTS, BEGUN):  # who moves it back means it to be tried anew
            (folder / mark).unlink(missing_ok=True)
        with self._moving:
            for path in folder.iterdir():
                path.replace(target / path.name)
            folder.rmdir()

    def sweep(self, *, model: str, now: float) -> None:
        """Remove answered series after an hour, at once where room is short, and records after thirty days.

        `now` is in seconds since the epoch.
        """
        hurry = self._is_short(0)
        for folder in list(self.series.iterdir()):
            old = now - folder.stat().st_mtime > KEEP_S
            with self._moving:
                if (hurry or old) and self.is_answered(folder.name, model=model):
                    shutil.rmtree(folder)
        for path in self.done.glob("*.json"):
            if now - path.stat().st_mtime > REMEMBER_S:
                path.unlink()

    def write_beside(self, name: str, text: str) -> None:
        """Write a small file into the spool's own folder."""
        partial = self._folder / f"{name}{PARTIAL}"
        partial.write_text(text, encoding="utf-8")
        partial.replace(self._folder / name)

    def _recover(self) -> None:
        """Clear what a killed node left half-written, and note reports that it had no time to note."""
        for partial in [*self.outbox.glob(f"*{PARTIAL}"), *self._folder.rglob(f"*{PARTIAL}")]:
            shutil.rmtree(partial) if partial.is_dir() else partial.unlink(missing_ok=True)
        self.note_reports()
        for parcel in self.leaving.parcels():
            if not parcel.files:  # sent, and the folder was about to go
                shutil.rmtree(parcel.folder)

    def _check_room(self, size: int) -> None:
        if self._is_short(size):
            raise OSError(errno.ENOSPC, "less than the reserve is free", str(self._folder))

    def _is_short(self, size: int) -> bool:
        return shutil.disk_usage(self._folder).free - size < self._reserve


def _lock(path: Path) -> int:
    """Hold the spool's lock, which the system lets go of when the process ends, however it does."""
    try:
        handle = lock(path)
    except BlockingIOError as error:
        raise NodeError(
            f"{path.parent}: another node works in this spool; stop it, or give another folder"
        ) from error
    if handle is None:
        raise NodeError(
            f"{path.parent}: no file can be locked there, as on Windows and some shares; give another folder"
        )
    return handle
