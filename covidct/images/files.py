"""Folders -> the files in them that may be slices, in an order people expect; files -> bytes.

Knows names and endings. Knows nothing of what is inside a file but how it begins: a listed file may still
turn out unreadable, and gets its own error when it is read.
"""

from __future__ import annotations

import codecs
import os
import re
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from covidct.errors import ReadError
from covidct.images.file_type import ARCHIVES, DICOM, HEAD, VOLUMES, FileType, Head, sniff_head
from covidct.images.limits import check_bytes

ENDINGS = frozenset(
    (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp", ".gif", ".dcm", ".dicom", ".ima")
)
VOLUME_ENDINGS = (".nii", ".nii.gz", ".mha", ".mhd", ".nrrd", ".nhdr", ".npy")

# What lies beside slices and is none: nobody misses it where it is not read.
DOCUMENT_ENDINGS = frozenset(
    (
        ".md",
        ".txt",
        ".rst",
        ".pdf",
        ".html",
        ".json",
        ".jsonl",
        ".csv",
        ".tsv",
        ".xml",
        ".yaml",
        ".yml",
        ".ipynb",
    )
)
DOCUMENT_NAMES = frozenset(("readme", "license", "licence", "copying", "notice", "changelog"))

# What evidence overlays are called, so that a second run over a folder does not take them for slices.
OVERLAY_ENDING = ".heatmap.png"


@dataclass(frozen=True)
class Found:
    """What a search found: `paths` to read, `skipped` to count, both in natural order.

    A folder that is hidden, `__MACOSX`, unreadable or seen before is one entry of `skipped`.
    """

    paths: tuple[Path, ...]
    skipped: tuple[Path, ...] = ()


def find_slices(path: Path) -> Found:
    """List the files at `path` that may be slices; volumes and archives are not.

    A folder is searched with all its subfolders: files with a known ending are listed, others only if they
    begin like DICOM. Any other path is listed as it is, even a missing one or an unreadable folder, so that
    reading it reports the problem. Names keep the given form in pathlib's spelling: `a/b` gives `a/b/x.png`,
    and `.` gives `x.png`.
    """
    if not is_folder(path):
        return Found((path,))
    paths: list[Path] = []
    skipped: list[Path] = []
    for entry, is_file in walk(path):
        wanted = is_file and (has_known_ending(entry.name) or sniff_file(entry).type in DICOM)
        (paths if wanted else skipped).append(entry)
    return Found(tuple(paths), tuple(skipped))


def is_folder(path: Path) -> bool:
    """Whether a path is a folder that may be listed."""
    return os.path.isdir(path) and os.access(path, os.R_OK | os.X_OK)


def is_wanted(name: str, head: Head) -> bool:
    """Whether a file in a folder or an archive may hold slices, by its name and first bytes."""
    if has_known_ending(name) or name.lower().endswith(VOLUME_ENDINGS):
        return True
    if head.type is FileType.ZIP:  # documents of offices are archives, too
        return name.lower().endswith((".zip", ".npz"))
    return head.type in DICOM | ARCHIVES | VOLUMES


def has_known_ending(name: str) -> bool:
    """Whether a name ends as those of slices do."""
    return os.path.splitext(name)[1].lower() in ENDINGS


def read_bytes(path: Path, *, name: str) -> bytes:
    """Read a whole regular file; `name` is what errors call it.

    Raises ReadError for what is missing, forbidden, empty, too large, a folder, a pipe or a device.
    """
    try:
        status = path.stat()
        # Before opening: to open a pipe, or to read a device, can wait for ever.
        _check_is_regular(status.st_mode, name)
        check_bytes(status.st_size, name=name)
        return path.read_bytes()
    except FileNotFoundError as error:
        raise ReadError(f"{name}: no such file; check the path") from error
    except PermissionError as error:
        raise ReadError(f"{name}: permission denied; change its permissions, or copy it") from error
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        raise ReadError(f"{name}: cannot be read ({error}); check the path and the disk") from error


def write_beside(path: Path, write: Callable[[Path], object]) -> None:
    """Have `write` fill a neighbouring file, then rename it: `path` is never half-written, nor is aught left.

    Raises OSError, which names `path` where the system names no file, as for a full disk.
    """
    partial = path.with_name(f"{path.name}.partial")
    try:
        write(partial)
        partial.replace(path)
    except BaseException as error:
        partial.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.errno and error.filename is None:
            error.filename = str(path)
        raise


@contextmanager
def hold_lock(path: Path, *, busy: Exception) -> Iterator[None]:
    """Hold the lock of a file or folder meanwhile. Raises `busy` where another process has it, or OSError."""
    try:
        held = lock(path)
    except BlockingIOError:
        raise busy from None
    try:
        yield
    finally:
        if held is not None:
            os.close(held)


def lock(path: Path) -> int | None:
    """Lock a folder or a file, made where there is none: a handle, closed however the process ends.

    None where there are no such locks (Windows, some shares). Raises BlockingIOError where another process
    has it, and OSError where it cannot be opened.
    """
    try:
        import fcntl
    except ImportError:
        return None
    handle = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(handle)
        if isinstance(error, BlockingIOError):
            raise
        return None
    return handle


def _check_is_regular(mode: int, name: str) -> None:
    if stat.S_ISDIR(mode):
        raise ReadError(
            f"{name}: a folder, not a file; give the files in it, and check that it may be listed"
        )
    if not stat.S_ISREG(mode):
        raise ReadError(
            f"{name}: not a regular file but a pipe, a socket or a device; write it to a file first"
        )


def is_document(name: str) -> bool:
    """Whether a name, with or without folders, is that of a text, a table or a licence."""
    path = Path(name)
    return path.suffix.casefold() in DOCUMENT_ENDINGS or path.name.casefold() in DOCUMENT_NAMES


def natural_key(name: str) -> tuple[tuple[int, int, str], ...]:
    """Give the key that sorts `slice2` before `slice10`, whatever the case."""
    parts = re.split(r"([0-9]+)", name.casefold())
    return tuple((0, int(part), "") if part.isdecimal() else (1, 0, part) for part in parts if part)


def walk(top: Path) -> Iterator[tuple[Path, bool]]:
    """Yield (entry, whether it is a file to look at) below `top`, in natural order.

    Each real folder is entered once, since links may loop. Clutter, pipes, devices and folders that may not
    be listed are no files to look at: opening them can wait for ever.
    """
    seen: set[tuple[int, int]] = set()
    waiting = _entries(top, seen=seen) or []
    while waiting:
        entry = waiting.pop()
        if is_clutter(entry.name):
            yield entry, False
        elif not os.path.isdir(entry):
            yield entry, os.path.isfile(entry)
        elif (entries := _entries(entry, seen=seen)) is None:
            yield entry, False
        else:
            waiting += entries


def _entries(folder: Path, *, seen: set[tuple[int, int]]) -> list[Path] | None:
    """List a folder, last name first; None where it may not be read or is in `seen`, to which it is added."""
    try:
        status = folder.stat()
        entries = list(folder.iterdir())
    except OSError:
        return None
    if (identity := (status.st_dev, status.st_ino)) in seen:
        return None
    seen.add(identity)
    return sorted(entries, key=lambda entry: (natural_key(entry.name), entry.name), reverse=True)


def is_clutter(name: str) -> bool:
    """Whether a name in a folder is skipped whatever is in it."""
    # DICOMDIR is DICOM, and has the magic, but is a table of contents. Overlays are our own pictures.
    is_ours = name.endswith(OVERLAY_ENDING)
    return name.startswith(".") or is_ours or name.upper() == "__MACOSX" or is_contents(name)


def is_contents(name: str) -> bool:
    """Whether a file is called as a medium's table of contents (PS3.10 8.6): `DICOMDIR`, `dicomdir.;1`."""
    return name.upper().partition(";")[0].rstrip(".") in ("DICOMDIR", "DICOMDIR.DCM")


def parse_list(data: bytes) -> list[str]:
    """The names in a list, one a line; with a byte order mark or in UTF-16, as PowerShell pipes text.

    File names need not be valid text: invalid bytes are preserved, as by `os.fsdecode`.
    """
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        data = os.fsencode(data.decode("utf-16", errors="replace"))
    lines = data.removeprefix(codecs.BOM_UTF8).splitlines()
    return [os.fsdecode(line) for line in lines if line.strip()]


def sniff_file(file: Path) -> Head:
    """What a regular file is; unknown where it cannot be read."""
    try:
        with file.open("rb") as stream:
            return sniff_head(stream.read(HEAD))
    except OSError:
        return Head(FileType.UNKNOWN)
