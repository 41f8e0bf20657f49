"""Folders, here or in an object store, under one interface: pyarrow's filesystems.

Knows addresses: a path, or `scheme://...` for pyarrow (file, s3, gs, hdfs) or else fsspec. What follows the
bucket or host is taken as it stands, whatever letters it has: names of files in a store are not escaped.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from pyarrow import fs

from covidct.errors import ArchiveError

_SCHEME = re.compile(r"[a-z][a-z0-9+.-]+://")
_ROOT = re.compile(r"[a-z][a-z0-9+.-]+://[^/]*")
_WEB = re.compile(r"https?://")
_STORES = ("s3", "gcs", "abfs")  # which know no folders, and take an object whole or not at all
_OPTIONS = re.compile(r"[?&](region|scheme|endpoint_override|access_key|secret_key)=")


def is_address(text: str) -> bool:
    """Whether this names a place by `scheme://`, and not a path."""
    return _SCHEME.match(text) is not None


def is_web(text: str) -> bool:
    """Whether this is the address of a DICOMweb server."""
    return _WEB.match(text) is not None


@dataclass(frozen=True)
class Place:
    """A folder of a filesystem; an address in it is `root`, and a path without `root_path` before it."""

    files: Any = field(repr=False)
    path: str
    root: str = ""
    root_path: str = ""

    def to_address(self, path: str) -> str:
        """The address of a file in it, of its path."""
        return self.root + path.removeprefix(self.root_path)

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
        """Write a file, so that it is there whole or not at all: beside, and renamed. Raises OSError."""
        path = self.to_path(*names)
        is_store = self.files.type_name in _STORES
        written = path if is_store else f"{path}.partial"
        try:
            if not is_store:
                self.files.create_dir(path.rpartition("/")[0], recursive=True)
            with self.files.open_output_stream(written) as stream:
                stream.write(data)
            if not is_store:
                self.files.move(written, path)
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
    """The folder at a path or an address. Raises ArchiveError for an address that nobody knows, OSError."""
    if not is_address(address):
        return Place(fs.LocalFileSystem(), str(Path(address).absolute()))
    match = _ROOT.match(address)
    root = match.group() if match else address
    if ":" in root.rpartition("@")[0].partition("://")[2] or _OPTIONS.search(address):
        raise ArchiveError(
            f"{address.partition('://')[0]}://...: no keys or options in an address, as the table shows it; "
            "set AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_ENDPOINT_URL and so on"
        )
    files, root_path = _open_root(root)
    return Place(files, root_path + address.removeprefix(root), root, root_path)


@cache
def _open_root(root: str) -> tuple[Any, str]:
    """The filesystem of a bucket or host, opened once a process, and the bucket's path in it."""
    try:
        files, path = fs.FileSystem.from_uri(root if root.partition("://")[2] else f"{root}/")
    except (ValueError, NotImplementedError):
        files, path = _ask_fsspec(root)
    return files, path.rstrip("/")


def _ask_fsspec(address: str) -> tuple[Any, str]:
    try:
        from fsspec.core import url_to_fs

        files, path = url_to_fs(address)
    except (ImportError, ValueError, OSError) as error:
        raise ArchiveError(
            f"{address}: cannot be opened ({error}); give a path, or an address that pyarrow or fsspec knows"
        ) from error
    return fs.PyFileSystem(fs.FSSpecHandler(files)), path
