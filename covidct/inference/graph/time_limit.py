"""A limit of time for what ONNX Runtime does, which is asked to stop: it looks between two operators.

Knows nothing of graphs. What a single operator takes is limited by the memory of its outputs alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event, Timer

from covidct.errors import BundleError


@contextmanager
def end_after(seconds: float, end: Callable[[], object]) -> Iterator[None]:
    """Call `end` where what is within takes longer, by the clock. Raises BundleError where that ended it."""
    late = Event()

    def stop() -> None:
        late.set()
        end()

    timer = Timer(seconds, stop)
    timer.daemon = True
    timer.start()
    try:
        yield
    except Exception as error:
        if late.is_set():
            advice = "do not use the bundle, unless this computer is very busy"
            raise BundleError(f"the graph took more than {seconds:g} s; {advice}") from error
        raise
    finally:
        timer.cancel()
        timer.join()  # no thread stays behind
