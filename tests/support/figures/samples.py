"""Labelled slices with probabilities and patients: drawn by Hypothesis, and by hand."""

from __future__ import annotations

from hypothesis import strategies as st

# Ten slices by hand: at 0.5 there are 3 true and 2 false positives, 1 false and 4 true negatives.
HAND_LABELS = [1, 1, 1, 1, 0, 0, 0, 0, 0, 0]
HAND_SCORES = [0.9, 0.8, 0.7, 0.2, 0.6, 0.5, 0.4, 0.3, 0.1, 0.1]

Sample = tuple[list[int], list[float], list[int]]


@st.composite
def samples(draw: st.DrawFn) -> Sample:
    """Slices of some patients, with ties, single classes and single patients among them."""
    n = draw(st.integers(1, 40))
    grid = st.integers(0, 1000).map(lambda k: k / 1000)
    labels = draw(st.lists(st.integers(0, 1), min_size=n, max_size=n))
    probabilities = draw(st.lists(grid, min_size=n, max_size=n))
    return labels, probabilities, draw(st.lists(st.integers(0, 12), min_size=n, max_size=n))
