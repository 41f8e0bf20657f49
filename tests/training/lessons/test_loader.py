from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

import pytest
import torch

from covidct.training.lessons.loader import Part, read_ahead
from covidct.training.machine.processes import ALONE, Processes
from covidct.training.slices import Batch, Draws


def test_batches_that_are_read_ahead_come_in_order() -> None:
    batches = cast(Any, list(range(1, 20)))
    assert list(read_ahead(iter(batches))) == batches


def test_what_goes_wrong_in_the_thread_is_raised_where_it_is_read() -> None:
    def fail() -> Iterator[Batch]:
        yield cast(Any, 1)
        raise RuntimeError("broken slice")

    ahead = read_ahead(fail())
    assert next(ahead) == cast(Any, 1)
    with pytest.raises(RuntimeError, match="broken slice"):
        next(ahead)


def test_the_parts_of_processes_make_up_what_one_would_draw() -> None:
    draws = Draws(torch.ones(30, dtype=torch.float64), count=22, seed=1)
    whole = list(Part(draws, ALONE, batch=4))
    parts = [Part(draws, Processes(rank, 2), batch=4) for rank in (0, 1)]
    assert [len(part) for part in parts] == [10, 10]
    assert sorted(key for part in parts for key in part) == sorted(whole[:20])
    assert whole == list(draws)
