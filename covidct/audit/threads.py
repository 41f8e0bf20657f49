"""Threads for what OpenCV and NumPy compute: as many as there are cores."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from covidct.images.decoding.cores import count_cores


@contextmanager
def open_threads() -> Iterator[ThreadPoolExecutor]:
    """Threads that drop what they have not begun when the block is left: at Ctrl-C it may be thousands."""
    threads = ThreadPoolExecutor(count_cores())
    try:
        yield threads
    finally:
        threads.shutdown(cancel_futures=True)
