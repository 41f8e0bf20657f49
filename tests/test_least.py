from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from covidct.bundle import load_bundle
from covidct.decide import to_probability
from covidct.least import find_least
from covidct.pipeline import Classifier
from covidct.session import Session
from covidct.window import to_display
from makers import phantom_hu


def test_no_slice_lies_below() -> None:
    classifier = Classifier.load(precision="float")
    least = classifier.find_least()
    assert least is not None
    found = [classifier.predict(to_display(phantom_hu(seed=seed, size=128))) for seed in range(4)]
    assert all(one.probability is None or one.probability >= least - 1e-3 for one in found)
    assert least < classifier.operating_point.band[1]


def test_it_is_the_probability_of_the_bias() -> None:
    bundle = load_bundle()
    session = Session(bundle.graph("float"))
    outputs = session.run(to_display(phantom_hu(size=128))[None])
    bias = float(outputs.logit[0]) - float(outputs.evidence[0].mean(dtype=np.float64))
    config = bundle.config
    expected = to_probability(bias, temperature=config.temperature, shift=config.shift)
    assert abs((find_least(config, session) or 0) - expected) < 1e-3


def test_where_evidence_may_speak_against_there_is_none(tiny_bundle: Path) -> None:
    bundle = load_bundle(tiny_bundle)
    session = Session(bundle.graph("int8"))
    for recipe in (None, {}, {"network": "mobilenet_v2"}):
        config = replace(bundle.config, training={"recipe": recipe} if recipe is not None else {})
        assert find_least(config, session) is None
