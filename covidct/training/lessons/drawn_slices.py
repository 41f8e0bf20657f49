"""Synthetic slices to learn from, beside those of patients.

A drawing is like no scanner's picture, so that what is learned of lungs and opacities has to hold where
texture and noise are others. Knows phantoms. Knows nothing of what they teach.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from covidct.data.manifest import DataPlan, Row
from covidct.images.hounsfield import to_display
from covidct.images.phantoms.slice import Phantom, draw_slice
from covidct.training.slices import Slices, to_square

SOURCE = "synthetic"
KINDS = (Phantom.NORMAL, Phantom.LESIONS, Phantom.NORMAL, Phantom.CONSOLIDATION)
FIRST = 10_000  # seed: examples, tests and reference outputs are drawn with smaller ones
WHITE = 255


def with_drawn(slices: Slices, count: int, plan: DataPlan) -> Slices:
    """The slices, and after them `count` synthetic ones: half with clear lungs, half with drawn lesions.

    Their source is `SOURCE`, their finding the kind of phantom; those with lesions are positive.
    """
    if not count:
        return slices
    side, known = slices.pixels.shape[1], len(slices)
    kinds = [KINDS[at % len(KINDS)] for at in range(count)]
    drawn = [draw_slice(kind, seed=FIRST + at) for at, kind in enumerate(kinds)]
    pixels = np.stack([to_square(to_display(one.hu), side) for one in drawn])
    labels = np.array([kind is not Phantom.NORMAL for kind in kinds], np.int64)
    masks = {
        known + at: to_square(one.lesion_mask.astype(np.uint8) * WHITE, side)
        for at, one in enumerate(drawn)
        if labels[at]
    }
    return replace(
        slices,
        pixels=np.concatenate([slices.pixels, pixels]),
        labels=np.concatenate([slices.labels, labels]),
        sources=(*slices.sources, *([SOURCE] * count)),
        rows=(*slices.rows, *(_to_row(kind, at, plan) for at, kind in enumerate(kinds))),
        lesions={**slices.lesions, **masks},
    )


def _to_row(kind: Phantom, at: int, plan: DataPlan) -> Row:
    label = (plan.negative if kind is Phantom.NORMAL else plan.positive)[0]
    name = f"{SOURCE}-{FIRST + at}"
    return Row(Path(name), label, SOURCE, name, "train", "", finding=kind.value)
