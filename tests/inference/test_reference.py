from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from covidct.images.phantoms.slice import Phantom
from covidct.inference.bundle import GRAPHS, REFERENCE, Bundle, load_bundle
from covidct.inference.reference import (
    SEEDS,
    SIZE,
    TOLERANCES,
    check_reference,
    draw_references,
    to_reference,
)
from covidct.inference.session import Session
from covidct.types import Precision


@pytest.fixture(scope="module")
def tiny(tiny_bundle: Path) -> Bundle:
    return load_bundle(tiny_bundle)


@pytest.fixture(scope="module")
def sessions(tiny: Bundle) -> dict[Precision, Session]:
    return {name: Session(tiny.graph(name), threads=1) for name in GRAPHS}


def recorded(bundle: Bundle) -> dict[str, Any]:
    reference: dict[str, Any] = json.loads(bundle.files[REFERENCE])
    return reference


def test_the_phantoms_are_drawn_again_alike() -> None:
    first, second = draw_references(), draw_references()
    assert len(first) == len(Phantom) * len(SEEDS) + 1
    for name, pixels in first.items():
        assert pixels.shape == (SIZE, SIZE)
        assert pixels.dtype == np.uint8
        np.testing.assert_array_equal(pixels, second[name])


def test_what_is_recorded(tiny: Bundle, sessions: dict[Precision, Session]) -> None:
    reference = to_reference(sessions)
    assert reference == recorded(tiny)
    assert (reference["size"], reference["tolerances"]) == (SIZE, TOLERANCES)
    assert set(reference["logits"]) == set(GRAPHS)


def test_the_same_answers_are_no_distance_apart(tiny: Bundle, sessions: dict[Precision, Session]) -> None:
    apart = check_reference(sessions, recorded(tiny))
    assert set(apart) == set(GRAPHS)
    assert max(apart.values()) < 0.01


def test_one_other_answer_is_seen(tiny: Bundle, sessions: dict[Precision, Session]) -> None:
    reference = recorded(tiny)
    reference["logits"]["float"]["lesions-11"] -= 3 * TOLERANCES["float"]
    apart = check_reference(sessions, reference)
    assert apart["float"] == pytest.approx(3, abs=0.01)
    assert apart["int8"] < 0.01


def test_the_shipped_bundle_records_all_phantoms() -> None:
    """Whether they are answered alike here is tested by `covidct info --check`."""
    reference = recorded(load_bundle())
    assert set(reference["logits"]) == set(GRAPHS)
    names = set(draw_references())
    for logits in reference["logits"].values():
        assert set(logits) == names
        assert np.isfinite(list(logits.values())).all()
        worst = min(logits[f"lesions-{seed}"] for seed in SEEDS)
        assert worst > max(logits[f"normal-{seed}"] for seed in SEEDS)


@pytest.mark.parametrize(
    "changes",
    [
        {"tolerances": {"float": 1e9, "int8": 0.5}},
        {"tolerances": {"float": math.nan, "int8": 0.5}},
        {"tolerances": {"float": 0, "int8": 0.5}},
        {"logits": {"float": {"normal-1": math.nan}, "int8": {}}},
        {"logits": {"float": {"normal-1": math.inf}, "int8": {}}},
        {"logits": {"float": {}, "int8": {}}},
    ],
)
def test_a_reference_that_anything_would_pass_is_none(
    tiny: Bundle, sessions: dict[Precision, Session], changes: dict[str, Any]
) -> None:
    with pytest.raises(ValueError, match=r"needs finite logits, and a tolerance|empty"):
        check_reference(sessions, recorded(tiny) | changes)
