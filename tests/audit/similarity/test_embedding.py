from __future__ import annotations

import cv2
import numpy as np
import pytest

from covidct.audit.similarity.embedding import (
    FEW,
    Vectors,
    describe,
    fit_projection,
    halve,
    make_views,
    show_whole,
    to_operator,
)
from covidct.images.hounsfield import to_display
from covidct.images.phantoms.slice import Phantom, draw_phantom
from covidct.types import Pixels

SLICES = [to_display(draw_phantom(Phantom.LESIONS, seed=seed, size=96)) for seed in range(FEW)]


def to_vectors(*pictures: Pixels) -> Vectors:
    return describe(halve(pictures), show_whole())


def similarity(set_of: list[Pixels], first: Pixels, second: Pixels) -> float:
    projection = fit_projection(to_vectors(*set_of))
    one, other = projection.apply(to_vectors(first, second))
    return float(one @ other)


def test_every_view_keeps_the_middle_in_sight() -> None:
    views = make_views()
    assert views.shape == (178, 2, 3)
    middles = views @ np.array([47.5, 47.5, 1])
    assert np.abs(middles - 47.5).max() <= 9.6 + 1e-3


def test_crops_reach_every_corner() -> None:
    """Of the crops, some begin at the first pixel, some end at the last."""
    corners = make_views() @ np.array([[-0.5, 95.5], [-0.5, 95.5], [1, 1]])
    crops = corners[
        [abs(np.linalg.det(view[:, :2]) - 0.64) < 1e-3 and view[0, 0] > 0 for view in make_views()]
    ]
    assert len(crops) == 81
    assert crops.min() == pytest.approx(-0.5, abs=0.01)
    assert crops.max() == pytest.approx(95.5, abs=0.01)


def test_the_view_that_undoes_a_mirror_is_there() -> None:
    mirrored, whole = halve([SLICES[0][:, ::-1]]), to_vectors(SLICES[0])
    nearest = min(np.abs(describe(mirrored, to_operator(view)) - whole).max() for view in make_views())
    assert nearest < 1e-4


def test_a_view_is_what_opencv_would_show() -> None:
    for view in make_views()[[0, 30, 75, 100]]:
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        shown = cv2.warpAffine(SLICES[0], view, (96, 96), flags=flags, borderMode=cv2.BORDER_REPLICATE)
        wanted = cv2.resize(shown, (16, 16), interpolation=cv2.INTER_AREA).ravel()
        given = to_operator(view) @ halve([SLICES[0]])[0]
        assert np.corrcoef(given, wanted)[0, 1] > 0.99  # of half the size, so a little softer


def test_contrast_drops_out_of_the_descriptor() -> None:
    dull = (SLICES[0] // 2 + 30).astype(np.uint8)
    np.testing.assert_allclose(to_vectors(dull), to_vectors(SLICES[0]), atol=0.05)


def test_a_blank_has_no_descriptor() -> None:
    assert np.abs(to_vectors(np.full((96, 96), 90, np.uint8))).max() < 1e-3


@pytest.mark.parametrize("n", [1, FEW - 1, FEW])
def test_vectors_have_length_one(n: int) -> None:
    vectors = fit_projection(to_vectors(*SLICES[:n])).apply(to_vectors(*SLICES))
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)


def test_whitening_sets_patients_apart() -> None:
    few, many = (similarity(SLICES[:n], SLICES[0], SLICES[1]) for n in (FEW - 1, FEW))
    assert many < few - 0.2


def test_slices_that_differ_in_noise_alone_stay_together() -> None:
    """Whitened without a floor, their noise would make them strangers."""
    rng = np.random.default_rng(0)
    noisy = [np.clip(SLICES[0] + rng.normal(0, 3, (96, 96)), 0, 255).astype(np.uint8) for _ in range(FEW)]
    assert similarity(noisy, noisy[0], noisy[1]) > 0.9


def test_a_set_of_blanks_has_a_projection() -> None:
    blanks = [np.full((96, 96), level, np.uint8) for level in range(FEW)]
    vectors = to_vectors(*blanks)
    assert np.isfinite(fit_projection(vectors).apply(vectors)).all()
