"""When a series is complete: its associations have ended, or nothing came for a while.

DICOM has no word for "that was the last instance". Knows times and names only: nothing of disks or networks.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field
from threading import Lock


@dataclass
class _Arrival:
    """A series on its way: when its last instance came, who still sends, whether all senders took leave."""

    last: float
    open: set[Hashable] = field(default_factory=set)
    clean: bool = True


class Arrivals:
    """Series that have arrived and are not answered yet. Safe to use from several threads.

    A series is due `settle` seconds after its last instance when every association that brought it was
    released, and after `quiet` seconds whatever its associations do: some peers keep theirs open, and after
    an abort the peer may come back with the rest. Times are in seconds on any one clock.
    """

    def __init__(self, *, settle: float, quiet: float):
        self._settle, self._quiet = settle, quiet
        self._series: dict[str, _Arrival] = {}
        self._lock = Lock()

    def arrive(self, key: str, *, now: float, sender: Hashable | None = None) -> None:
        """Note an instance; without a sender it is one that an earlier node left behind."""
        with self._lock:
            arrival = self._series.setdefault(key, _Arrival(now))
            arrival.last = now
            if sender is None:
                arrival.clean = False
            else:
                arrival.open.add(sender)

    def end(self, sender: Hashable, *, clean: bool) -> None:
        """Note that an association ended, by release (`clean`) or otherwise."""
        with self._lock:
            for arrival in self._series.values():
                if sender in arrival.open:
                    arrival.open.discard(sender)
                    arrival.clean &= clean

    def take_due(self, *, now: float) -> list[str]:
        """The series that are complete, which are forgotten here."""
        with self._lock:
            due = [key for key, arrival in self._series.items() if self._is_due(arrival, now)]
            for key in due:
                del self._series[key]
            return due

    def __len__(self) -> int:
        """How many series are still on their way."""
        with self._lock:
            return len(self._series)

    def _is_due(self, arrival: _Arrival, now: float) -> bool:
        ended = arrival.clean and not arrival.open
        return now - arrival.last >= (self._settle if ended else self._quiet)
