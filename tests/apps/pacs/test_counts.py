from __future__ import annotations

import json

import pytest

from covidct.apps.pacs.counts import NAMES, Counts


def test_every_counter_is_there_from_the_start() -> None:
    counts = Counts()
    assert json.loads(counts.to_json()) == dict.fromkeys(NAMES, 0)
    assert counts.to_line() == "nothing yet"


def test_counting() -> None:
    counts = Counts()
    counts.add("instances_kept")
    counts.add("instances_kept", 2)
    assert counts["instances_kept"] == 3
    assert counts.to_line() == "instances_kept 3"
    with pytest.raises(KeyError):
        counts.add("unheard_of")
