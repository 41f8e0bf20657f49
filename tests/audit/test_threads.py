from __future__ import annotations

import time

import pytest

from covidct.audit.threads import open_threads


def test_what_has_not_begun_is_dropped() -> None:
    begun = []

    def work(number: int) -> None:
        begun.append(number)
        time.sleep(0.02)

    def stop() -> None:
        with open_threads() as threads:
            for number in range(5000):
                threads.submit(work, number)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stop()
    assert len(begun) < 5000
