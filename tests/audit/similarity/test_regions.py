from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from covidct.audit.similarity.regions import UNSEEN, divide


def draw_vectors(n: int, *, seed: int = 0) -> NDArray[np.float32]:
    """Vectors of length 1 in lumps, as slices of patients are."""
    rng = np.random.default_rng(seed)
    lumps = rng.normal(size=(n // 10, 12))
    vectors = lumps[rng.integers(len(lumps), size=n)] + 0.4 * rng.normal(size=(n, 12))
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), np.float32)


def test_every_target_is_in_one_region() -> None:
    regions = divide(draw_vectors(500))
    assert sorted(np.concatenate(regions.members).tolist()) == list(range(500))
    assert len(regions.centres) == 22


def test_what_is_compared_is_as_similar_as_it_is() -> None:
    targets = draw_vectors(500)
    seen = np.stack([targets[:40], targets[40:80], -targets[:40]])
    whole = (seen @ targets.T).max(axis=0)
    similar = divide(targets).compare(seen)
    compared = similar > UNSEEN
    # A view may come nearest to a target whose region is near to another view alone.
    assert (similar[compared] <= whole[compared] + 1e-5).all()
    assert np.isclose(similar[compared], whole[compared], atol=1e-5).mean() > 0.8
    assert 0.2 < compared.mean() < 1


def test_the_nearest_are_hardly_ever_missed() -> None:
    targets = draw_vectors(900)
    seen = draw_vectors(900, seed=0)[None] + np.float32(0.05)
    similar = divide(targets).compare(seen)
    assert (similar.argmax(axis=1) == (seen[0] @ targets.T).argmax(axis=1)).mean() > 0.99


def test_a_single_target_is_a_region() -> None:
    targets = draw_vectors(10)[:1]
    assert divide(targets).compare(targets[None]).shape == (1, 1)


def test_the_same_targets_are_divided_alike() -> None:
    first, second = (divide(draw_vectors(300)) for _ in range(2))
    np.testing.assert_array_equal(first.centres, second.centres)
