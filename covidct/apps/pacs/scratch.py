"""A private folder for what is fetched: removed afterwards, and after a kill when the next one is opened.

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

PREFIX, LOCK = "covidct-fetched-", "lock"
YOUNG_S = 60.0  # one so young may not be locked yet


@contextmanager
def open_scratch() -> Iterator[Path]:
    """A folder that only this user may look into. Raises OSError where none can be made."""
    for left in find_left():
        shutil.rmtree(left, ignore_errors=True)
    with TemporaryDirectory(prefix=PREFIX) as name:
        held = _hold(Path(name) / LOCK)
        try:
            files = Path(name) / "files"
            files.mkdir()
            yield files
        finally:
            if held is not None:
                os.close(held)


def find_left(now: float | None = None) -> list[Path]:
    """Folders of this user that a killed process left; `now` is in seconds, as `time.time` gives it."""
    now = time.time() if now is None else now
    return [path for path in Path(gettempdir()).glob(f"{PREFIX}*") if _is_left(path, now)]


def _is_left(path: Path, now: float) -> bool:
    with suppress(OSError):
        status = path.lstat()
        # No link: it would lead to another folder.
        is_ours = stat.S_ISDIR(status.st_mode) and status.st_uid == os.getuid()
        if is_ours and now - status.st_mtime > YOUNG_S and (held := _hold(path / LOCK)) is not None:
            os.close(held)
            return True
    return False


def _hold(path: Path) -> int | None:
    """Lock a file; None where another process has it, or where the system has no such locks (Windows)."""
    try:
        import fcntl
    except ImportError:
        return None
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        return None
    return handle
