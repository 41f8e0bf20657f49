"""Requests to a running server, some of them slow."""

from __future__ import annotations

import socket
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from services.servers import RUN, Process, serving

BOUNDARY = "line"


MULTIPART = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}


# A server whose readings wait a second before each piece, to be caught at work.
SLOW = (
    "import time; from covidct.apps.web.upload_answers import Reading; original = Reading.pieces\n"
    "def pieces(self):\n"
    "    for piece in original(self):\n"
    "        time.sleep(1)\n"
    "        yield piece\n"
    f"Reading.pieces = pieces\n{RUN}"
)


def ask(
    server: Process, path: str, body: bytes | None = None, headers: dict[str, str] | None = None
) -> tuple[int, bytes]:
    """Status and body of an answer."""
    told = (MULTIPART if body is not None else {}) | (headers or {})
    request = urllib.request.Request(server.url + path, data=body, headers=told)
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read()


def send_raw(server: Process, data: bytes, *, seconds: float = 10) -> bytes:
    """How the answer to these bytes begins; nothing where the server has closed. Raises TimeoutError."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=seconds) as connection:
        try:
            connection.sendall(data)
            connection.shutdown(socket.SHUT_WR)
            return connection.recv(1000)
        except TimeoutError:
            raise
        except OSError:  # not a ConnectionError alone: a closed connection cannot be shut down (ENOTCONN)
            return b""


@pytest.fixture(scope="module")
def server(tiny_bundle: Path) -> Any:
    with serving(tiny_bundle, "--upload-mb", "64") as running:
        yield running
