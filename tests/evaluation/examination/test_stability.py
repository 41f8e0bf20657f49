from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from bundles import CONFIG_TABLE
from covidct.evaluation.examination.examined_slice import PHANTOM
from covidct.evaluation.examination.renders import Kind
from covidct.evaluation.examination.stability import (
    ALL,
    REAL,
    Answer,
    Trial,
    shortened,
    to_answer,
    to_stabilities,
    try_slice,
)
from covidct.inference.config import Config, parse_config
from covidct.types import Decision, Evidence, Pixels
from figures.examined_slices import Told, make_examined_slice


@pytest.fixture
def config() -> Config:
    return parse_config(json.dumps(CONFIG_TABLE).encode())


def trial(before: float, after: float, *, patient: str = "p", source: str = "north") -> Trial:
    """With a threshold of 0.5 and a band from 0.4 to 0.6."""

    def answer(p: float) -> Answer:
        if 0.4 <= p <= 0.6:
            return Answer(p, Decision.INDETERMINATE)
        return Answer(p, Decision.POSITIVE if p > 0.5 else Decision.NEGATIVE)

    return Trial(f"{patient}.png", source, patient, Kind.JPEG, "q", answer(before), answer(after))


def test_flips_and_doubts_are_told_apart() -> None:
    assert trial(0.1, 0.9).is_flip
    assert trial(0.9, 0.1).is_flip
    assert not trial(0.1, 0.9).is_doubt
    assert trial(0.5, 0.9).is_doubt
    assert trial(0.1, 0.5).is_doubt
    assert not trial(0.1, 0.5).is_flip
    for steady in (trial(0.1, 0.2), trial(0.45, 0.55)):
        assert not steady.is_flip
        assert not steady.is_doubt


def test_figures_of_known_trials() -> None:
    trials = [trial(0.1, 0.12, patient=f"{i}") for i in range(8)]
    trials += [trial(0.1, 0.9, patient="8"), trial(0.1, 0.5, patient="9")]
    whole = to_stabilities(trials)[0]
    assert (whole.source, whole.kind, whole.n, whole.slices) == (REAL, ALL, 10, 10)
    assert whole.change.value == pytest.approx(0.02)
    assert whole.flips.value == pytest.approx(0.1)
    assert whole.doubts.value == pytest.approx(0.1)
    assert not whole.holds
    assert to_stabilities(trials[:8])[0].holds


def test_drawn_slices_are_no_part_of_the_whole() -> None:
    trials = [trial(0.1, 0.1, patient="a"), trial(0.1, 0.9, patient="b", source=PHANTOM)]
    found = to_stabilities(trials)
    assert found[0].flips.value == 0
    assert [(one.source, one.kind) for one in shortened(found)] == [
        (REAL, ALL),
        (REAL, "JPEG"),
        ("north", ALL),
        (PHANTOM, ALL),
    ]
    assert to_stabilities([]) == ()
    assert shortened([]) == []


def test_one_who_does_not_look_is_steady(config: Config) -> None:
    def blind(_: Pixels) -> Evidence:
        return np.ones((2, 2), np.float32)

    trials = try_slice(
        Told(blind), make_examined_slice(), None, config=config, point=config.operating_points[0]
    )
    assert len(trials) == 20
    assert all(one.change == 0 and not one.is_flip for one in trials)


def test_one_who_looks_left_is_not(config: Config) -> None:
    def left(pixels: Pixels) -> Evidence:
        half = pixels.shape[1] // 2
        return np.full((2, 2), 1.0 * pixels[:, :half].mean() - pixels[:, half:].mean(), np.float32)

    config = replace(config, shift=0.0)
    trials = try_slice(
        Told(left), make_examined_slice(), None, config=config, point=config.operating_points[0]
    )
    mirrored = next(one for one in trials if one.kind is Kind.MIRROR)
    assert mirrored.before.probability == pytest.approx(1 - mirrored.after.probability)
    assert mirrored.change > 0


def test_answers_are_the_bundles_own(config: Config) -> None:
    point = config.operating_points[0]
    assert to_answer(config.shift, config, point) == Answer(0.5, Decision.INDETERMINATE)
    assert to_answer(9.0, config, point).decision is Decision.POSITIVE
