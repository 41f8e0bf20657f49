from __future__ import annotations

from itertools import permutations
from typing import Any

import pytest

from covidct.series.selection import choose
from covidct.series.values import Acquisition, Instance, Series
from covidct.types import Reason

SLICE = Instance("a", None, None, 0.0)


def series(uid: str, *, study: str | None = "1", count: int = 3, **known: Any) -> Series:
    known = dict[str, Any]({"slice_thickness_mm": 2.0, "kernel": "B40f"}) | known
    return Series(uid, "study", Acquisition(study_uid=study, **known), (SLICE,) * count)


@pytest.mark.parametrize(
    ("better", "worse", "why"),
    [
        ({"body_part": "CHEST"}, {"slice_thickness_mm": 1.0}, "names the chest"),
        ({"series_description": "Thorax 2.0"}, {"body_part": "ABDOMEN"}, "names the chest"),
        ({}, {"body_part": "HEAD"}, "names the chest"),
        ({"slice_thickness_mm": 1.0}, {}, "thinner"),
        ({"slice_thickness_mm": 5.0}, {"slice_thickness_mm": 0.5}, "1 to 5 mm thick"),
        ({"slice_thickness_mm": 5.0}, {"slice_thickness_mm": 8.0}, "1 to 5 mm thick"),
        ({}, {"kernel": "BONEPLUS", "slice_thickness_mm": 1.0}, "bones"),
        ({"kernel": "B70f"}, {}, "lungs"),
        ({"kernel": "LUNG"}, {"kernel": "STANDARD"}, "lungs"),
        ({"count": 4}, {}, "more slices"),
        ({}, {}, "comes first"),
    ],
)
def test_the_rule(better: dict[str, Any], worse: dict[str, Any], why: str) -> None:
    one, other = series("1.1", **better), series("1.2", **worse)
    for order in ((one, other), (other, one)):
        chosen, (refused,) = choose(order)
        assert chosen == [one]
        assert (refused.series, refused.reason) == (other, Reason.NOT_CHOSEN)
        assert why in refused.message
        assert refused.message.startswith("study: series 1.2: not read, but series ")


def test_order_does_not_matter() -> None:
    all_of_them = [series(str(at), slice_thickness_mm=at / 2) for at in range(1, 5)]
    assert len({choose(order)[0][0].uid for order in permutations(all_of_them)}) == 1


def test_studies_are_apart() -> None:
    chosen, refused = choose([series("a"), series("b", study="2"), series("c", study=None)])
    assert ([item.uid for item in chosen], refused) == (["a", "b", "c"], [])
