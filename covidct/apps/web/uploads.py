"""A multipart request (RFC 7578) -> files in memory and the fields beside them.

Counts bytes and files while they come in, and stops where they are too many, too slow or no longer wanted.
What patients' files hold stays in memory: nothing is written to a disk. Knows nothing of what is in a file.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from urllib.parse import unquote

from starlette.datastructures import FormData, Headers, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

from covidct.apps.web.memory import Memory
from covidct.apps.web.problem import Problem
from covidct.apps.web.query import check_names
from covidct.apps.web.settings import MIB, Settings
from covidct.images.blob import MemoryBlob

FIELD = "files"
LONGEST_NAME = 1024
FIELD_BYTES = 4096  # of each field that is no file
FIELDS = 16
# Bytes a second on the whole, from `idle_s` on: who drips on purpose would hold a place for long.
SLOWEST = 4096
# What is too large is read on, up to so many times the limit: browsers show no answer that comes early.
DRAINED = 4

# What is escaped in names, and nothing else is (HTML, form data).
_ESCAPES = (('"', "%22"), ("\r", "%0D"), ("\n", "%0A"))
_STAR = re.compile(rb";\s*filename\*=(?P<charset>utf-8|iso-8859-1)'[^']*'(?P<name>[^;\s]+)", re.IGNORECASE)
_PLAIN = re.compile(rb";\s*filename=", re.IGNORECASE)


@dataclass(frozen=True)
class Upload:
    """What came in: the files in order, the other fields by name, and the size of all in bytes."""

    files: tuple[MemoryBlob, ...]
    fields: Mapping[str, str]
    size: int


class _InMemory(MultiPartParser):
    """Starlette's parser, which begins to write files to the disk at a size: here at none."""

    spool_max_size = 0

    def on_headers_finished(self) -> None:
        """As Starlette, but a part with `filename*` alone (RFC 5987) is a file, too."""
        part = self._current_part
        stated = part.content_disposition or b""
        if (star := _STAR.search(stated)) and not _PLAIN.search(stated):
            name = unquote(star["name"].decode("ascii", "replace"), encoding=star["charset"].decode())
            for char, escaped in _ESCAPES:
                name = name.replace(char, escaped)
            part.content_disposition = stated + f'; filename="{name}"'.encode()
        super().on_headers_finished()


async def read_upload(request: Request, settings: Settings, memory: Memory) -> Upload:
    """Read an upload; its `size` is held in `memory`, and for the caller to give back.

    Raises Problem: 400 for what is no multipart, 408 for what comes too slowly, 413 for too much, 415 for
    another media type, 422 for no files, 503 while too much is held already; ClientDisconnect where the
    other side is gone.
    """
    _check_announced(request, settings)
    body = _Body(request, settings, memory)
    try:
        files, fields = await _sort(await _parse(request.headers, body, settings))
    except BaseException:  # a connection that is lost cancels, too
        memory.give_back(body.held)
        raise
    return Upload(files, fields, body.held)


async def drain(request: Request, settings: Settings) -> None:
    """Read what comes in, up to DRAINED times the limit, and keep nothing. Raises as `read_upload` does."""
    await _Body(request, settings, Memory(0)).drain()


class _Body:
    """Bytes as they come in, `held` in `memory`."""

    def __init__(self, request: Request, settings: Settings, memory: Memory):
        self.held = 0
        self._chunks = request.stream()
        self._begun = time.monotonic()
        self._ends = self._begun + settings.upload_s
        self._read = 0
        self._settings = settings
        self._memory = memory

    async def stream(self) -> AsyncGenerator[bytes, None]:
        """The chunks. Raises Problem for too many bytes, or too slow ones."""
        while (chunk := await self._next()) is not None:
            if self.held + len(chunk) > self._settings.body_bytes:
                raise _too_large(self._settings)
            self._memory.take(len(chunk))
            self.held += len(chunk)
            yield chunk

    async def drain(self) -> None:
        """Read on to the end and keep nothing."""
        left = self._settings.body_bytes * DRAINED
        while left > 0 and (chunk := await self._next()) is not None:
            left -= len(chunk)

    async def _next(self) -> bytes | None:
        """The next chunk, None at the end. Raises Problem where it takes too long."""
        in_time = min(self._ends, self._begun + self._settings.idle_s + self._read / SLOWEST)
        seconds = min(self._settings.idle_s, in_time - time.monotonic())
        try:
            chunk = await asyncio.wait_for(anext(self._chunks, None), max(seconds, 0))
        except TimeoutError as error:
            raise Problem(
                HTTPStatus.REQUEST_TIMEOUT, "The upload came to a halt; check the network and send it again."
            ) from error
        self._read += len(chunk or b"")
        return chunk


async def _parse(headers: Headers, body: _Body, settings: Settings) -> FormData:
    parser = _InMemory(
        headers, body.stream(), max_files=settings.files, max_fields=FIELDS, max_part_size=FIELD_BYTES
    )
    try:
        _check_media_type(headers)
        return await parser.parse()
    except Problem:
        await body.drain()
        raise
    except MultiPartException as error:
        await body.drain()
        raise _unreadable(error.message, settings) from error


async def _sort(form: FormData) -> tuple[tuple[MemoryBlob, ...], dict[str, str]]:
    """Files and fields. Raises Problem where there are no files."""
    files: list[MemoryBlob] = []
    fields: dict[str, str] = {}
    try:
        for name, value in form.multi_items():
            if isinstance(value, str):
                fields[name] = value
                continue
            check_names([name], (FIELD,))
            files.append(await _to_blob(value, number=len(files) + 1))
    finally:
        await form.close()
    if not files:
        raise Problem(
            HTTPStatus.UNPROCESSABLE_ENTITY, f"There are no files in the field '{FIELD}'; send at least one."
        )
    return tuple(files), fields


async def _to_blob(upload: UploadFile, *, number: int) -> MemoryBlob:
    # A name is only ever shown, never opened.
    name = _to_name(upload.filename or f"file {number}")[-LONGEST_NAME:]
    data = await upload.read()
    await upload.close()
    return MemoryBlob(name, data)


def _to_name(sent: str) -> str:
    """A file's name as it was before it was sent."""
    for char, escaped in _ESCAPES:
        sent = sent.replace(escaped, char)
    return sent


def _check_media_type(headers: Headers) -> None:
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "multipart/form-data":
        raise Problem(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            f"Send multipart/form-data with the files in the field '{FIELD}'.",
            {"Accept": "multipart/form-data"},
        )
    if headers.get("content-encoding", "identity").strip().lower() != "identity":
        raise Problem(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            "The body is compressed (Content-Encoding); send it as it is, or a ZIP archive as a file.",
            {"Accept-Encoding": "identity"},
        )


def _check_announced(request: Request, settings: Settings) -> None:
    """Refuse what is announced as too large before it is sent, where the sender waits for that."""
    size = request.headers.get("content-length", "0")
    waits = request.headers.get("expect", "").lower() == "100-continue"
    if waits and size.isdecimal() and int(size) > settings.body_bytes:
        raise _too_large(settings)


def _too_large(settings: Settings) -> Problem:
    return Problem(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        f"More than {settings.body_bytes / MIB:g} MiB in one upload; send fewer files at a time.",
    )


def _unreadable(message: str, settings: Settings) -> Problem:
    if message.startswith("Too many files"):
        return Problem(
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
            f"More than {settings.files} files in one upload; send fewer at a time.",
        )
    return Problem(HTTPStatus.BAD_REQUEST, f"The upload is not valid multipart/form-data: {message}")
