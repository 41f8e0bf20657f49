from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from bundles import BIASES
from covidct.inference.bundle import load_bundle
from covidct.inference.classifier import find_min_probability
from covidct.inference.config import Config
from covidct.inference.decision import to_probability
from covidct.inference.session import Session


def with_recipe(config: Config, **recipe: object) -> Config:
    return replace(config, training=replace(config.training, recipe=recipe))


def test_it_is_the_probability_of_the_bias(tiny_bundle: Path) -> None:
    bundle = load_bundle(tiny_bundle)
    session = Session(bundle.graph("float"))
    config = with_recipe(bundle.config, network="lung_net")
    expected = to_probability(BIASES["float"], temperature=config.temperature, shift=config.shift)
    assert abs((find_min_probability(config, session) or 0) - expected) < 1e-3
    assert (
        find_min_probability(with_recipe(bundle.config, network="lung_net", context=0.0), session) is not None
    )
    assert find_min_probability(with_recipe(bundle.config, network="lung_net", context=0.5), session) is None


def test_where_evidence_may_speak_against_there_is_none(tiny_bundle: Path) -> None:
    bundle = load_bundle(tiny_bundle)
    session = Session(bundle.graph("int8"))
    for config in (with_recipe(bundle.config), with_recipe(bundle.config, network="mobilenet_v2")):
        assert find_min_probability(config, session) is None
