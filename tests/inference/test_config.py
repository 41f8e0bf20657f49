from __future__ import annotations

import json
import math
from typing import Any

import pytest

from bundles import CONFIG_TABLE
from covidct.errors import BundleError
from covidct.inference.config import Cutoffs, External, SeriesCalibration, parse_config
from covidct.types import Estimate, GateLimits

POINT: dict[str, Any] = CONFIG_TABLE["operating_points"][0]
AUC = {"value": 0.8, "low": 0.7, "high": 0.9, "n": 9, "reason": None}


def config(**changes: Any) -> bytes:
    return json.dumps(CONFIG_TABLE | changes).encode()


@pytest.mark.parametrize("number", [0, 1, 3, "2", None])
def test_another_format(number: object) -> None:
    with pytest.raises(BundleError, match=r"has format .*this covidct reads 2"):
        parse_config(config(format=number))


@pytest.mark.parametrize(
    "changes",
    [
        {"temperature": "warm"},
        {"temperature": None},
        {"temperature": 10**400},
        {"labels": {"positive": "covid"}},
        {"labels": []},
        {"window": [-600]},
        {"window": -600},
        {"operating_points": [{"name": "balanced"}]},
        {"operating_points": [{**CONFIG_TABLE["operating_points"][0], "colour": "red"}]},
        {"operating_points": [{**POINT, "band": [0.5]}]},
        {"operating_points": [{**POINT, "alpha": 0.1}]},
        {"operating_points": [{**POINT, "coverage": ["much", 1]}]},
        {"operating_points": [{**POINT, "threshold": "high"}]},
        {"shift": "left"},
        {"prevalence": None},
        {"operating_points": 5},
    ],
)
def test_values_that_make_no_sense(changes: dict[str, object]) -> None:
    with pytest.raises(BundleError, match=r"^here: is not the configuration of a bundle"):
        parse_config(config(**changes), where="here")


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"temperature": 0}, "needs a finite temperature above 0"),
        ({"temperature": -1}, "needs a finite temperature above 0"),
        ({"temperature": math.nan}, "needs a finite temperature above 0"),
        ({"shift": math.inf}, "and a finite shift"),
        ({"prevalence": 0}, "has a prevalence of 0.0, which must lie between 0 and 1"),
        ({"prevalence": 1}, "has a prevalence of 1.0"),
        ({"prevalence": math.nan}, "has a prevalence of nan"),
        ({"window": [math.nan, 1500]}, "needs a finite centre"),
        ({"window": [-600, 0]}, "needs .* a width above 0"),
        ({"window": [-600, math.inf]}, "needs .* a width above 0"),
        ({"operating_points": []}, "needs operating points"),
        ({"operating_points": [POINT, POINT]}, "each with a name of its own"),
        (
            {"operating_points": [POINT | {"threshold": 0.3}]},
            "'balanced' needs its threshold within its band",
        ),
        ({"operating_points": [POINT | {"threshold": math.nan}]}, "needs its threshold within its band"),
        ({"operating_points": [POINT | {"band": [0.6, 0.4]}]}, "needs its threshold within its band"),
        ({"operating_points": [POINT | {"band": [-0.1, 0.6]}]}, "both within 0 to 1"),
        ({"operating_points": [POINT | {"coverage": [1.1, 1]}]}, "'balanced' has a share outside 0 to 1"),
        ({"operating_points": [POINT | {"alpha": [0.1, math.nan]}]}, "'balanced' has a share outside 0 to 1"),
        ({"operating_points": [POINT | {"sensitivity": -1}]}, "'balanced' has a share outside 0 to 1"),
    ],
)
def test_what_cannot_decide(changes: dict[str, object], fault: str) -> None:
    with pytest.raises(BundleError, match=rf"^here: .*{fault}.*; the bundle cannot be used; train it again$"):
        parse_config(config(**changes), where="here")


@pytest.mark.parametrize("key", list(CONFIG_TABLE))
def test_every_key_is_needed(key: str) -> None:
    with pytest.raises(BundleError, match=key):
        parse_config(json.dumps({name: CONFIG_TABLE[name] for name in CONFIG_TABLE if name != key}).encode())


