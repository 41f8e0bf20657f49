from __future__ import annotations

from pathlib import Path

import pytest

from covidct.apps.web.problem import Problem
from covidct.apps.web.query import Asking, parse_asking, parse_window
from covidct.images.hounsfield import WINDOWS
from covidct.inference.bundle import load_bundle


@pytest.mark.parametrize(
    ("fields", "asked"),
    [
        ({}, Asking()),
        ({"operating_point": "", "prevalence": ""}, Asking()),
        ({"operating_point": "sensitive"}, Asking("sensitive")),
        ({"prevalence": "0.05"}, Asking(prevalence=0.05)),
    ],
)
def test_fields_are_read(fields: dict[str, str], asked: Asking, tiny_bundle: Path) -> None:
    assert parse_asking(fields, load_bundle(tiny_bundle)) == asked


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"operating_point": "best"}, "balanced, sensitive"),
        (
            {"prevalance": "0.05"},
            "'prevalance' is not a field or parameter here; prevalence may be meant.",
        ),
        ({"else": "x"}, "there are operating_point, prevalence"),
        ({"operating_point": "Balanced"}, "balanced, sensitive"),
        *(
            ({"prevalence": text}, "between 0 and 1")
            for text in ("0", "1", "-1", "5", "nan", "inf", "x", "0,5")
        ),
    ],
)
def test_values_that_cannot_be_are_told(fields: dict[str, str], said: str, tiny_bundle: Path) -> None:
    with pytest.raises(Problem) as caught:
        parse_asking(fields, load_bundle(tiny_bundle))
    assert caught.value.status == 422
    assert said in caught.value.detail


def test_windows_go_by_name() -> None:
    assert parse_window(None) is None
    assert [parse_window(name) for name in WINDOWS] == ["lung", "soft", "bone"]
    for text in ("", "Lung", "brain", "-600,1500"):
        with pytest.raises(Problem, match="lung, soft, bone") as caught:
            parse_window(text)
        assert caught.value.status == 422
