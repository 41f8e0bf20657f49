"""A line between a browser and a server that can stop and break, for tests of what people see then."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

CHUNK = 64 * 1024


class Relay:
    """Passes bytes on to `port`, both ways; an upload gets no further than `most` bytes, until it is None."""

    def __init__(self, port: int):
        self.most: int | None = None
        self.stuck = threading.Event()
        self._is_down = False
        self._port = port
        self._lines: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=self._listen, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}/"

    def cut(self) -> None:
        """Break all that is connected, and connect nothing until it is mended: browsers try again at once."""
        self._is_down = True
        lines, self._lines = self._lines, []
        for line in lines:
            _break(line)

    def mend(self) -> None:
        """Let new connections find the server again."""
        self.most = None
        self.stuck.clear()
        self._is_down = False

    def close(self) -> None:
        """Connect nothing more."""
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()

    def _listen(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                if self._is_down:
                    near.close()
                    continue
                try:
                    far = socket.create_connection(("127.0.0.1", self._port))
                except OSError:
                    near.close()
                    continue
                self._lines += [near, far]
                for start, end, is_upload in ((near, far, True), (far, near, False)):
                    threading.Thread(target=self._pass, args=(start, end, is_upload), daemon=True).start()

    def _pass(self, start: socket.socket, end: socket.socket, is_upload: bool) -> None:
        passed = 0
        with suppress(OSError):
            while chunk := start.recv(CHUNK):
                passed += len(chunk)
                if is_upload and self.most is not None and passed > self.most:
                    self.stuck.set()
                    return
                end.sendall(chunk)
            if is_upload:
                end.shutdown(socket.SHUT_WR)
                return
        _break(end)  # as a server's machine does when the server is gone


def _break(line: socket.socket) -> None:
    with suppress(OSError):
        line.shutdown(socket.SHUT_RDWR)
    line.close()


@contextmanager
def relaying(port: int) -> Iterator[Relay]:
    """A relay to that port, while the context lasts."""
    relay = Relay(port)
    try:
        yield relay
    finally:
        relay.close()
