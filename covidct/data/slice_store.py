"""Slices decoded once: a private folder that keeps them as they were parsed, by the SHA-256 of their bytes.

A training reads its slices several times: to audit, learn, calibrate and measure. Entries are keyed by
content, not by name, so a changed file is decoded again. Pixels are mapped into memory.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from covidct.images.files import read_bytes
from covidct.images.read import parse_slice
from covidct.types import Slice, Source, Turn

Read = Callable[[Path], Slice]


@dataclass(frozen=True)
class SliceStore:
    """Slices kept in `folder`, which is made when there is something to keep."""

    folder: Path

    def read(self, path: Path) -> Slice:
        """The slice of a file, as `read_slice` gives it. Raises ReadError."""
        return self.parse(read_bytes(path, name=str(path)), name=str(path))

    def parse(self, data: bytes, *, name: str) -> Slice:
        """The slice in the bytes of a file, as `parse_slice` gives it. Raises ReadError."""
        place = self.folder / hashlib.sha256(data).hexdigest()
        # Missing, cut short or damaged: then it is parsed, and kept again.
        with suppress(OSError, ValueError, TypeError, KeyError):
            return _load(place, name)
        item = parse_slice(data, name=name)
        with suppress(OSError):  # a full disk makes it slower, no more
            self._keep(place, item)
        return item

    def remove(self) -> None:
        """Remove the folder, if it is there."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _keep(self, place: Path, item: Slice) -> None:
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        # Two threads or processes may be at the same picture.
        partial = place.with_name(f"{place.name}.{os.getpid()}.{threading.get_ident()}")
        try:
            partial.write_bytes(_to_header(item) + b"\n" + item.pixels.tobytes())
            partial.replace(place)
        finally:
            partial.unlink(missing_ok=True)


def _to_header(item: Slice) -> bytes:
    """A line of JSON: all of a slice but its pixels and its name."""
    facts = {
        "shape": item.pixels.shape,
        "spacing_mm": item.spacing_mm,
        "turn": asdict(item.turn),
        "series_uid": item.source.series_uid,
        "instance_uid": item.source.instance_uid,
    }
    return json.dumps(facts).encode()


def _load(place: Path, name: str) -> Slice:
    with place.open("rb") as file:
        facts = json.loads(file.readline())
        start = file.tell()
    rows, columns = facts["shape"]
    if place.stat().st_size != start + rows * columns:
        raise ValueError("cut short")
    spacing = facts["spacing_mm"]
    return Slice(
        # Mapped for writing, though nobody's write gets into the file: torch takes no other array.
        pixels=np.asarray(np.memmap(place, np.uint8, "c", start, (rows, columns))),
        source=Source(name, facts["series_uid"], facts["instance_uid"]),
        spacing_mm=None if spacing is None else (spacing[0], spacing[1]),
        turn=Turn(**facts["turn"]),
    )
