"""What is known of a slice beside its label: that it shows no opacity, or how far its label is to be doubted.

Knows rows and what their columns say. A label that holds for a patient may be wrong of one slice; a slice of
another disease is negative and may be full of opacities. Knows nothing of pixels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from covidct.data.manifest import Row

# Source, finding or label (empty: any), and a number between 0 and 1.
Entry = tuple[str, str, float]


@dataclass(frozen=True)
class Teaching:
    """How two questions are taught: whether there is an opacity, and whether it is typical of COVID-19.

    `normal` names slices that show no opacity, and how far to trust that. `doubt` is, of positive slices
    whose label is their patient's, how many in a hundred of those that show nothing carry it, over a hundred.
    The first entry that fits a slice counts. `opacity` is the weight of what is known about the first
    question beyond the label. `lone` is the weight of a label in sources that have no other: there it only
    identifies the source. `views` is how many views are drawn, once, and learned from again and again.
    `phantoms` is how many synthetic slices are learned from, too: half of them clear, half with lesions.
    """

    normal: tuple[Entry, ...] = ()
    doubt: tuple[Entry, ...] = ()
    opacity: float = 1.0
    lone: float = 1.0
    views: int = 0
    phantoms: int = 0


def find_values(rows: Sequence[Row], entries: Sequence[Entry]) -> NDArray[np.float32]:
    """The number of the first entry that fits each row, (N,); 0 where none does."""
    return np.array([_find(row, entries) for row in rows], np.float32)


def find_lone(labels: NDArray[np.int64], sources: Sequence[str]) -> NDArray[np.bool_]:
    """Whether each slice comes from a source with one label only, (N,)."""
    names = np.array(sources)
    mixed = {name for name in set(sources) if len(set(labels[names == name].tolist())) == 2}
    return ~np.isin(names, sorted(mixed))


def _find(row: Row, entries: Sequence[Entry]) -> float:
    fitting = (
        number
        for source, word, number in entries
        if source == row.source and word in ("", row.finding, row.label)
    )
    return next(fitting, 0.0)
