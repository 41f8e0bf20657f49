"""Memory that is free in this process -> the system.

Small things that are made beside large arrays come to lie above them in the heap, and the C library keeps
what is free below: after forty series, 130 MB beside 57 MB in use. Knows glibc's call; where there is none,
nothing is done.
"""

from __future__ import annotations

import ctypes
import sys


def give_back_memory() -> None:
    """Give free memory back, which takes some 40 ms for 300 MB, and 1 ms where there is none."""
    if sys.platform != "linux":
        return
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
