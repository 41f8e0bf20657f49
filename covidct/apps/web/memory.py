"""How much of the memory uploads and jobs hold together; bounded, so that many small ones cannot fill it.

Knows bytes. Knows nothing of what they hold.
"""

from __future__ import annotations

from covidct.apps.web.problem import busy


class Memory:
    """An account of bytes. Used from the event loop alone, so it needs no lock."""

    def __init__(self, limit: int):
        self.limit = limit
        self.held = 0

    def take(self, size: int) -> None:
        """Hold so many bytes more. Raises Problem (503) where they are not free."""
        if self.held + size > self.limit:
            raise busy(
                "The server holds as many uploads as it may; try again in a few seconds.",
                seconds=10,
            )
        self.held += size

    def give_back(self, size: int) -> None:
        """Hold so many bytes less."""
        self.held -= size
