"""The guard of speed compares as it says; what it measures is timed in a step of its own, in scripts/test."""

from __future__ import annotations

import json

import pytest

from benchmarks.guard import ALLOWED, KEPT, VECTORS, find_losses, list_vectors

RATIOS = {"slices": 1.3, "start": 3.4}


def test_what_is_as_fast_or_faster_passes() -> None:
    assert find_losses(RATIOS, RATIOS, ALLOWED) == []
    assert find_losses({"slices": 0.9, "start": 3.4 * ALLOWED}, RATIOS, ALLOWED) == []


def test_a_loss_of_more_than_fifteen_percent_is_named() -> None:
    assert find_losses({"slices": 1.3 * 1.16, "start": 3.4}, RATIOS, ALLOWED) == ["slices"]
    assert find_losses({"slices": 1.3 * 1.14, "start": 3.4 * 1.2}, RATIOS, ALLOWED) == ["start"]


def test_a_ratio_that_was_never_kept_is_no_pass() -> None:
    with pytest.raises(KeyError, match="new"):
        find_losses({"new": 1.0}, RATIOS, ALLOWED)


def test_the_kept_ratios_are_plausible() -> None:
    kept = json.loads(KEPT.read_text(encoding="utf-8"))["ratios"]
    assert len(kept) == 3
    assert all(0.5 < ratio < 10 for ratio in kept.values())


def test_what_is_kept_names_the_processor_it_was_measured_on() -> None:
    kept = json.loads(KEPT.read_text(encoding="utf-8"))
    assert set(kept["vectors"]) <= set(VECTORS)
    assert set(list_vectors()) <= set(VECTORS)
