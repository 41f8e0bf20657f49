"""Work on one item after another in several threads; answers come in the order of the items.

A few items are under way ahead of the answer that is taken, never all of them, so memory does not grow with
their number. Knows threads. Knows nothing of what the work is.
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
    """`work(item)` for each item, in order; nothing is taken of `given` before the first answer is asked for.

    Errors of `work` come in their item's place. Closing the generator, or an error, stops it: items that wait
    are dropped, and those being worked on, at most `threads`, are waited for.
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
