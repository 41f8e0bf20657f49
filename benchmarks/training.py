"""How long training takes to the same AUC on `tune`, beside the loop that most people would write.

    python benchmarks/training.py MANIFEST.csv|FOLDER --pretrained FILE [--recipe mobilenet] [--auc 0.8]
        [--source NAME] [--seeds 3] [--minutes 30]

The rival: MobileNetV2 from the same weights, all of it learning at one rate from the first step, each slice
opened, turned, mirrored and resized with Pillow whenever it is drawn, float32, batches of 16, as many slices
an epoch. Both are measured in seconds of processor time, on one thread, from reading the first slice to the
end of the first epoch that reaches the AUC, in turns; the ratio of each pair, and their median. A run that
never reaches it counts as a whole. No pair is begun that would likely take longer than the minutes left.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from typing import Any
from unittest import mock

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
from covidct.training import fit as fitting
from covidct.training.checkpoint import keep_epoch
from covidct.training.networks.mobilenet import EvidenceNet
from covidct.training.pretrained import Pretrained, apply_pretrained, load_pretrained

BATCH, RATE, ANGLE = 16, 3e-4, 10


class Reached(Exception):
    """The AUC is reached: what comes after is not timed."""


@dataclass(frozen=True)
class Taken:
    """Seconds of processor time of a run, and the AUC on `tune` after each of its epochs."""

    seconds: float
    aucs: tuple[float, ...]

    def __str__(self) -> str:
        return f"{self.seconds:.0f} s, AUC {' '.join(f'{auc:.2f}' for auc in self.aucs)}"


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


def time_loop(recipe: Recipe, rows: Sequence[Row], pretrained: Pretrained, seed: int, auc: float) -> Taken:
    """What the rival takes to the AUC."""
    started = time.process_time()
    aucs: list[float] = []
    for reached in run_loop(recipe, rows, pretrained, seed):
        aucs.append(reached)
        if reached >= auc:
            break
    return Taken(time.process_time() - started, tuple(aucs))


def time_fit(recipe: Recipe, rows: Sequence[Row], pretrained: Pretrained, seed: int, auc: float) -> Taken:
    """What `fit` takes to the AUC."""
    aucs: list[float] = []

    def keep(run: Any, record: dict[str, Any], *given: Any, **named: Any) -> None:
        keep_epoch(run, record, *given, **named)
        aucs.append(record["tune_auc"])
        if aucs[-1] >= auc:
            raise Reached

    started = time.process_time()
    with (
        tempfile.TemporaryDirectory() as folder,
        mock.patch.object(fitting, "keep_epoch", keep),
        suppress(Reached),
    ):
        fitting.fit(replace(recipe, seed=seed), rows, out=Path(folder), pretrained=pretrained)
    return Taken(time.process_time() - started, tuple(aucs))


def main() -> None:
    """Print what each run took, and the ratios."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path)
    parser.add_argument("--pretrained", type=Path)
    parser.add_argument("--recipe", default="mobilenet")
    parser.add_argument("--source", help="of the manifest; by default all")
    parser.add_argument("--auc", type=float, default=0.8)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--minutes", type=float, default=30)
    given = parser.parse_args()
    torch.set_num_threads(1)
    recipe, pretrained = read_recipe(find_recipe(given.recipe)), load_pretrained(given.pretrained)
    rows = select_rows(read_data(given.data, recipe.data), recipe.data)
    rows = assign_splits([row for row in rows if given.source in (None, row.source)], recipe.data)
    ratios: list[float] = []
    began = time.monotonic()
    for seed in range(given.seeds):
        if (time.monotonic() - began) * (seed + 1) > 60 * given.minutes * max(seed, 1):
            print(f"{given.seeds - seed} pairs left out, for want of time")
            break
        ours = time_fit(recipe, rows, pretrained, seed, given.auc)
        print(f"seed {seed}: covidct {ours}", flush=True)
        loop = time_loop(recipe, rows, pretrained, seed, given.auc)
        print(f"seed {seed}: straight loop {loop}", flush=True)
        ratios.append(loop.seconds / ours.seconds)
    print(
        f"to an AUC of {given.auc:g} on tune: {median(ratios):.2f} times faster "
        f"({min(ratios):.2f}-{max(ratios):.2f}; {len(ratios)} seeds)"
    )


if __name__ == "__main__":
    main()
