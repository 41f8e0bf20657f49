from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bundles import write_tiny_bundle
from covidct import Classifier
from covidct.evaluation.card.failures import (
    EACH,
    SHOWN,
    TRUTH,
    Gallery,
    answer_phantoms,
    draw_slices,
    plot_failures,
    to_markdown,
)


@pytest.fixture(scope="module")
def gallery(tmp_path_factory: pytest.TempPathFactory) -> Gallery:
    return answer_phantoms(Classifier.load(write_tiny_bundle(tmp_path_factory.mktemp("model") / "bundle")))


def test_every_kind_is_drawn_in_every_view_and_always_the_same() -> None:
    first, second = list(draw_slices()), list(draw_slices())
    assert len({one.name for one in first}) == len(first) == len(TRUTH) * EACH * 4
    assert {one.label for one in first} == {0, 1}
    for one, again in zip(first, second, strict=True):
        assert one.pixels.dtype == np.uint8
        assert np.array_equal(one.pixels, again.pixels)


def test_all_are_answered_or_refused_and_the_worst_come_first(gallery: Gallery) -> None:
    assert len(gallery.scored) + len(gallery.refused) == len(TRUTH) * EACH * 4
    losses = [mistake.loss for mistake in gallery.mistakes]
    assert losses == sorted(losses, reverse=True)
    assert len(losses) == SHOWN
    assert all(picture is not None for picture in gallery.pictures)


def test_the_table_counts_wrong_unsure_and_refused(gallery: Gallery) -> None:
    rows = [
        [cell.strip() for cell in line.split("|")[1:-1]] for line in to_markdown(gallery).splitlines()[2:]
    ]
    assert len(rows) == len(TRUTH) * 4
    assert all(row[2] == f"{EACH}" for row in rows)
    # The tiny graph calls what is bright positive: the dark ones with lesions are missed.
    wrong = sum(
        one.decision != "indeterminate" and (one.probability >= gallery.threshold) != bool(one.label)
        for one in gallery.scored
    )
    assert sum(int(row[3]) for row in rows) == wrong > 0
    assert sum(int(row[5]) for row in rows) == len(gallery.refused)


def test_the_sheet_is_drawn(gallery: Gallery, tmp_path: Path) -> None:
    plot_failures(gallery, tmp_path / "failures.png")
    assert (tmp_path / "failures.png").read_bytes().startswith(b"\x89PNG")
    with pytest.raises(ValueError, match="nothing to show"):
        plot_failures(Gallery((), gallery.refused, (), (), 0.5), tmp_path / "none.png")
