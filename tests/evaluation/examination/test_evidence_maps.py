from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from covidct.evaluation.examination.evidence_maps import (
    NO_PLACE,
    Explanation,
    correlate,
    explain_slice,
    to_explanations,
)
from covidct.evaluation.examination.examined_slice import ExaminedSlice
from covidct.evaluation.examination.pointing import LEVEL
from covidct.images.phantoms.slice import Phantom
from covidct.types import WHOLE, Evidence, Pixels
from figures.examined_slices import Told, make_examined_slice

SICK = [make_examined_slice(seed=seed) for seed in range(4)]
WELL = make_examined_slice(Phantom.NORMAL, seed=9)
KNOWN = {examined.pixels.tobytes(): examined for examined in (*SICK, WELL)}


def lesions_of(pixels: Pixels) -> Evidence:
    """Evidence that is exactly the lesions."""
    lesions = KNOWN[pixels.tobytes()].lesions
    assert lesions is not None
    return np.where(lesions, 2 * LEVEL, 0).astype(np.float32)


def corner_of(pixels: Pixels) -> Evidence:
    evidence = np.zeros(pixels.shape, np.float32)
    evidence[0, 0] = 9
    return evidence


def noise_of(pixels: Pixels) -> Evidence:
    return np.random.default_rng(int(pixels.sum())).random(pixels.shape, np.float32)


def cell_of(_: Pixels) -> Evidence:
    return np.ones((1, 1), np.float32)


def nothing_of(pixels: Pixels) -> Evidence:
    return np.full(pixels.shape, -1, np.float32)


def explain(session: Told, *, shuffled: dict[str, list[Told]] | None = None) -> Explanation:
    slices: list[ExaminedSlice] = [*SICK, WELL]
    (found,) = to_explanations(
        [explain_slice(session, one, trained=session, shuffled=shuffled or {}) for one in slices]
    )
    return found


def test_a_session_that_shows_the_lesions() -> None:
    found = explain(Told(lesions_of))
    assert (found.slices, found.with_lesions, found.groups) == (5, 4, 5)
    for name in ("hit", "near", "inside", "inside_near", "auc"):
        assert found.figures[name].value == pytest.approx(1), name
    assert found.figures["iou"].value == pytest.approx(1)
    # The exact interval of four of four.
    assert found.figures["hit"].low == pytest.approx(0.398, abs=0.001)


def test_a_session_that_points_at_a_corner() -> None:
    found = explain(Told(corner_of))
    assert [found.figures[name].value for name in ("hit", "near", "iou", "inside")] == [0, 0, 0, 0]
    chance = found.chances["hit"].value
    assert chance is not None
    assert 0.05 < chance < 0.5


def test_a_map_of_one_cell_is_not_applicable() -> None:
    found = explain(Told(cell_of), shuffled={"all layers": [Told(cell_of)]})
    for estimate in found.figures.values():
        assert (estimate.value, estimate.reason) == (None, NO_PLACE)
    assert found.shuffled == {}
    assert found.chances["hit"].value is not None


def test_evidence_against_disease_points_at_nothing() -> None:
    found = explain(Told(nothing_of))
    assert found.figures["hit"].value == 0
    assert found.figures["inside"].reason == "undefined: no evidence"


def test_shuffled_maps_fall_to_chance() -> None:
    found = explain(Told(lesions_of), shuffled={"all layers": [Told(noise_of)], "none": [Told(lesions_of)]})
    disorder, order = found.shuffled["all layers"], found.shuffled["none"]
    assert order["correlation"].value == pytest.approx(1)
    assert order["hit"].value == 1
    assert disorder["correlation"].value == pytest.approx(0, abs=0.1)
    assert disorder["auc"].value == pytest.approx(0.5, abs=0.05)


def test_disorders_are_averaged() -> None:
    found = explain(Told(lesions_of), shuffled={"half": [Told(corner_of), Told(lesions_of)]})
    assert found.shuffled["half"]["hit"].value == pytest.approx(0.5)


def test_correlation_asks_the_lungs_only() -> None:
    examined = SICK[0]
    assert examined.lungs is not None
    lungs = examined.lungs
    rng = np.random.default_rng(0)
    first, second = (rng.random(lungs.shape).astype(np.float32) * lungs for _ in range(2))
    found = correlate(first, second, WHOLE, examined)
    assert found is not None
    assert abs(found) < 0.1
    assert np.corrcoef(first.ravel(), second.ravel())[0, 1] > 0.5
    assert correlate(first, np.zeros_like(first), WHOLE, examined) is None
    empty = replace(examined, lungs=np.zeros_like(lungs))
    assert correlate(first, second, WHOLE, empty) is None


def test_without_slices_there_is_no_source() -> None:
    assert to_explanations([]) == ()
