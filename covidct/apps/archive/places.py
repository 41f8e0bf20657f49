"""Folders, here or in an object store, under one interface: pyarrow's filesystems.

Knows addresses: a path, or `scheme://...` as pyarrow reads it (file, s3, gs, hdfs) or else fsspec.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pyarrow import fs

from covidct.errors import ArchiveError

_SCHEME = re.compile(r"[a-z][a-z0-9+.-]+://")
_WEB = re.compile(r"https?://")


def is_address(text: str) -> bool:
    """Whether this names a place by `scheme://`, and not a path."""
    return _SCHEME.match(text) is not None


def is_web(text: str) -> bool:
    """Whether this is the address of a DICOMweb server."""
    return _WEB.match(text) is not None


@dataclass(frozen=True)
class Place:
    """A folder of a filesystem; `prefix` is what an address of a file in it begins with."""

    files: Any = field(repr=False)
    path: str
    prefix: str = ""

    def to_path(self, *names: str) -> str:
        """The path of a name in it, as its filesystem knows it."""
        return "/".join((self.path.rstrip("/"), *names))

    def list_files(self, *folder: str) -> list[str]:
        """Names of the files in a folder of it, sorted; none where it is not there. Raises OSError."""
        selector = fs.FileSelector(self.to_path(*folder), allow_not_found=True)
        found = self.files.get_file_info(selector)
        return sorted(info.base_name for info in found if info.type is fs.FileType.File)

    def walk(self) -> Iterator[fs.FileInfo]:
        """The files in it and below, folder by folder. Raises OSError."""
        waiting = [self.path]
        while waiting:
            found = self.files.get_file_info(fs.FileSelector(waiting.pop()))
            for info in sorted(found, key=lambda info: str(info.path)):
                if info.type is fs.FileType.Directory:
                    waiting.append(info.path)
                elif info.type is fs.FileType.File:
                    yield info

    def read(self, *names: str) -> bytes:
        """The bytes of a file in it. Raises OSError."""
        with self.files.open_input_stream(self.to_path(*names)) as stream:
            return bytes(stream.read())

    def write(self, data: bytes, *names: str) -> None:
        """Write a file beside and rename it, so that it is there whole or not at all. Raises OSError."""
        path = self.to_path(*names)
        try:
            self.files.create_dir(path.rpartition("/")[0], recursive=True)
            with self.files.open_output_stream(f"{path}.partial") as stream:
                stream.write(data)
            self.files.move(f"{path}.partial", path)
        except OSError as error:
            # pyarrow names no file where its message does.
            if error.filename is None:
                error.filename = path
            raise

    def delete(self, *names: str) -> None:
        """Delete a file in it, if it is there."""
        if self.files.get_file_info(self.to_path(*names)).type is fs.FileType.File:
            self.files.delete_file(self.to_path(*names))

    def delete_folder(self, *names: str) -> None:
        """Delete a folder in it with all that it holds, if it is there."""
        with suppress(FileNotFoundError):
            self.files.delete_dir(self.to_path(*names))


def open_place(address: str) -> Place:
    """The folder at a path or an address. Raises ArchiveError for an address that nobody knows."""
    if not is_address(address):
        return Place(fs.LocalFileSystem(), str(Path(address).absolute()))
    scheme = address.partition("://")[0]
    try:
        files, path = fs.FileSystem.from_uri(address)
    except (ValueError, OSError, NotImplementedError):
        files, path = _ask_fsspec(address)
    # What stands before the path in the address: `s3://`, `file://`, with user and host where it has them.
    end = address.rfind(path.rstrip("/")) if path.strip("/") else -1
    return Place(files, path, address[:end] if end > 0 else f"{scheme}://")


def _ask_fsspec(address: str) -> tuple[Any, str]:
    try:
        from fsspec.core import url_to_fs

        files, path = url_to_fs(address)
    except (ImportError, ValueError, OSError) as error:
        raise ArchiveError(
            f"{address}: cannot be opened ({error}); give a path, or an address that pyarrow or fsspec knows"
        ) from error
    return fs.PyFileSystem(fs.FSSpecHandler(files)), path
