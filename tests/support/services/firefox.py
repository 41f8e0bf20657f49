"""Firefox without a window, driven over Marionette, its own protocol on a local port, for tests of the page.

Playwright drives only Firefoxes that it has built itself; Debian's ESR is the one that hospitals have.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import pytest

SCHEME = "layout.css.prefers-color-scheme.content-override"
ELEMENT = "element-6066-11e4-a52e-4f735466cecf"  # WebDriver's name of a reference to an element


class Firefox:
    """One window."""

    def __init__(self, connection: socket.socket):
        self._connection = connection
        self._file = connection.makefile("rb")
        self._last = 0
        self._read()  # its greeting
        self.version: str = self.ask("WebDriver:NewSession")["capabilities"]["browserVersion"]

    def ask(self, command: str, **parameters: Any) -> Any:
        """What a command gives. Raises AssertionError for what fails."""
        self._last += 1
        message = json.dumps([0, self._last, command, parameters]).encode()
        self._connection.sendall(str(len(message)).encode() + b":" + message)
        _, _, error, result = self._read()
        assert error is None, error
        return result

    def go(self, address: str) -> None:
        self.ask("WebDriver:Navigate", url=address)

    def run(self, script: str, *given: Any) -> Any:
        """What the body of an asynchronous function returns, with `given` as `arguments`."""
        body = f"const done = arguments[arguments.length - 1]; (async () => {{ {script} }})().then(done)"
        return self.ask("WebDriver:ExecuteAsyncScript", script=body, args=list(given))["value"]

    def wait(self, condition: str, *, seconds: float = 60) -> None:
        """Until a JavaScript expression holds."""
        ends = time.monotonic() + seconds
        while not self.run(f"return Boolean({condition})"):
            assert time.monotonic() < ends, f"{condition} never holds"
            time.sleep(0.1)

    def prefer(self, scheme: Literal["light", "dark"]) -> None:
        """Have pages be shown in a colour scheme."""
        self.ask("Marionette:SetContext", value="chrome")
        script = f"Services.prefs.setIntPref({SCHEME!r}, {['dark', 'light'].index(scheme)})"
        self.ask("WebDriver:ExecuteScript", script=script, args=[])
        self.ask("Marionette:SetContext", value="content")

    def give(self, paths: Sequence[Path]) -> None:
        """Choose files on the page."""
        (field,) = self.ask("WebDriver:FindElement", using="css selector", value="#pick-files").values()
        self.ask("WebDriver:ElementSendKeys", id=field[ELEMENT], text="\n".join(map(str, paths)))

    def _read(self) -> Any:
        size = b""
        while (byte := self._file.read(1)) != b":":
            assert byte, "Firefox is gone"
            size += byte
        return json.loads(self._file.read(int(size)))


@contextmanager
def firefox(folder: Path) -> Iterator[Firefox]:
    """Firefox with a profile of its own in `folder`; skips where there is none."""
    path = os.environ.get("COVIDCT_FIREFOX") or shutil.which("firefox-esr") or shutil.which("firefox")
    if path is None:
        pytest.skip("no Firefox here (apt install firefox-esr, or set COVIDCT_FIREFOX)")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    (folder / "user.js").write_text(
        f'user_pref("marionette.port", {port});\nuser_pref("intl.accept_languages", "en-GB");\n'
    )
    command = [path, "--headless", "--marionette", "--no-remote", "--profile", str(folder)]
    command.append("--remote-allow-system-access")  # for `prefer`
    environment = os.environ | {"HOME": str(folder)}
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        with _connect(port) as connection:
            yield Firefox(connection)
    finally:
        process.terminate()
        process.wait(30)


def _connect(port: int) -> socket.socket:
    ends = time.monotonic() + 60
    while True:
        try:
            return socket.create_connection(("127.0.0.1", port), timeout=120)
        except OSError:
            assert time.monotonic() < ends, "Firefox does not listen"
            time.sleep(0.2)
