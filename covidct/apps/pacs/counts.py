"""What the node has counted since it started, for `counters.json` and the log. Knows names and numbers."""

from __future__ import annotations

import json
from collections import Counter
from threading import Lock

# Every counter there is, so that a reader finds each one from the start.
NAMES = (
    "associations",
    "associations_rejected",
    "connections_unused",
    "contexts_refused",
    "instances_kept",
    "instances_refused",
    "instances_no_room",
    "series_positive",
    "series_negative",
    "series_indeterminate",
    "series_refused",
    "series_unchanged",
    "series_failed",
    "objects_sent",
    "objects_refused_by_peer",
    "sends_postponed",
)


class Counts:
    """Counters that several threads may raise."""

    def __init__(self) -> None:
        self._values = Counter(dict.fromkeys(NAMES, 0))
        self._lock = Lock()

    def add(self, name: str, by: int = 1) -> None:
        """Raise a counter of NAMES. Raises KeyError for any other."""
        if name not in NAMES:
            raise KeyError(name)
        with self._lock:
            self._values[name] += by

    def __getitem__(self, name: str) -> int:
        """The value of one counter."""
        return self.to_dict()[name]

    def to_dict(self) -> dict[str, int]:
        """All counters by name."""
        with self._lock:
            return dict(self._values)

    def to_json(self) -> str:
        """All counters as JSON, with the end of the line."""
        return json.dumps(self.to_dict(), indent=1) + "\n"

    def to_line(self) -> str:
        """The counters that are not zero, for the log."""
        shown = [f"{name} {value}" for name, value in self.to_dict().items() if value]
        return ", ".join(shown) or "nothing yet"
