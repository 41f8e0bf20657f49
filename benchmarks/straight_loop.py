"""The rival of `fit`: the training loop that most people would write.

MobileNetV2, all of it learning at one rate from the first step; each slice opened, turned, mirrored and
resized whenever it is drawn; float32, batches of 16.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import DataLoader, Dataset, RandomSampler

from benchmarks.eager import read
from covidct.data.manifest import DataPlan, Row, to_label
from covidct.data.recipe import Recipe
from covidct.training.networks.mobilenet import EvidenceNet
from covidct.training.pretrained import Pretrained, apply_pretrained

BATCH, RATE, ANGLE = 16, 3e-4, 10


class Pictures(Dataset[tuple[Tensor, Tensor]]):
    """Slices opened when they are asked for."""

    def __init__(self, rows: Sequence[Row], plan: DataPlan, *, size: int, changed: bool):
        self.rows, self.plan, self.size, self.changed = rows, plan, size, changed

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, at: int) -> tuple[Tensor, Tensor]:
        """Grey levels (size, size) uint8, and the label."""
        image = Image.fromarray(read(str(self.rows[at].path))[0].numpy())
        if self.changed:
            image = image.rotate(float(torch.empty(1).uniform_(-ANGLE, ANGLE)), Image.Resampling.BILINEAR)
            if torch.rand(1) < 0.5:
                image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        pixels = np.asarray(image.resize((self.size, self.size)), np.uint8).copy()
        return torch.from_numpy(pixels), torch.tensor(float(to_label(self.rows[at], self.plan)))


def run_loop(recipe: Recipe, rows: Sequence[Row], pretrained: Pretrained) -> Iterator[nn.Module]:
    """The network after each epoch on `train`: as many epochs as the recipe has, of as many slices."""
    torch.manual_seed(recipe.seed)
    network = EvidenceNet(recipe.size)
    apply_pretrained(network, pretrained)
    optimiser = torch.optim.Adam(network.parameters(), lr=RATE)
    train = [row for row in rows if row.split == "train"]
    pictures = Pictures(train, recipe.data, size=recipe.size, changed=True)
    drawn = RandomSampler(pictures, replacement=True, num_samples=recipe.epoch_slices or len(train))
    for _ in range(sum(phase.epochs for phase in recipe.phases)):
        network.train()
        for slices, labels in DataLoader(pictures, BATCH, sampler=drawn, drop_last=True):
            loss = functional.binary_cross_entropy_with_logits(network(slices)[0], labels)
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
        yield network


def open_all(rows: Sequence[Row], recipe: Recipe) -> NDArray[np.uint8]:
    """The slices (N, size, size) uint8 as the loop sees them, unchanged."""
    pictures = Pictures(rows, recipe.data, size=recipe.size, changed=False)
    return np.stack([pictures[at][0].numpy() for at in range(len(pictures))])
