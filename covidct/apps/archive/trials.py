"""Marks beside the table that say what was begun, so that a file that kills its worker can be named.

A worker that is killed leaves its mark. The next worker with the same work finds it, and then tries the files
one by one, each under its own mark. Knows nothing of what the work is.
"""

from __future__ import annotations

from covidct.apps.archive.places import Place

FOLDER = "marks"
DEATHS = 2  # of workers, after which a file is set aside
_START = "start"


class Trials:
    """The marks of a table."""

    def __init__(self, place: Place):
        self._place = place

    def begin(self, work: str, what: str = _START) -> int:
        """Mark that some work, or a file of it, is begun; how many times it was begun and not ended before.

        Raises OSError.
        """
        before = sum(name.startswith(f"{what}.") for name in self._place.list_files(FOLDER, work))
        self._place.write(b"", FOLDER, work, f"{what}.{before}")
        return before

    def count(self, work: str, what: str) -> int:
        """How many times a file of some work was begun and not ended."""
        return sum(name.startswith(f"{what}.") for name in self._place.list_files(FOLDER, work))

    def end(self, work: str, what: str = _START) -> None:
        """Take the marks of a file away, or all marks of some work. Raises OSError."""
        if what == _START:
            self._place.delete_folder(FOLDER, work)
            return
        for name in self._place.list_files(FOLDER, work):
            if name.startswith(f"{what}."):
                self._place.delete(FOLDER, work, name)
