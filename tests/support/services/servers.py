"""Servers for tests: in this process with a client, or as a process of their own."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from starlette.testclient import TestClient

from covidct.apps.web.server import Server
from covidct.apps.web.settings import Settings
from covidct.apps.web.upload_answers import Bounds
from covidct.images.hounsfield import to_display
from covidct.images.phantoms.slice import Phantom
from covidct.inference.classifier import Classifier
from makers import phantom_hu, png_bytes

RUN = "from covidct.apps.cli.main import main; main(prog_name='covidct')"
BRIGHT = png_bytes(np.tile(np.arange(192, 256, dtype=np.uint8), (64, 1)))
DARK = png_bytes(np.tile(np.arange(0, 64, dtype=np.uint8), (64, 1)))
LESIONS = png_bytes(to_display(phantom_hu(Phantom.LESIONS)))
BOUNDS = Bounds(slices=1000, unpacked_bytes=10**9)
File = tuple[str, tuple[str, bytes]]


def files(*contents: bytes) -> list[File]:
    """Contents as the field `files`, called slice1.png and so on."""
    return [("files", (f"slice{number}.png", data)) for number, data in enumerate(contents, 1)]


def make_server(bundle: Path, **settings: Any) -> Server:
    return Server(Classifier.load(bundle, threads=1), Settings(**settings), page=Path("none"))


@contextmanager
def client(server: Server, **options: Any) -> Iterator[TestClient]:
    """A client of a server that has started; it calls it `localhost`."""
    with TestClient(server.app, base_url="http://localhost", **options) as opened:
        yield opened


@dataclass
class Process:
    """A server as a process; `lines` are what it has written so far."""

    process: subprocess.Popen[str]
    url: str
    lines: list[str] = field(default_factory=list)

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    @property
    def log(self) -> str:
        return "".join(self.lines)

    def wait_for(self, text: str, *, seconds: float = 20) -> None:
        ends = time.monotonic() + seconds
        while text not in self.log:
            assert time.monotonic() < ends, f"{text!r} is not in the log:\n{self.log}"
            time.sleep(0.02)

    def peak_mb(self) -> float:
        status = Path(f"/proc/{self.process.pid}/status").read_text(encoding="utf-8")
        found = re.search(r"VmHWM:\s+(\d+) kB", status)
        assert found
        return int(found.group(1)) / 1024


@contextmanager
def serving(
    bundle: Path, *options: str, code: str = RUN, env: dict[str, str] | None = None
) -> Iterator[Process]:
    """`covidct serve` on a free port."""
    command: Sequence[str] = (sys.executable, "-c", code, "serve", "--port", "0", "--threads", "1")
    process = subprocess.Popen(
        [*command, "--model", str(bundle), *options],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | (env or {}),
    )
    server = Process(process, "")
    assert process.stderr
    reader = threading.Thread(
        target=lambda pipe: server.lines.extend(iter(pipe.readline, "")), args=(process.stderr,)
    )
    reader.start()
    try:
        server.wait_for("Research use only", seconds=120)
        found = re.search(r" at (https?://\S+)", server.log)
        assert found
        server.url = found.group(1)
        yield server
    finally:
        process.kill()
        process.wait()
        reader.join()
        process.stderr.close()
