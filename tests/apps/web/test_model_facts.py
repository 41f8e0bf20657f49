from __future__ import annotations

import json
from pathlib import Path

from jsonschema import Draft202012Validator

from bundles import write_tiny_bundle
from covidct.apps.web.model_facts import to_facts
from covidct.apps.web.openapi.schemas import to_schemas
from covidct.inference.bundle import load_bundle

LIMITS = {"body_bytes": 1, "files": 1, "keep_seconds": 1}


def test_the_shipped_models_figures_come_with_their_intervals() -> None:
    facts = to_facts(load_bundle(), "float")
    overall = facts["figures"][0]
    assert overall["name"] == "overall"
    assert overall["slices"] > overall["positives"] > 0
    for name in ("auc", "sensitivity", "specificity"):
        estimate = overall["metrics"][name]
        assert estimate["low"] < estimate["value"] < estimate["high"]
        assert 0 < estimate["n"] <= overall["slices"]
    assert {one["recipe"] for one in facts["external"]} == {"opacity"}
    for one in facts["external"]:
        assert one["auc"]["low"] < one["auc"]["value"] < one["auc"]["high"]
    assert "left out of training" in facts["headlines"][1]


def test_facts_are_of_the_schema(tiny_bundle: Path, tmp_path: Path) -> None:
    schema = to_schemas()["Model"]
    two = write_tiny_bundle(tmp_path / "two", asks_twice=True)
    assert to_facts(load_bundle(two), "float")["series"]["shift"] == 0.5
    for path in (None, tiny_bundle, two):
        facts = json.loads(json.dumps(to_facts(load_bundle(path), "float")))
        Draft202012Validator(schema).validate(facts | {"limits": LIMITS})


def test_a_bundle_without_figures_has_none(tiny_bundle: Path) -> None:
    facts = to_facts(load_bundle(tiny_bundle), "int8")
    assert facts["figures"] == []
    assert (facts["model"], facts["precision"]) == ("tiny-1.2.3", "int8")
    assert [point["name"] for point in facts["operating_points"]] == ["balanced", "sensitive"]
