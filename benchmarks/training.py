"""How long training takes to the same AUC on `tune`, beside the loop that most people would write.

    python benchmarks/training.py MANIFEST.csv|FOLDER --pretrained FILE [--recipe mobilenet] [--auc 0.85]
        [--seeds 3]

The rival: MobileNetV2 from the same weights, all of it learning at one rate from the first step, each slice
opened, turned, mirrored and resized with Pillow whenever it is drawn, float32, batches of 16, as many slices
an epoch. Both are measured in seconds of processor time, from reading the first slice to the end of the first
epoch that reaches the AUC, in turns; medians, and their ratio. A run that never reaches it counts as a whole.
"""

from __future__ import annotations

import argparse
import csv
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import median

import numpy as np
import torch
from PIL import Image
from sklearn.metrics import roc_auc_score
from torch import Tensor
from torch.nn import functional
from torch.utils.data import DataLoader, Dataset

from covidct.data.folders import read_data
from covidct.data.manifest import DataPlan, Row, select_rows, to_label
from covidct.data.recipe import Recipe, find_recipe, read_recipe
from covidct.data.split import assign_splits
from covidct.training.fit import fit
from covidct.training.networks.mobilenet import EvidenceNet
from covidct.training.pretrained import Pretrained, apply_pretrained, load_pretrained

BATCH, RATE, ANGLE = 16, 3e-4, 10


class Pictures(Dataset[tuple[Tensor, Tensor]]):
    """Slices opened when they are asked for."""

    def __init__(self, rows: Sequence[Row], plan: DataPlan, *, size: int, changed: bool):
        self.rows, self.plan, self.size, self.changed = rows, plan, size, changed

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, at: int) -> tuple[Tensor, Tensor]:
        """Grey levels (size, size) uint8, and the label."""
        image = Image.open(self.rows[at].path).convert("L")
        if self.changed:
            image = image.rotate(float(torch.empty(1).uniform_(-ANGLE, ANGLE)), Image.Resampling.BILINEAR)
            if torch.rand(1) < 0.5:
                image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        pixels = np.asarray(image.resize((self.size, self.size)), np.uint8).copy()
        return torch.from_numpy(pixels), torch.tensor(float(to_label(self.rows[at], self.plan)))


def run_loop(recipe: Recipe, rows: Sequence[Row], pretrained: Pretrained, seed: int) -> Iterator[float]:
    """The AUC on `tune` after each epoch of the rival."""
    torch.manual_seed(seed)
    network = EvidenceNet(recipe.size)
    apply_pretrained(network, pretrained)
    optimiser = torch.optim.Adam(network.parameters(), lr=RATE)
    train, tune = (
        Pictures([row for row in rows if row.split == split], recipe.data, size=recipe.size, changed=learns)
        for split, learns in (("train", True), ("tune", False))
    )
    drawn = torch.utils.data.RandomSampler(train, replacement=True, num_samples=recipe.epoch_slices)
    for _ in range(sum(phase.epochs for phase in recipe.phases)):
        network.train()
        for slices, labels in DataLoader(train, BATCH, sampler=drawn, drop_last=True):
            loss = functional.binary_cross_entropy_with_logits(network(slices)[0], labels)
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
        network.eval()
        with torch.inference_mode():
            seen = [(network(slices)[0], labels) for slices, labels in DataLoader(tune, BATCH)]
        logits, truth = (torch.cat(part) for part in zip(*seen, strict=True))
        yield float(roc_auc_score(truth, logits))


def time_loop(recipe: Recipe, rows: Sequence[Row], pretrained: Pretrained, seed: int, auc: float) -> float:
    """Seconds of processor time that the rival takes to the AUC."""
    started = time.process_time()
    for reached in run_loop(recipe, rows, pretrained, seed):
        if reached >= auc:
            break
    return time.process_time() - started


def time_fit(recipe: Recipe, rows: Sequence[Row], pretrained: Pretrained, seed: int, auc: float) -> float:
    """Seconds of processor time that `fit` takes to the AUC."""
    with tempfile.TemporaryDirectory() as folder:
        started, clock = time.process_time(), time.monotonic()
        fit(replace(recipe, seed=seed), rows, out=Path(folder), pretrained=pretrained)
        spent, lasted = time.process_time() - started, time.monotonic() - clock
        with (Path(folder) / "metrics.csv").open(newline="") as file:
            lines = list(csv.DictReader(file))
    first = next((at for at, line in enumerate(lines) if float(line["tune_auc"]) >= auc), len(lines) - 1)
    # Of the whole time, what epochs after that took is taken off.
    rest = sum(float(line["seconds"]) for line in lines[first + 1 :])
    return spent * (1 - rest / lasted)


def main() -> None:
    """Print the medians and their ratio."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path)
    parser.add_argument("--pretrained", type=Path)
    parser.add_argument("--recipe", default="mobilenet")
    parser.add_argument("--auc", type=float, default=0.85)
    parser.add_argument("--seeds", type=int, default=3)
    given = parser.parse_args()
    recipe, pretrained = read_recipe(find_recipe(given.recipe)), load_pretrained(given.pretrained)
    rows = assign_splits(select_rows(read_data(given.data, recipe.data), recipe.data), recipe.data)
    times = [
        [timed(recipe, rows, pretrained, seed, given.auc) for timed in (time_fit, time_loop)]
        for seed in range(given.seeds)
    ]
    for ours, loop in times:
        print(f"covidct {ours:.1f} s, straight loop {loop:.1f} s of processor time")
    ours, loop = (median(column) for column in zip(*times, strict=True))
    print(f"to an AUC of {given.auc:g} on tune: {loop / ours:.2f} times faster")


if __name__ == "__main__":
    main()
