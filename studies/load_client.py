"""HTTP as it should not be written: bytes that servers and proxies may take for different requests.

And a plain client, for which no library stands between what is sent and what is counted.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection

IDLE_S = 1.0  # without a byte for so long, no further answer comes
HEALTH_S = 0.1  # from one health check to the next
_INNER = b"GET /smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n"


@dataclass(frozen=True)
class Answer:
    """A status, header fields by lower-case name, and how long it took."""

    status: int
    headers: dict[str, str]
    body: bytes
    ms: float


class Caller:
    """One connection that is kept, and opened anew where the server has closed it."""

    def __init__(self, port: int, *, source: str = "127.0.0.1"):
        self._port, self._source = port, source
        self._line: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(self, request: bytes) -> Answer:
        """The answer to a request. Raises OSError, or EOFError where the server closes without one."""
        begun = time.perf_counter()
        for is_last in (False, True):
            reader, writer = self._line or await asyncio.open_connection(
                "127.0.0.1", self._port, local_addr=(self._source, 0)
            )
            is_new, self._line = self._line is None, (reader, writer)
            try:
                writer.write(request)
                await writer.drain()
                status, headers, body = await _read(reader)
            except (EOFError, OSError):  # a kept connection may have been closed in this moment
                await self.close()
                if is_new or is_last:
                    raise
                continue
            if headers.get("connection") == "close":
                await self.close()
            return Answer(status, headers, body, 1000 * (time.perf_counter() - begun))
        raise AssertionError  # (the loop returns or raises)

    async def close(self) -> None:
        """Let go of the connection."""
        if self._line is not None:
            await shut(self._line[1])
            self._line = None


@contextmanager
def watching_health(port: int, answers: list[Answer]) -> Iterator[None]:
    """Beside what is done in here, `/health` is asked; at the end the answers are added.

    In a process of its own, so that what else its caller has to do is not taken for the server's time; by a
    new connection each, as load balancers do. Status 0 is for none.
    """
    context = get_context("spawn")
    here, there = context.Pipe()
    watcher = context.Process(target=_watch_health, args=(port, there), daemon=True)
    watcher.start()
    there.close()
    here.recv()  # it has begun
    try:
        yield
    finally:
        here.send(None)
        answers += here.recv()
        watcher.join()


def _watch_health(port: int, line: Connection) -> None:
    line.send(None)
    answers = []
    while not line.poll(HEALTH_S):
        answers.append(asyncio.run(_ask_once(port, to_request("/health"))))
    line.send(answers)


async def _ask_once(port: int, request: bytes) -> Answer:
    caller, begun = Caller(port), time.perf_counter()
    try:
        return await caller.ask(request)
    except (OSError, EOFError):
        return Answer(0, {}, b"", 1000 * (time.perf_counter() - begun))
    finally:
        await caller.close()


async def shut(writer: asyncio.StreamWriter) -> None:
    """Close a connection, whatever state it is in."""
    writer.close()
    with suppress(OSError):
        await writer.wait_closed()


async def _read(reader: asyncio.StreamReader) -> tuple[int, dict[str, str], bytes]:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    pairs = (line.partition(":") for line in head[1:] if line)
    headers = {name.lower(): value.strip() for name, _, value in pairs}
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    return int(head[0].split()[1]), headers, body


def to_request(path: str, body: bytes | None = None, *, fields: str = "") -> bytes:
    """A request, POST where it has a body; `fields` are whole lines of the header."""
    if body is None:
        return f"GET {path} HTTP/1.1\r\nHost: localhost\r\n{fields}\r\n".encode()
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n{fields}\r\n"
    return head.encode() + body


def to_ambiguous(allowed: str = "") -> dict[str, bytes]:
    """Requests in which a second one may be hidden, by what makes them so (RFC 9112, 11.2).

    `allowed` are lines of the header that let them in.
    """
    kind = f"Content-Type: multipart/form-data; boundary=line\r\n{allowed}"
    chunked = f"{kind}Transfer-Encoding: chunked\r\n"
    end = b"0\r\n\r\n"
    short = f"{kind}Content-Length: {len(end)}\r\n"
    return {
        "length and chunks": to_request("/api/predict", end + _INNER, fields=chunked),
        "chunks and length": _post(f"{chunked}Content-Length: 5\r\n", end + _INNER),
        "two lengths": _post(f"{short}Content-Length: 90\r\n", end + _INNER),
        "a list of lengths": _post("Content-Length: 5, 90\r\n", end + _INNER),
        "a signed length": _post("Content-Length: +5\r\n", end + _INNER),
        "a negative length": _post("Content-Length: -1\r\n", _INNER),
        "an endless length": _post(f"Content-Length: {'9' * 40}\r\n", b""),
        "a space before the colon": _post("Content-Length : 5\r\n", end + _INNER),
        "an unknown coding": _post("Transfer-Encoding: xchunked\r\n", end + _INNER),
        "a coding twice": _post(f"{chunked}Transfer-Encoding: identity\r\n", end + _INNER),
        "a coding with a tab": _post("Transfer-Encoding:\x0bchunked\r\n", end + _INNER),
        "a folded coding": _post("Transfer-Encoding:\r\n chunked\r\nContent-Length: 5\r\n", end + _INNER),
        "a coding after a bare line feed": _post(
            "X: y\nTransfer-Encoding: chunked\r\n" + short, end + _INNER
        ),
        "a bare carriage return": _post("X: y\rTransfer-Encoding: chunked\r\n" + short, end + _INNER),
        "a wild size of a chunk": _post(chunked, b"fffffffffffffffff\r\n" + _INNER),
        "a chunk that ends elsewhere": _post(chunked, b"3\r\nabcXX0\r\n\r\n" + _INNER),
        "a nul in a field": _post("X: a\0b\r\n" + short, end + _INNER),
        "no host and two hosts": b"GET / HTTP/1.1\r\nHost: localhost\r\nHost: evil\r\n\r\n" + b"\0" + _INNER,
        "a header without an end": _post(f"X: {'x' * 200_000}\r\n", _INNER),
    }


def _post(fields: str, body: bytes) -> bytes:
    head = f"POST /api/predict HTTP/1.1\r\nHost: localhost\r\n{fields}\r\n"
    return head.encode("latin-1") + body


async def find_statuses(port: int, data: bytes) -> list[int]:
    """The statuses of all answers to these bytes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    found = b""
    try:
        writer.write(data)
        await writer.drain()
        while chunk := await asyncio.wait_for(reader.read(65536), IDLE_S):
            found += chunk
    except (TimeoutError, OSError):
        pass
    finally:
        await shut(writer)
    return [int(status) for status in re.findall(rb"HTTP/1\.1 (\d{3}) ", found)]
