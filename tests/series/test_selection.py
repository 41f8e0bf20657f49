from __future__ import annotations

from itertools import permutations
from typing import Any

import pytest

from covidct.series.selection import choose, find_next, fold
from covidct.series.types import Acquisition, Instance, Series
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


@pytest.mark.parametrize(
    ("chest", "elsewhere"),
    [
        ("TÓRAX 5.0", "CRÁNEO 1.5"),
        ("Tórax pulmón", "Cabeza"),
        ("TORAKS", "BEYİN"),
        ("Akciğer", "Karın"),
        ("胸部 5.0", "頭部 1.5"),
        ("肺窗", "腹部"),
        ("ГРУДНАЯ КЛЕТКА", "ГОЛОВА"),
        ("лёгкие", "таз"),
        ("THORAX", "Crâne"),
        ("Poumons", "Tête"),
        ("Lunge", "Schädel"),
        ("Klatka piersiowa", "Głowa"),
        ("흉부", "머리"),
    ],
)
@pytest.mark.parametrize("keyword", ["body_part", "series_description"])
def test_the_chest_is_known_in_other_words(chest: str, elsewhere: str, keyword: str) -> None:
    thick: dict[str, Any] = {"slice_thickness_mm": 5.0, keyword: chest}
    thin: dict[str, Any] = {"slice_thickness_mm": 1.0, keyword: elsewhere}
    unnamed: dict[str, Any] = {"slice_thickness_mm": 1.0}
    for worse, better in ((thin, thick), (unnamed, thick), (thin, {})):
        (chosen,), _ = choose([series("1", **worse), series("2", **better)])
        assert chosen.uid == "2"


def test_the_description_counts_before_the_body_part() -> None:
    both: dict[str, Any] = {
        "body_part": "CHEST",
        "slice_thickness_mm": 1.0,
        "series_description": "Abdomen Becken",
    }
    (chosen,), _ = choose([series("1", **both), series("2", body_part="CHEST", series_description="Lunge")])
    assert chosen.uid == "2"


def test_folding() -> None:
    assert fold("TÓRAX Głowa İ ё 흉부 Ø") == "torax glowa i е 흉부 o"


def test_two_patients_never_share_a_study() -> None:
    chosen, refused = choose([series("a", patient_id="A"), series("b", patient_id="B")])
    assert (len(chosen), refused) == (2, [])


def test_the_next_of_a_study() -> None:
    thick = [series(str(at), slice_thickness_mm=at) for at in (3.0, 2.0, 1.0)]
    (chosen,), refused = choose([*thick, series("x", study="2")][:3])
    assert chosen is thick[2]
    assert find_next(chosen, refused) is refused[0]
    assert [one.series.uid for one in refused] == ["2.0", "3.0"]
    assert find_next(series("x", study="2"), refused) is None
