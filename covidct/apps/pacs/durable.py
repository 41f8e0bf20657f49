"""Files that survive a power cut: written beside, synced, renamed. Knows nothing of what is in them."""

from __future__ import annotations

import os
from pathlib import Path

PARTIAL = ".partial"  # ends the name of what is not whole yet, or about to go


def write_durably(path: Path, data: bytes) -> None:
    """Write beside, sync, rename, sync the folder: after a power cut the old file or the new one is there."""
    partial = path.with_name(f"{path.name}{PARTIAL}")
    try:
        with partial.open("wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        partial.replace(path)
    except OSError:
        partial.unlink(missing_ok=True)
        raise
    sync(path.parent)


def sync(folder: Path) -> None:
    """Have the names in a folder on the disk."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
