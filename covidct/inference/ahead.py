"""Work on one item after another in several threads; answers come in the order of the items.

Only a few items are in progress at a time, so memory does not grow with their number. Knows threads. Knows
nothing of what the work is.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

AHEAD = 4  # items a thread that are begun before their answers are asked for: one slow item holds up no other

T = TypeVar("T")
R = TypeVar("R")


def map_ahead(work: Callable[[T], R], given: Iterable[T], *, threads: int) -> Iterator[R]:
    """`work(item)` for each item, in order; `given` is not touched before the first answer is requested.

    An error of `work` is raised in its item's turn. Closing the generator, or an error, ends it: waiting
    items are dropped, and those in progress, at most `threads`, are finished first.
    """
    items = iter(given)
    workers = ThreadPoolExecutor(threads, thread_name_prefix="covidct-slices")
    try:
        coming = deque(workers.submit(work, item) for item in islice(items, AHEAD * threads))
        while coming:
            answer = coming.popleft().result()
            coming.extend(workers.submit(work, item) for item in islice(items, 1))
            yield answer
    finally:
        workers.shutdown(cancel_futures=True)
