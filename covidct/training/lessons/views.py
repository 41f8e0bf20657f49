"""Random views, drawn once and kept as what the network's lower part sees of them.

A view costs as much to draw, crop and look at as to learn from. As nothing teaches the lower part, views
can be drawn once and gone over in several epochs. Knows networks with a lower part. Knows nothing of losses.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import click
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional
from torch.utils.data import DataLoader

from covidct.data.recipe import Recipe
from covidct.data.teaching import find_lone, find_values
from covidct.training.machine.precision import autocast
from covidct.training.machine.processes import ALONE, Processes
from covidct.training.networks.lung_crop import crop
from covidct.training.networks.lung_net import FINE
from covidct.training.networks.opacity_net import CELL, Lower, OpacityNet
from covidct.training.slices import AugmentedSlices, Batch, Draws, Slices

SEEN = 0.3  # of a pixel of the mask: from there on a lesion is in sight


class Facts(NamedTuple):
    """What is known of N slices, (N,) float32 each.

    `normal` is how far each is believed to show no opacity, `doubt` the share labelled positive of those that
    show nothing, `counts` what the label counts.
    """

    normal: Tensor
    doubt: Tensor
    counts: Tensor


class Lesson(NamedTuple):
    """Views as they are learned from: what the lower part saw, and what is known.

    `labels`, `normal`, `doubt` and `counts` (N,) float32; `lesions` (N, H, W) in [0, 1] on the grid of the
    evidence; `drawn` (N,), whether these are all there are; `shown` (N,), whether one is in sight; `sources`
    (N,) int64.
    """

    lower: Lower
    labels: Tensor
    lesions: Tensor
    drawn: Tensor
    shown: Tensor
    sources: Tensor
    facts: Facts


@dataclass(frozen=True)
class CachedViews:
    """Kept views: `features` (N, h, w, C); `shares` and `lesions` (N, H, W) uint8; the rest (N,).

    Features are bfloat16 where a recipe trains in it.
    """

    features: Tensor
    shares: Tensor
    lesions: Tensor
    labels: Tensor
    drawn: Tensor
    sources: Tensor
    facts: Facts

    def __len__(self) -> int:
        return len(self.labels)

    def choose(self, at: Tensor) -> Lesson:
        """The views at these places (n,) int64."""
        features = self.features[at].permute(0, 3, 1, 2)
        lesions = self.lesions[at].float() / 255
        box = torch.tensor([0.0, 0.0, 1.0, 1.0]).expand(len(at), 4)
        return Lesson(
            Lower(features, self.shares[at].float() / 255, box),
            self.labels[at],
            lesions,
            self.drawn[at],
            lesions.amax((1, 2)) > SEEN,
            self.sources[at],
            Facts(*(part[at] for part in self.facts)),
        )


def find_facts(slices: Slices, recipe: Recipe) -> Facts:
    """What the recipe's `teaching` says of slices."""
    teaching = recipe.teaching
    ill = slices.labels == 1
    doubt = np.where(ill, find_values(slices.rows, teaching.doubt), 0)
    normal = np.where(ill, 0, find_values(slices.rows, teaching.normal))
    lone = find_lone(slices.labels, slices.sources)
    counts = np.where(lone, teaching.lone, 1.0)
    return Facts(*(torch.from_numpy(part.astype(np.float32)) for part in (normal, doubt, counts)))


@torch.inference_mode()
def cache_views(
    network: OpacityNet,
    augmented: AugmentedSlices,
    draws: Draws,
    recipe: Recipe,
    *,
    workers: int = 0,
    processes: Processes = ALONE,
) -> CachedViews:
    """Draw as many views as the recipe asks for, or a process' part of them; keep those that show lungs."""
    facts = find_facts(augmented.slices, recipe)
    keys = processes.share(_draw(draws, recipe.teaching.views), batch=recipe.batch)
    network.eval()
    parts = []
    loader = DataLoader(augmented, recipe.batch, sampler=keys, num_workers=workers)
    with click.progressbar(loader, label="views".ljust(24), file=sys.stderr) as batches:
        for number, batch in enumerate(batches):
            of = [key[2] for key in keys[number * recipe.batch :][: len(batch.labels)]]
            parts.append(_keep(network, batch, Facts(*(part[of] for part in facts)), recipe))
    kept = [torch.cat(column) for column in zip(*parts, strict=True)]
    features, shares, lesions, labels, drawn, sources, *known = kept
    return CachedViews(features, shares, lesions, labels, drawn, sources, Facts(*known))


def draw_lessons(views: CachedViews, *, count: int, batch: int, seed: int) -> Iterator[Lesson]:
    """Whole batches of `count` views in random order; each once before any comes twice."""
    generator = torch.Generator().manual_seed(seed)
    rounds = [torch.randperm(len(views), generator=generator) for _ in range(1 + count // len(views))]
    order = torch.cat(rounds)[:count]
    for at in range(0, count - batch + 1, batch):
        yield views.choose(order[at : at + batch])


def _draw(draws: Draws, count: int) -> list[tuple[int, int, int]]:
    """The keys of the first `count` draws, epoch by epoch."""
    keys: list[tuple[int, int, int]] = []
    while len(keys) < count:
        keys.extend(draws)
        draws.epoch += 1
    return keys[:count]


def _keep(network: OpacityNet, batch: Batch, facts: Facts, recipe: Recipe) -> list[Tensor]:
    """What is kept of a batch: the columns of `CachedViews`, one by one."""
    device = next(network.parameters()).device
    with autocast(recipe.precision, device):
        lower = network.lower(batch.slices.to(device))
    side = FINE * network.crop.size // CELL
    masks = crop(batch.lesions.to(device)[:, None] / 255.0, lower.box, size=2 * side)
    lesions = functional.avg_pool2d(masks, 2)[:, 0]
    pasted = batch.pasted
    columns = [
        lower.features.permute(0, 2, 3, 1).contiguous(),
        _to_bytes(lower.shares),
        _to_bytes(lesions),
        batch.labels,
        batch.drawn,
        batch.sources,
        # What was put in is known: where it is a lesion the slice shows one, and its label is right.
        torch.where(pasted & (batch.labels == 1), 0.0, facts.normal),
        torch.where(pasted, 0.0, facts.doubt),
        torch.where(pasted, 1.0, facts.counts),
    ]
    found = (lower.shares.amax((1, 2)) > 0).cpu()
    return [column.cpu()[found] for column in columns]


def _to_bytes(shares: Tensor) -> Tensor:
    return (shares * 255).round().to(torch.uint8)
