"""What kills a worker of Ray's: `covidct archive` must name it, and go on."""

from __future__ import annotations

import os
from importlib import import_module
from typing import Any

MARK = b"Poison^"


def poison() -> None:
    """Set up this process so that reading the pixels of a patient called Poison^ ends it, as gdcm might."""
    slices: Any = import_module("covidct.series.slices")
    parse = slices.parse_slice

    def die(data: bytes, *, name: str) -> Any:
        if MARK in data:
            os._exit(1)
        return parse(data, name=name)

    slices.parse_slice = die
