from __future__ import annotations

from dataclasses import replace

import numpy as np

from covidct.evaluation.examination.lung_outline import Origin, outline_lungs
from covidct.types import Evidence, Pixels
from figures.examined_slices import Told, make_examined_slice

EXAMINED = make_examined_slice(size=128)
assert EXAMINED.lungs is not None
LUNGS = EXAMINED.lungs
UNKNOWN = replace(EXAMINED, lungs=None)


def finds(shares: Evidence) -> Told:
    return Told(lambda _: shares)


def nothing(_: Pixels) -> Evidence:
    return np.zeros((48, 48), np.float32)


def test_a_readers_mask_comes_first() -> None:
    found = outline_lungs(EXAMINED, finds(np.ones((48, 48), np.float32)))
    assert found is not None
    assert found.origin is Origin.MASK
    assert found.inside[LUNGS].all()
    assert found.inside.mean() < 0.7


def test_then_the_graph() -> None:
    shares = LUNGS[1::4, 1::4].astype(np.float32)
    found = outline_lungs(UNKNOWN, finds(shares))
    assert found is not None
    assert found.origin is Origin.GRAPH
    assert found.inside[LUNGS].mean() > 0.98


def test_then_grey_levels() -> None:
    for finder in (None, Told(nothing)):
        found = outline_lungs(UNKNOWN, finder)
        assert found is not None
        assert found.origin is Origin.GREYS
        # Solid lesions are within the hull.
        assert found.inside[LUNGS].mean() > 0.95
        assert found.inside.mean() < 0.7


def test_a_slice_without_lung_has_none() -> None:
    tissue = np.full((128, 128), 190, np.uint8)
    assert outline_lungs(replace(UNKNOWN, pixels=tissue), Told(nothing)) is None
    assert outline_lungs(replace(EXAMINED, lungs=np.zeros_like(LUNGS)), None) is None
