"""A private folder to work in: removed afterwards, and after a kill when the next one is opened beside it.

Each is held by a lock that the system lets go of however a process ends: what nobody holds was left behind.
"""

from __future__ import annotations

import os
import shutil
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory, gettempdir

from covidct.images.files import lock

PREFIX, LOCK = ".covidct-", "lock"
YOUNG_S = 60.0  # one so young may not be locked yet


@contextmanager
def open_scratch(place: Path | None = None) -> Iterator[Path]:
    """A hidden folder that only this user may look into, in `place`, by default that for temporary files.

    What is made in it may be renamed into `place`, as both are on one disk. Raises OSError where none can be
    made.
    """
    home = place or Path(gettempdir())
    for left in find_left(home):
        shutil.rmtree(left, ignore_errors=True)
    # A disk that has become read-only lets nothing go: the next one does it then, and the first error counts.
    with TemporaryDirectory(prefix=PREFIX, dir=home, ignore_cleanup_errors=True) as name:
        held = _lock_anew(Path(name))
        try:
            files = Path(name) / "files"
            files.mkdir()
            yield files
        except OSError as error:
            if place and error.errno and error.filename is None:  # of a full disk the system names no file
                error.filename = str(place)
            raise
        finally:
            if held is not None:
                os.close(held)


def find_left(place: Path, now: float | None = None) -> list[Path]:
    """Folders of this user in `place` that a killed process left; `now` is in seconds, as of `time.time`."""
    now = time.time() if now is None else now
    return [path for path in place.glob(f"{PREFIX}*") if _is_left(path, now)]


def _is_left(path: Path, now: float) -> bool:
    with suppress(OSError):
        status = path.lstat()
        # No link: it would lead to another folder. Nor anything on Windows, which has no such locks.
        is_ours = hasattr(os, "getuid") and stat.S_ISDIR(status.st_mode) and status.st_uid == os.getuid()
        if not is_ours:
            return False
        if not (path / LOCK).exists():
            return now - status.st_mtime > YOUNG_S
        if (held := _hold(path / LOCK)) is not None:
            os.close(held)
            return True
    return False


def _lock_anew(folder: Path) -> int | None:
    """Lock a folder by a file in it, which is never there without being locked."""
    held = _hold(folder / f"{LOCK}.new")
    if held is not None:
        (folder / f"{LOCK}.new").rename(folder / LOCK)
    return held


def _hold(path: Path) -> int | None:
    """Lock a file; None where another process has it, or where there are no such locks."""
    try:
        return lock(path)
    except BlockingIOError:
        return None
