"""Bytes with a name, which can be opened again and again: a file, an upload, an entry of an archive.

Knows names, sizes and streams. Knows nothing of what is inside.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import BinaryIO, Protocol

from covidct.errors import ReadError
from covidct.images.files import read_bytes


class Blob(Protocol):
    """Bytes with a name; `name` is what errors and results call it."""

    @property
    def name(self) -> str:
        """What errors and results call it."""

    @property
    def size(self) -> int:
        """Its bytes, counted without reading them; 0 for what could not be opened. Raises OSError."""

    def open(self) -> BinaryIO:
        """A new stream at the first byte. Raises ReadError or OSError."""

    def read(self) -> bytes:
        """All of it. Raises ReadError for what is empty, too large or cannot be read."""


@dataclass(frozen=True)
class FileBlob:
    """A file on disk."""

    path: Path
    name: str

    @property
    def size(self) -> int:
        """Bytes on disk. Raises OSError."""
        return self.path.stat().st_size

    def open(self) -> BinaryIO:
        """The file, opened for reading. Raises OSError."""
        return self.path.open("rb")

    def read(self) -> bytes:
        """The whole regular file; see `files.read_bytes`."""
        return read_bytes(self.path, name=self.name)


@dataclass(frozen=True)
class MemoryBlob:
    """Bytes in memory, such as an upload."""

    name: str
    data: bytes = field(repr=False)

    @property
    def size(self) -> int:
        """Bytes in memory."""
        return len(self.data)

    def open(self) -> BinaryIO:
        """The bytes as a stream."""
        return BytesIO(self.data)

    def read(self) -> bytes:
        """The bytes."""
        return self.data


@dataclass(frozen=True)
class FailedBlob:
    """What could not be opened; reading it says why."""

    name: str
    message: str

    @property
    def size(self) -> int:
        """None were read."""
        return 0

    def open(self) -> BinaryIO:
        """Raises ReadError."""
        raise ReadError(self.message)

    def read(self) -> bytes:
        """Raises ReadError."""
        raise ReadError(self.message)
