from __future__ import annotations

import numpy as np
import pytest

from covidct.data.balance import to_weights


def test_labels_of_a_source_weigh_the_same_however_many_there_are() -> None:
    labels = np.array([1] * 2 + [0] * 8)
    weights = to_weights(labels, ["a"] * 10)
    assert weights[labels == 1].sum() == pytest.approx(weights[labels == 0].sum())
    assert weights.sum() == pytest.approx(1)


def test_a_source_weighs_by_the_root_of_its_size_and_half_with_one_label() -> None:
    labels = np.array([0, 1] * 50 + [0, 1] * 2 + [0] * 4)
    sources = ["large"] * 100 + ["small"] * 4 + ["negative"] * 4
    weights = to_weights(labels, sources)
    share = {name: weights[np.array(sources) == name].sum() for name in set(sources)}
    assert share["large"] / share["small"] == pytest.approx(5)
    assert share["small"] / share["negative"] == pytest.approx(2)
