from __future__ import annotations

import asyncio
import gzip
import tempfile
import time
import tracemalloc
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.requests import ClientDisconnect, Request

from covidct.apps.web.memory import Memory
from covidct.apps.web.problem import Problem
from covidct.apps.web.settings import Settings
from covidct.apps.web.uploads import DRAINED, LONGEST_NAME, Upload, read_upload

BOUNDARY = "line"
ROOM = 10**9
Part = tuple[str, str | None, bytes]


def body_of(parts: Sequence[Part]) -> bytes:
    """Parts (field, file name or None, content) as multipart."""
    lines = []
    for field, name, content in parts:
        shown = "" if name is None else f'; filename="{name}"'
        head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{field}"{shown}\r\n\r\n'
        lines.append(head.encode() + content + b"\r\n")
    return b"".join(lines) + f"--{BOUNDARY}--\r\n".encode()


def request_of(
    receive: Callable[[], Awaitable[dict[str, Any]]], headers: dict[str, str] | None = None
) -> Request:
    told = {"content-type": f"multipart/form-data; boundary={BOUNDARY}"} | (headers or {})
    raw = [(name.encode(), value.encode()) for name, value in told.items()]
    return Request(
        {"type": "http", "method": "POST", "path": "/", "headers": raw, "query_string": b""}, receive
    )


class Sender:
    """What comes in, in chunks; counts how many were taken."""

    def __init__(self, body: bytes, *, chunk: int = 4096, lost_at: int | None = None):
        self._chunks = [body[at : at + chunk] for at in range(0, len(body), chunk)] or [b""]
        self._lost_at = lost_at
        self.taken = 0

    @property
    def is_empty(self) -> bool:
        return self.taken == len(self._chunks)

    async def receive(self) -> dict[str, Any]:
        if self.taken == self._lost_at:
            return {"type": "http.disconnect"}
        chunk = self._chunks[self.taken]
        self.taken += 1
        return {"type": "http.request", "body": chunk, "more_body": not self.is_empty}


def read(
    sender: Sender, memory: Memory | None = None, headers: dict[str, str] | None = None, **settings: Any
) -> Upload:
    request = request_of(sender.receive, headers)
    return asyncio.run(read_upload(request, Settings(**settings), memory or Memory(ROOM)))


def refused(sender: Sender, memory: Memory | None = None, **options: Any) -> Problem:
    with pytest.raises(Problem) as caught:
        read(sender, memory, **options)
    return caught.value


def test_files_come_in_order_and_fields_by_name() -> None:
    parts: list[Part] = [
        ("files", "b.dcm", b"second"),
        ("prevalence", None, b"0.1"),
        ("files", "a.png", b""),
    ]
    body = body_of(parts)
    memory = Memory(ROOM)
    upload = read(Sender(body, chunk=7), memory)
    assert [(file.name, file.data) for file in upload.files] == [("b.dcm", b"second"), ("a.png", b"")]
    assert upload.fields == {"prevalence": "0.1"}
    assert upload.size == memory.held == len(body)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.binary(max_size=300), min_size=1, max_size=5), st.integers(1, 64))
def test_bytes_come_out_as_they_went_in(contents: list[bytes], chunk: int) -> None:
    body = body_of([("files", f"{number}", content) for number, content in enumerate(contents)])
    if any(f"--{BOUNDARY}".encode() in content for content in contents):
        return
    assert [file.data for file in read(Sender(body, chunk=chunk)).files] == contents


def test_nothing_is_written_to_a_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise AssertionError("a file on disk")

    monkeypatch.setattr(tempfile.SpooledTemporaryFile, "rollover", fail)
    monkeypatch.setattr(tempfile, "TemporaryFile", fail)
    content = bytes(5_000_000)  # well above the size where Starlette itself begins to write
    assert read(Sender(body_of([("files", "large", content)]), chunk=65536)).files[0].data == content


@pytest.mark.parametrize("name", ["../../etc/passwd", "<script>alert(1)</script>.png", "ä ö.png"])
def test_names_stay_as_they_are_given(name: str) -> None:
    """They are shown, never opened."""
    assert read(Sender(body_of([("files", name, b"x")]))).files[0].name == name


def test_what_browsers_escape_in_names_is_undone() -> None:
    upload = read(Sender(body_of([("files", "a%22b%22%0D%0A50%25.png", b"x")])))
    assert upload.files[0].name == 'a"b"\r\n50%25.png'


def test_a_name_has_an_end_and_a_nameless_file_gets_one() -> None:
    upload = read(Sender(body_of([("files", "n" * 2000 + ".png", b"x"), ("files", "", b"y")])))
    assert upload.files[0].name == "n" * (LONGEST_NAME - 4) + ".png"
    assert upload.files[1].name == "file 2"


def test_too_many_bytes_are_read_to_their_end_and_refused() -> None:
    sender = Sender(body_of([("files", "a", bytes(30_000))]))
    memory = Memory(ROOM)
    problem = refused(sender, memory, body_bytes=20_000)
    assert problem.status == 413
    assert "MiB" in problem.detail
    assert sender.is_empty
    assert memory.held == 0


def test_reading_to_the_end_has_an_end() -> None:
    limit = 10_000
    sender = Sender(body_of([("files", "a", bytes(limit * (DRAINED + 10)))]), chunk=1000)
    assert refused(sender, body_bytes=limit).status == 413
    assert not sender.is_empty


