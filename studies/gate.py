"""What a gate refuses of pictures that it was not trained on: cross-validation over what is no chest CT.

    python studies/gate.py FINDER.safetensors MANIFEST.csv [RECIPE.toml]

The head is trained anew for each of five folds, without the pictures of that fold; its limits are chosen on
real slices of `tune` and `calibrate`, as in `covidct train`. Pictures made in code are in every training. The
finder, and the slices that the limits come from, are the same in all folds.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from covidct.data.manifest import read_manifest, select_rows
from covidct.data.pixels import read_pixels
from covidct.data.recipe import read_recipe
from covidct.data.split import assign_splits
from covidct.inference.gate import check_view
from covidct.stats.estimate import exact_interval
from covidct.training.fit_lung_finder import KEPT, load_finder
from covidct.training.gate.examples import Exhibits, measure_lungs, read_exhibits
from covidct.training.gate.fit_gate import choose_limits, describe_pictures, describe_views, fit_head
from covidct.training.networks.gate_head import CHEST, GateHead
from covidct.training.networks.lung_finder import LungFinder
from covidct.training.slices import to_square
from covidct.types import GateLimits

FOLDS = 5


@dataclass(frozen=True)
class Seen:
    """What a finder sees in pictures: descriptions (N, D) for the head, and shares of lung (N,)."""

    descriptions: torch.Tensor
    lungs: NDArray[np.float32]

    @classmethod
    def of(cls, finder: LungFinder, pixels: NDArray[np.uint8]) -> Seen:
        """Squares (N, 160, 160) uint8, display."""
        parts = [describe_pictures(finder, pixels[at : at + 64]) for at in range(0, len(pixels), 64)]
        return cls(torch.cat(parts), measure_lungs(finder, pixels))

    def judge(self, head: GateHead) -> NDArray[np.float32]:
        """Logits (N, K)."""
        with torch.inference_mode():
            return head.classify(self.descriptions).numpy()


def fold_strangers(exhibits: Exhibits) -> NDArray[np.int64]:
    """The fold of each exhibit, every source over all folds; -1 for chests."""
    folds = np.full(len(exhibits.classes), -1)
    for name in sorted({*exhibits.classes} - {CHEST}):
        for places in exhibits.kinds(name).values():
            folds[places] = np.arange(len(places)) % FOLDS
    return folds


def refuse(seen: Seen, head: GateHead, limits: GateLimits, places: NDArray[np.int64]) -> Iterator[int]:
    """Those of the places that are refused."""
    logits = seen.judge(head)
    for at in places:
        if not check_view(logits[at], float(seen.lungs[at]), limits).accepted:
            yield int(at)


def to_line(source: str, flags: Sequence[bool]) -> str:
    """How many of a source were refused."""
    low, high = exact_interval(sum(flags), len(flags))
    return f"{source:<22} {sum(flags)} of {len(flags)} refused ({low:.1%} to {high:.1%})"


def main() -> None:
    """Print what is refused, source by source."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("finder", type=Path)
    parser.add_argument("manifest", type=Path)
    parser.add_argument("recipe", type=Path, nargs="?", default=Path("recipes/lung.toml"))
    given = parser.parse_args()
    recipe, manifest, finder = (
        read_recipe(given.recipe),
        read_manifest(given.manifest),
        load_finder(given.finder),
    )
    rows = assign_splits(select_rows(manifest, recipe.data), recipe.data)
    chests = [row for row in rows if row.split == "train"]
    exhibits = read_exhibits(chests, manifest.rows, recipe.gate, finder)
    described = describe_views(exhibits, finder, count=recipe.gate.views, seed=recipe.seed)
    spared = [row for row in rows if row.split in ("tune", "calibrate")]
    real = Seen.of(
        finder, np.stack([to_square(slice_, KEPT) for slice_ in read_pixels(spared, label="limits")])
    )
    strangers, folds = Seen.of(finder, exhibits.pixels), fold_strangers(exhibits)
    refused: set[int] = set()
    for fold in range(FOLDS):
        places = np.flatnonzero(folds == fold)
        head = fit_head(described, seed=recipe.seed, without=places.tolist())
        limits = choose_limits(real.judge(head), real.lungs)
        print(f"fold {fold + 1}: {len(places)} pictures, limit {limits.min_chest:.2f}")
        refused |= set(refuse(strangers, head, limits, places))
    counts: dict[str, list[bool]] = defaultdict(list)
    for at in np.flatnonzero(folds >= 0):
        counts[exhibits.sources[at]].append(int(at) in refused)
    for source, flags in sorted(counts.items()):
        print(to_line(source, flags))
    print(to_line("all", [*chain.from_iterable(counts.values())]))


if __name__ == "__main__":
    main()
