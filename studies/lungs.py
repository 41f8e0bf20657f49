"""How well a lung finder finds the lungs that readers drew, on slices that it was not trained on.

    python studies/lungs.py FINDER.safetensors MANIFEST.csv [RECIPE.toml]

On the slices of `tune` and `calibrate` with a lung mask and at least 3 % of lung, as they are and in ten
drawn views each: Dice of the shares of lung, and the overlap (IoU) of the box with that of the readers'
lungs.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from covidct.data.manifest import read_manifest, select_rows
from covidct.data.recipe import read_recipe
from covidct.data.split import assign_splits
from covidct.training.fit_lung_finder import Drawn, draw_view, load_finder, read_drawn
from covidct.training.networks.lung_crop import to_box
from covidct.training.networks.lung_finder import CELLS, LungFinder

VIEWS, LEAST = 10, 0.03


def draw_views(drawn: Drawn) -> Drawn:
    """So many views of each slice, always the same."""
    rng = np.random.default_rng(1)
    pairs = zip(drawn.pixels, drawn.lungs, strict=True)
    views = [draw_view(*pair, rng) for pair in pairs for _ in range(VIEWS)]
    return Drawn(np.stack([view for view, _ in views]), np.stack([lungs for _, lungs in views]))


def measure(finder: LungFinder, drawn: Drawn) -> str:
    """Dice and overlap of boxes, means, with the 5th percentile."""
    masks = torch.from_numpy(drawn.lungs).float()[:, None] / 255
    lungs = functional.interpolate(masks, size=(CELLS, CELLS), mode="area")[:, 0]
    with torch.inference_mode():
        found = torch.sigmoid(finder(torch.from_numpy(drawn.pixels)))
    seen = lungs.mean((1, 2)) > LEAST
    found, lungs = found[seen], lungs[seen]
    dice = (2 * (found * lungs).sum((1, 2)) + 1) / (found.sum((1, 2)) + lungs.sum((1, 2)) + 1)
    boxes = overlap(to_box(found), to_box(lungs))
    parts = [
        f"{name} {one.mean():.3f} (5 % below {one.quantile(0.05):.3f})"
        for name, one in (("Dice", dice), ("box", boxes))
    ]
    return f"{len(dice)} slices: {', '.join(parts)}"


def overlap(one: Tensor, other: Tensor) -> Tensor:
    """Intersection over union of boxes (N, 4): (N,)."""
    start, stop = torch.maximum(one[:, :2], other[:, :2]), torch.minimum(one[:, 2:], other[:, 2:])
    both = (stop - start).clamp(0).prod(1)
    return both / (to_area(one) + to_area(other) - both)


def to_area(box: Tensor) -> Tensor:
    """(N, 4) -> (N,)."""
    return (box[:, 2:] - box[:, :2]).prod(1)


def main() -> None:
    """Print a line for slices as they are, and one for views."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("finder", type=Path)
    parser.add_argument("manifest", type=Path)
    parser.add_argument("recipe", type=Path, nargs="?", default=Path("recipes/lung.toml"))
    given = parser.parse_args()
    plan, finder = read_recipe(given.recipe).data, load_finder(given.finder)
    rows = assign_splits(select_rows(read_manifest(given.manifest), plan), plan)
    drawn = read_drawn([row for row in rows if row.split in ("tune", "calibrate")])
    print(f"as they are: {measure(finder, drawn)}\nviews: {measure(finder, draw_views(drawn))}")


if __name__ == "__main__":
    main()
