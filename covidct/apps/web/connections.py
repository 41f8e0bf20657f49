"""A connection of the server that may not wait for ever: idle or dripping ones are closed.

Knows uvicorn's protocol. Knows nothing of what is asked.
"""

from __future__ import annotations

import asyncio
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

HEAD_S = 10.0  # from a connection, or the first byte of a further request, to the end of its headers


class Connection(H11Protocol):
    """uvicorn's, closed where a request's headers are not whole in time; a body has times of its own."""

    _timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        """The time runs from here."""
        super().connection_made(transport)
        self._watch()

    def data_received(self, data: bytes) -> None:
        """It ends with the headers, and begins again with the next ones."""
        super().data_received(data)
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        """No more time is needed."""
        self._stop()
        super().connection_lost(exc)

    def _watch(self) -> None:
        if self.conn.their_state is not h11.IDLE:
            self._stop()
        elif self._timer is None:
            self._timer = self.loop.call_later(HEAD_S, self.transport.close)

    def _stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
