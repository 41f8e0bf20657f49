"""When a series is complete: all announced instances are there, or none has come for a while.

DICOM has no word for "that was the last instance", and C-STORE none for how many are left: sub-operations are
counted in answers to C-MOVE and C-GET, which go to who asked for them (PS3.7 9.1.3, 9.1.4). Knows times and
names only: nothing of disks or networks.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field
from threading import Lock

WHOLE_S = 3.0  # to settle where every announced instance is there
FEW = 3  # below so many slices no series is answered for, so more may be meant to come
PATIENCE = 4  # times `quiet` that a few slices wait for an association that stays open


@dataclass(frozen=True)
class Announced:
    """An instance that came: its UID, how many slices it holds, and how many instances its series has by it.

    `expected` is 0 where it does not say; `exact` says whether the series is whole with so many, or whether
    that is only the least.
    """

    uid: str
    slices: int = 1
    expected: int = 0
    exact: bool = False


@dataclass
class _Arrival:
    """A series on its way: when its last instance came, who still sends, whether all have released."""

    last: float
    open: set[Hashable] = field(default_factory=set)
    clean: bool = True
    came: dict[str, Announced] = field(default_factory=dict)

    @property
    def is_few(self) -> bool:
        return sum(one.slices for one in self.came.values()) < FEW

    @property
    def is_short(self) -> bool:
        return len(self.came) < max((one.expected for one in self.came.values()), default=0)

    @property
    def is_whole(self) -> bool:
        return any(one.exact for one in self.came.values()) and not self.is_short


class Arrivals:
    """Series that have arrived and are not answered yet. Safe to use from several threads.

    Every instance restarts the wait. A series is due `settle` seconds after its last instance when every
    association that brought it was released, sooner where all announced instances are there, and after
    `quiet` seconds where some are missing, there are fewer than three slices, an association stays open, or
    one was aborted: the peer may come back with the rest. Times are in seconds on any one clock.
    """

    def __init__(self, *, settle: float, quiet: float):
        self._settle, self._quiet = settle, quiet
        self._series: dict[str, _Arrival] = {}
        self._lock = Lock()

    def arrive(
        self,
        key: str,
        *,
        now: float,
        sender: Hashable | None = None,
        announced: Announced | None = None,
    ) -> None:
        """Note an instance; without a sender it is one that an earlier node left behind."""
        with self._lock:
            arrival = self._series.setdefault(key, _Arrival(now))
            arrival.last = now
            if announced is not None:
                arrival.came[announced.uid] = announced
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
            due = [key for key, one in self._series.items() if now - one.last >= self._wait(one)]
            for key in due:
                del self._series[key]
            return due

    def __contains__(self, key: str) -> bool:
        """Whether a series is still on its way."""
        with self._lock:
            return key in self._series

    def __len__(self) -> int:
        """How many series are still on their way."""
        with self._lock:
            return len(self._series)

    def _wait(self, arrival: _Arrival) -> float:
        """Seconds from its last instance until a series is due."""
        if arrival.is_few and arrival.open:
            return PATIENCE * self._quiet
        if arrival.open or not arrival.clean or arrival.is_few or arrival.is_short:
            return self._quiet
        return min(self._settle, WHOLE_S) if arrival.is_whole else self._settle