def test_what_is_announced_as_too_large_is_refused_before_it_is_sent() -> None:
    sender = Sender(body_of([("files", "a", b"x")]))
    headers = {"content-length": "99999", "expect": "100-continue"}
    assert refused(sender, headers=headers, body_bytes=1000).status == 413
    assert sender.taken == 0


def test_too_many_files_are_refused() -> None:
    sender = Sender(body_of([("files", str(number), b"x") for number in range(500)]))
    problem = refused(sender, files=499)
    assert problem.status == 413
    assert "499 files" in problem.detail
    assert sender.is_empty
    assert len(read(Sender(body_of([("files", "a", b"x")] * 500)), files=500).files) == 500


def test_where_too_much_is_held_already_callers_come_again() -> None:
    memory = Memory(1000)
    memory.take(900)
    problem = refused(Sender(body_of([("files", "a", bytes(500))])), memory)
    assert problem.status == 503
    assert "Retry-After" in problem.headers
    assert memory.held == 900


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 422),
        (b"no multipart", 400),
        (body_of([("files", "a", b"x")])[:-20], 422),
        (b"--line\r\nContent-Disposition: form-data\r\n\r\nx\r\n--line--", 400),
        (body_of([("files", None, b"text, and no file")]), 422),
        (body_of([("file", "a.png", b"another field")]), 422),
        (body_of([("comment", None, bytes(5000))]), 400),
        (body_of([(f"field{number}", None, b"") for number in range(100)]), 400),
    ],
)
def test_what_is_no_upload_is_refused(body: bytes, status: int) -> None:
    memory = Memory(ROOM)
    problem = refused(Sender(body), memory)
    assert problem.status == status
    assert problem.detail.endswith((".", "one"))
    assert memory.held == 0


@pytest.mark.parametrize("kind", ["", "application/json", "application/x-www-form-urlencoded", "text/plain"])
def test_other_media_types_are_refused(kind: str) -> None:
    problem = refused(Sender(b"{}"), headers={"content-type": kind})
    assert problem.status == 415
    assert "multipart/form-data" in problem.detail


def test_without_a_boundary_nothing_can_be_read() -> None:
    assert refused(Sender(b"x"), headers={"content-type": "multipart/form-data"}).status == 400


def test_a_lost_connection_gives_all_back() -> None:
    memory = Memory(ROOM)
    with pytest.raises(ClientDisconnect):
        read(Sender(body_of([("files", "a", bytes(100_000))]), lost_at=5), memory)
    assert memory.held == 0


def test_an_upload_that_halts_is_given_up() -> None:
    taken = 0

    async def receive() -> dict[str, Any]:
        nonlocal taken
        taken += 1
        if taken > 2:
            await asyncio.sleep(60)
        return {"type": "http.request", "body": b"--line\r\n"[: 4 * taken], "more_body": True}

    memory = Memory(ROOM)
    request = request_of(receive)
    with pytest.raises(Problem) as caught:
        asyncio.run(read_upload(request, Settings(idle_s=0.05), memory))
    assert caught.value.status == 408
    assert memory.held == 0


def test_an_upload_slower_than_any_network_is_given_up_early() -> None:
    async def receive() -> dict[str, Any]:
        await asyncio.sleep(0.02)
        return {"type": "http.request", "body": b"\r\n", "more_body": True}

    begun = time.monotonic()
    with pytest.raises(Problem) as caught:
        asyncio.run(read_upload(request_of(receive), Settings(idle_s=0.2), Memory(ROOM)))
    assert caught.value.status == 408
    assert time.monotonic() - begun < 10, "and not after a quarter of an hour"


def test_an_upload_that_drips_is_given_up_too() -> None:
    async def receive() -> dict[str, Any]:
        await asyncio.sleep(0.01)
        return {"type": "http.request", "body": b"\r\n", "more_body": True}

    with pytest.raises(Problem) as caught:
        asyncio.run(read_upload(request_of(receive), Settings(idle_s=1, upload_s=0.1), Memory(ROOM)))
    assert caught.value.status == 408


def test_an_upload_takes_little_more_memory_than_its_bytes() -> None:
    body = body_of([("files", str(number), bytes(1_000_000)) for number in range(20)])
    sender = Sender(body, chunk=65536)
    tracemalloc.start()
    read(sender)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1.4 * len(body)


@pytest.mark.parametrize(
    ("stated", "name"),
    [
        ("filename*=UTF-8''a%20%C3%A4.png", "a ä.png"),
        ("filename*=iso-8859-1'en'%E4.png", "ä.png"),
        ("filename*=UTF-8''a%22%0D%0Ab.png", 'a"\r\nb.png'),
        ("filename=\"plain.png\"; filename*=UTF-8''other.png", "plain.png"),
    ],
)
def test_a_name_in_another_notation_makes_a_file_too(stated: str, name: str) -> None:
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="files"; {stated}\r\n\r\n'
    body = head.encode() + b"1" + f"\r\n--{BOUNDARY}--\r\n".encode()
    (file,) = read(Sender(body)).files
    assert (file.name, file.data) == (name, b"1")


def test_files_in_another_field_are_told_of() -> None:
    problem = refused(Sender(body_of([("files", "a.png", b"1"), ("file", "b.png", b"2")])))
    assert (problem.status, problem.detail) == (
        422,
        "'file' is not a field or parameter here; files may be meant.",
    )


def test_a_compressed_body_is_not_taken() -> None:
    problem = refused(
        Sender(gzip.compress(body_of([("files", "a.png", b"1")]))), headers={"content-encoding": "gzip"}
    )
    assert problem.status == 415
    assert "Content-Encoding" in problem.detail
