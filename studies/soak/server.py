"""What a soak does to the server: slices, mutated files, bursts, uploads that break off or drip, noise."""

from __future__ import annotations

import json
import random
import socket
import threading
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Iterable
from http import HTTPStatus

from mutations import mutate
from seeds import make_seeds
from soak.node import LARGE, to_bytes, to_dataset, to_large_slice

MULTIPART = {"Content-Type": "multipart/form-data; boundary=line"}
BURST = 30
UPLOADS = 30_000_000  # numbers of series that are uploaded
PATIENCE_S, LONG_S = 120, 900  # for the answer to a slice, and to a large series


def to_body(data: bytes, name: str = "a.dcm") -> bytes:
    """One file as a form."""
    return to_form([(name, data)])


def to_form(files: Iterable[tuple[str, bytes]]) -> bytes:
    """Files as one form."""
    parts = []
    for name, data in files:
        head = f'--line\r\nContent-Disposition: form-data; name="files"; filename="{name}"\r\n\r\n'
        parts += [head.encode(), data, b"\r\n"]
    return b"".join([*parts, b"--line--\r\n"])


class ServerWork:
    """What is asked of a server at `port`, and what it said."""

    def __init__(self, port: int, done: Counter[str]):
        self.port, self.done = port, done
        self._seeds = sorted(make_seeds().items())
        self._draw = random.Random(26)

    def upload(self) -> None:
        """A slice, answered."""
        self.done["uploads"] += 1
        self._upload("uploads", to_body(to_bytes(to_dataset(UPLOADS + self.done["uploads"], 1))))

    def upload_series(self) -> None:
        """A large series in one upload: an answer for each slice, and one for the series."""
        self.done["large uploads"] += 1
        series = self.done["large uploads"]
        slices = ((f"{number}.dcm", to_bytes(to_large_slice(series, number))) for number in range(LARGE))
        self._upload("large uploads", to_form(slices), patience=LONG_S)

    def _upload(self, name: str, body: bytes, *, patience: float = PATIENCE_S) -> None:
        status, answer, _ = self._ask(body, patience=patience)
        said = f", {len(json.loads(answer))} results" if status == HTTPStatus.OK else ""
        self.done[f"{name}: {status}{said}"] += 1

    def upload_mutated(self) -> None:
        """Mutated files of every kind: results or 422, never 5xx."""
        for _ in range(3):
            name, data = self._draw.choice(self._seeds)
            status, _, _ = self._ask(to_body(mutate(data, self._draw), name))
            self.done[f"mutated uploads: {status}"] += 1

    def burst(self) -> None:
        """More at once than may wait: each is answered, or told when to come again."""
        body = to_body(to_bytes(to_dataset(UPLOADS, 1)))
        answers: list[tuple[int, str | None]] = []

        def ask() -> None:
            status, _, wait = self._ask(body)
            answers.append((status, wait))

        threads = [threading.Thread(target=ask) for _ in range(BURST)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for status, wait in answers:
            told = "" if status != HTTPStatus.SERVICE_UNAVAILABLE else f", Retry-After: {wait is not None}"
            self.done[f"uploads in bursts: {status}{told}"] += 1

    def abuse(self) -> None:
        """An upload that ends in the middle, and one that drips for ten seconds."""
        head = (
            "POST /api/predict HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n"
            f"Content-Type: {MULTIPART['Content-Type']}\r\n\r\n"
        ).encode()
        with socket.create_connection(("127.0.0.1", self.port), timeout=10) as broken:
            broken.sendall(head + bytes(5000))
        with socket.create_connection(("127.0.0.1", self.port), timeout=10) as dripping:
            dripping.sendall(head)
            for _ in range(10):
                dripping.sendall(b"-")
                time.sleep(1)
        self.done["uploads broken off or dripping"] += 2

    def _ask(self, body: bytes, *, patience: float = PATIENCE_S) -> tuple[int, bytes, str | None]:
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}/api/predict", body, MULTIPART)
        try:
            with urllib.request.urlopen(request, timeout=patience) as answer:
                return answer.status, answer.read(), None
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read(), error.headers["Retry-After"]