def test_the_limits_of_a_gate() -> None:
    gate = {"classes": ["chest", "not_ct", "not_axial"], "least_chest": -1.5, "least_lung": 0.02}
    config = parse_config(json.dumps(CONFIG_TABLE | {"gate": gate}).encode())
    assert config.gate == GateLimits(("chest", "not_ct", "not_axial"), -1.5, 0.02)
    assert parse_config(json.dumps(CONFIG_TABLE | {"gate": None}).encode()).gate is None
    for wrong in (
        {"classes": ["chest"]},
        {"classes": ["chest", "cat"]},
        {"least_lung": 2},
        {"least_chest": "x"},
    ):
        with pytest.raises(BundleError, match="is not the configuration"):
            parse_config(json.dumps(CONFIG_TABLE | {"gate": gate | wrong}).encode())


CUTOFFS = {"temperature": 1.5, "shift": 0.25, "opacity": 0.4, "typical": [-0.5, 1.0]}
SERIES = {"temperature": 2.0, "shift": 0.5, "operating_points": CONFIG_TABLE["operating_points"]}


def test_findings_and_series_may_be_missing() -> None:
    plain = parse_config(config())
    assert (plain.findings, plain.series) == (None, None)
    assert parse_config(config(findings=None, series=None)) == plain


def test_findings_and_series_are_kept_as_they_are() -> None:
    found = parse_config(config(findings=CUTOFFS, series=SERIES | {"findings": CUTOFFS}))
    assert found.findings == Cutoffs(1.5, 0.25, 0.4, (-0.5, 1.0))
    assert found.series == SeriesCalibration(2.0, 0.5, found.operating_points, found.findings)


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"findings": CUTOFFS | {"temperature": 0}}, "findings: needs a finite temperature"),
        ({"findings": CUTOFFS | {"opacity": 1.5}}, "findings: needs .* opacity in 0 to 1"),
        ({"findings": CUTOFFS | {"typical": [1, 0]}}, "findings: needs .* typical"),
        ({"findings": CUTOFFS | {"typical": 1}}, "findings: typical"),
        ({"findings": {"opacity": 0.5}}, "findings: temperature is missing"),
        ({"series": SERIES | {"findings": {}}}, "series: findings: temperature is missing"),
        ({"series": SERIES | {"temperature": 0}}, "series: needs a finite temperature"),
        ({"series": SERIES | {"operating_points": []}}, "series need operating points of the same names"),
        (
            {"series": SERIES | {"operating_points": [POINT]}},
            "series need operating points of the same names",
        ),
        (
            {
                "series": SERIES
                | {"operating_points": [POINT | {"band": [0.9, 1]}, POINT | {"name": "sensitive"}]}
            },
            "series: operating point 'balanced' needs its threshold within its band",
        ),
    ],
)
def test_findings_and_series_that_cannot_decide(changes: dict[str, object], fault: str) -> None:
    with pytest.raises(BundleError, match=rf"^here: .*{fault}"):
        parse_config(config(**changes), where="here")


def external(recipe: str) -> dict[str, Any]:
    """What is recorded of a benchmark, of a bundle whose recipe is `lung`."""
    row = {"left_out": "north", "recipe": recipe, "metrics": {"auc": AUC}}
    return {"recipe": {"name": "lung"}, "external": {"rows": [row]}}


def test_external_figures_are_of_the_own_recipe_or_say_whose() -> None:
    for recipe in ("lung", "other"):
        found = parse_config(config(training=external(recipe))).training.external
        assert found == (External("north", recipe, Estimate(0.8, 0.7, 0.9, 9)),)


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"temperature": "warm"}, "temperature: "),
        ({"training": {"figures": {"int8": {"protocol": {}}}}}, "training: figures: int8: split is missing"),
        ({"training": {"external": {"rows": []}}}, "training: external: "),
        ({"training": {"splits": 5}}, "training: "),
        ({"training": []}, "training: "),
        ({"site": {"name": "ward"}}, "site: day is missing"),
        ({"gate": {"classes": []}}, "gate: "),
        ({"name": ""}, "name: '' is not a name"),
        ({"name": "x" * 65}, "name: 'x+' is not a name: 1 to 64 characters"),
        ({"version": "1.0\x1b[2J"}, "version: .* is not a name"),
        ({"labels": {"positive": 5, "negative": "no"}}, "labels: positive: 5 is not text"),
        ({"labels": {"positive": "a\nb", "negative": "no"}}, "labels: positive: .* on one line"),
        ({"operating_points": [POINT | {"name": None}]}, "operating_points: name: None is not text"),
    ],
)
def test_an_error_names_the_key(changes: dict[str, object], key: str) -> None:
    with pytest.raises(BundleError, match=rf"^here: is not the configuration of a bundle: {key}"):
        parse_config(config(**changes), where="here")
