from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from covidct.apps.web.model_facts import to_facts
from covidct.apps.web.openapi.schemas import to_schemas
from covidct.inference.bundle import CARD, load_bundle
from covidct.inference.headlines import to_abroad


def test_the_shipped_models_figures_come_with_their_intervals() -> None:
    facts = to_facts(load_bundle(), "float")
    overall = facts["figures"][0]
    assert overall["name"] == "overall"
    assert overall["slices"] > overall["positives"] > 0
    for name in ("auc", "sensitivity", "specificity"):
        estimate = overall["metrics"][name]
        assert estimate["low"] < estimate["value"] < estimate["high"]
        assert 0 < estimate["n"] <= overall["slices"]
    assert any("abroad" in line for line in facts["headlines"])
    assert [one["source"] for one in facts["abroad"]] == ["covid-ct", "sarscov2-ct"]
    for one in facts["abroad"]:
        assert 0.5 < one["auc"]["low"] < one["auc"]["value"] < one["auc"]["high"] < 1


@pytest.mark.parametrize(
    ("line", "found"),
    [
        (
            "**AUC abroad, on sources (95 % interval): a.b 0.704 (0.638–0.768).**",
            [("a.b", 0.704, 0.638, 0.768)],
        ),
        (
            "**AUC abroad, x (95 % interval): a (recipe levels) 0.70; b c 1.000 (0.9–1.0).**",
            [("a (recipe levels)", 0.7, None, None), ("b c", 1.0, 0.9, 1.0)],
        ),
        ("**AUC on `tune`, at home (95 % interval): overall 0.92.**", []),
        ("No source left out of training had both labels, so there is no AUC abroad.", []),
    ],
)
def test_figures_abroad_are_read_from_the_card(
    tiny_bundle: Path, line: str, found: list[tuple[str, float, float | None, float | None]]
) -> None:
    bundle = load_bundle(tiny_bundle)
    bundle = replace(bundle, files={**bundle.files, CARD: f"# A card\n\n{line}\n".encode()})
    assert [(one["source"], *one["auc"].values()) for one in to_abroad(bundle)] == found


def test_facts_are_of_the_schema(tiny_bundle: Path) -> None:
    schema = to_schemas()["Model"]
    for path in (None, tiny_bundle):
        facts = json.loads(json.dumps(to_facts(load_bundle(path), "float")))
        limits = {"body_bytes": 1, "files": 1, "keep_seconds": 1}
        Draft202012Validator(schema).validate(facts | {"limits": limits})


def test_a_bundle_without_figures_has_none(tiny_bundle: Path) -> None:
    facts = to_facts(load_bundle(tiny_bundle), "int8")
    assert facts["figures"] == []
    assert (facts["model"], facts["precision"]) == ("tiny-1.2.3", "int8")
    assert [point["name"] for point in facts["operating_points"]] == ["balanced", "sensitive"]
