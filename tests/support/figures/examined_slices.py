"""What tests examine: phantoms as examined slices, and sessions that answer as they are told."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np

from covidct.data.manifest import Row
from covidct.data.masks import Mask
from covidct.evaluation.examination.examined_slice import draw_examined_slice
from covidct.images.hounsfield import to_display
from covidct.images.phantoms.slice import Phantom, draw_slice
from covidct.inference.session import Outputs, Session
from covidct.types import WHOLE, Evidence, Pixels
from makers import write_png


class Told(Session):
    """Answers with the mean of the map that it is told to give of each slice (H, W)."""

    def __init__(
        self, to_map: Callable[[Pixels], Evidence], *, box: tuple[float, ...] = (0, 0, 1, 1)
    ) -> None:
        self._to_map, self._box = to_map, box

    def run(self, slices: Pixels) -> Outputs:
        evidence = np.stack([self._to_map(pixels) for pixels in slices]).astype(np.float32)
        box = np.tile(np.array(WHOLE, np.float32), (len(slices), 1))
        return Outputs(evidence.mean((1, 2)), evidence, box)


make_examined_slice = partial(draw_examined_slice, size=96, source="drawn")


def write_masked(folder: Path, *, turn: int = 0, count: int = 3, size: int = 96) -> list[Row]:
    """Phantoms with and without lesions, masks beside them, those of lesions turned clockwise."""
    for name in ("image", *Mask):
        (folder / name).mkdir(parents=True)
    rows = []
    for seed in range(count):
        for kind, label in ((Phantom.LESIONS, "covid"), (Phantom.NORMAL, "non-covid")):
            drawn = draw_slice(kind, seed=seed, size=size)
            path = write_png(folder / "image" / f"{label}-{seed}.png", to_display(drawn.hu))
            write_png(folder / Mask.LUNG / path.name, drawn.lung_mask * np.uint8(255))
            lesions = np.ascontiguousarray(np.rot90(drawn.lesion_mask, -turn))
            write_png(folder / Mask.LESION / path.name, lesions * np.uint8(255))
            rows.append(Row(path, label, "masked", f"{seed}", "tune", ""))
    return rows
