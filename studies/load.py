"""`covidct serve` under load: how long answers take, how much memory is held, what those get who do wrong.

    PYTHONPATH=.:fuzz:tests/support python studies/load.py --out load.json [--requests 10000] [--callers 200]

Many callers ask at once for what a page asks for, and upload slices, more than may wait. Beside them, all the
while: connections that drip, uploads that are broken off or lie about their length, requests in which another
is hidden, and wrong tokens. Only the server that is started here, on this machine, is asked. For Linux.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from http import HTTPStatus
from itertools import count
from pathlib import Path
from typing import Any

from load_client import Answer, Caller, find_statuses, shut, to_ambiguous, to_request, watching_health
from soak.node import to_bytes, to_dataset
from soak.run import measure, running, to_quantiles
from soak.server import MULTIPART, to_body

TOKEN = "a-token-of-the-load-study"
ALLOWED = f"Authorization: Bearer {TOKEN}\r\n"
SLOW = 50  # connections that drip
GUESSER = "127.0.0.2"  # whose guesses must not keep out the others


def to_requests() -> dict[str, bytes]:
    """What is asked, by name."""
    kind = f"Content-Type: {MULTIPART['Content-Type']}\r\n{ALLOWED}"
    upload = to_request("/api/predict", to_body(to_bytes(to_dataset(1, 1))), fields=kind)
    return {
        "page": to_request("/"),
        "model": to_request("/api/model", fields=ALLOWED),
        "counters": to_request("/metrics", fields=ALLOWED),
        "unknown job": to_request("/api/jobs/none", fields=ALLOWED),
        "no slice": to_request("/api/predict", to_body(b"no slice", "a.txt"), fields=kind),
        "upload": upload,
    }


class Load:
    """What was asked of a server at `port`, and what it said."""

    def __init__(self, port: int, pid: int):
        self.port, self.pid = port, pid
        self.answers: dict[str, list[Answer]] = {}
        self.lost: Counter[str] = Counter()
        self.hidden: dict[str, list[int]] = {}
        self.memory: list[tuple[int, int]] = []

    async def ask_all(self, requests: int, callers: int) -> None:
        """So many requests by so many callers at once."""
        kinds, numbers = list(to_requests().items()), count()
        step = max(requests // 20, 1)

        async def call(caller: Caller) -> None:
            while (number := next(numbers)) < requests:
                if number % step == 0:
                    self.memory.append((number, measure(self.pid)["mb"]))
                name, request = random.choice(kinds)
                await self._ask(caller, name, request)
            await caller.close()

        await asyncio.gather(*(call(Caller(self.port)) for _ in range(callers)))
        self.memory.append((requests, measure(self.pid)["mb"]))

    async def guess(self) -> None:
        """A wrong token."""
        caller = Caller(self.port, source=GUESSER)
        wrong = f"Authorization: Bearer wrong{random.random()}\r\n"
        await self._ask(caller, "wrong token", to_request("/api/model", fields=wrong))
        await caller.close()
        await asyncio.sleep(0.2)

    async def hide(self) -> None:
        """Each request in which another is hidden."""
        for name, data in to_ambiguous(ALLOWED).items():
            self.hidden[name] = await find_statuses(self.port, data)

    async def drip(self) -> None:
        """A request that never comes to the end of its header."""
        with suppress(OSError):
            _, writer = await asyncio.open_connection("127.0.0.1", self.port)
            try:
                for letter in b"GET / HTTP/1.1\r\nHost: localhost\r\nX-Slow: ":
                    writer.write(bytes([letter]))
                    await writer.drain()
                    await asyncio.sleep(0.3)
            finally:
                await shut(writer)

    async def break_off(self) -> None:
        """Uploads that end early: by a closed connection, with less and with more than was announced."""
        body = to_body(bytes(5000))
        for announced in (len(body) + 100_000, 10):
            kind = f"Content-Type: {MULTIPART['Content-Type']}\r\n{ALLOWED}"
            head = (
                f"POST /api/predict HTTP/1.1\r\nHost: localhost\r\nContent-Length: {announced}\r\n{kind}\r\n"
            )
            with suppress(OSError):
                _, writer = await asyncio.open_connection("127.0.0.1", self.port)
                writer.write(head.encode() + body)
                await writer.drain()
                await asyncio.sleep(0.1)
                await shut(writer)

    async def _ask(self, caller: Caller, name: str, request: bytes) -> None:
        try:
            self.answers.setdefault(name, []).append(await caller.ask(request))
        except (OSError, EOFError) as error:
            self.lost[f"{name}: {type(error).__name__}"] += 1

    def to_table(self) -> dict[str, Any]:
        """What came of each kind of request."""
        return {
            name: {
                "statuses": dict(sorted(Counter(one.status for one in answers).items())),
                "ms of 200": to_quantiles([one.ms for one in answers if one.status == HTTPStatus.OK]),
                "503 without Retry-After": sum(
                    one.status == HTTPStatus.SERVICE_UNAVAILABLE and "retry-after" not in one.headers
                    for one in answers
                ),
            }
            for name, answers in sorted(self.answers.items())
        }


async def put_under_load(port: int, pid: int, *, requests: int, callers: int) -> Load:
    """All of it at once, until the last of the requests is answered."""
    load = Load(port, pid)
    done = asyncio.Event()

    async def repeat(what: Callable[[], Awaitable[None]]) -> None:
        while not done.is_set():
            await what()

    dripping = [asyncio.create_task(repeat(load.drip)) for _ in range(SLOW)]
    beside = (load.guess, load.hide, load.break_off)
    tasks = [asyncio.create_task(repeat(what)) for what in beside]
    with watching_health(port, load.answers.setdefault("health", [])):
        await load.ask_all(requests, callers)
    done.set()
    await asyncio.gather(*tasks)
    for task in dripping:
        task.cancel()
    await asyncio.wait(dripping)
    return load


def main() -> None:
    """Run it, and write what came of it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--requests", type=int, default=10_000)
    parser.add_argument("--callers", type=int, default=200)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--model", help="a bundle; by default the one that ships")
    asked = parser.parse_args()
    options = ["--threads", "1", *(["--model", asked.model] if asked.model else [])]
    os.environ["COVIDCT_TOKEN"] = TOKEN  # for the server alone
    with running("serve", "--port", "0", *options, says=" at http") as (process, port):
        begun, idle = time.monotonic(), measure(process.pid)
        load = asyncio.run(put_under_load(port, process.pid, requests=asked.requests, callers=asked.callers))
        found = {
            "requests": asked.requests,
            "callers": asked.callers,
            "seconds": round(time.monotonic() - begun),
            "answers": load.to_table(),
            "without an answer": dict(load.lost),
            "answers to requests that hide another": load.hidden,
            "mb": {"idle": idle["mb"], "by requests": load.memory},
            "open files": {"idle": idle["files"], "after": measure(process.pid)["files"]},
            "alive": process.poll() is None,
        }
    asked.out.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
