from __future__ import annotations

from pathlib import Path

import numpy as np

from covidct.data.manifest import Row
from covidct.data.teaching import find_lone, find_values


def make_row(source: str, label: str, finding: str = "") -> Row:
    return Row(Path("a.png"), label, source, "p", "", "", finding=finding)


ROWS = [
    make_row("north", "non-covid", "normal"),
    make_row("north", "covid", "mild"),
    make_row("south", "non-covid"),
    make_row("east", "covid"),
]


def test_the_first_entry_that_fits_a_slice_counts() -> None:
    entries = (("north", "normal", 1.0), ("north", "", 0.5), ("south", "non-covid", 0.25))
    np.testing.assert_array_equal(find_values(ROWS, entries), [1.0, 0.5, 0.25, 0.0])


def test_nothing_is_known_of_a_slice_that_no_entry_names() -> None:
    assert not find_values(ROWS, ()).any()


def test_sources_with_one_label() -> None:
    lone = find_lone(np.array([0, 1, 0, 1]), [row.source for row in ROWS])
    assert lone.tolist() == [False, False, True, True]
