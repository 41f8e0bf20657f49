"""What the epochs of a training go through: fresh views of slices, or kept ones, in batches.

Knows recipes, and which network learns from what. Knows nothing of losses or rates.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import torch
from torch.utils.data import DataLoader, Sampler

from covidct.data.balance import to_weights
from covidct.data.recipe import Recipe
from covidct.data.teaching import find_values
from covidct.training.lesion_paste import find_pastes
from covidct.training.lessons.views import CachedViews, Lesson, cache_views, draw_lessons
from covidct.training.machine.processes import ALONE, Processes
from covidct.training.networks.build import Network
from covidct.training.networks.lung_crop import DETAIL
from covidct.training.networks.lung_net import LungNet
from covidct.training.networks.opacity_net import OpacityNet
from covidct.training.slices import AugmentedSlices, Batch, Draws, Slices


@dataclass
class FreshViews:
    """New views every `epoch`, in batches."""

    loader: DataLoader[Batch]
    draws: Draws
    epoch: int = 0

    def __len__(self) -> int:
        return len(self.loader)

    def __iter__(self) -> Iterator[Batch]:
        self.draws.epoch = self.epoch
        return read_ahead(iter(self.loader))


@dataclass
class KeptViews:
    """Views that were drawn once, in another order every `epoch`, in batches."""

    views: CachedViews
    count: int
    batch: int
    seed: int
    epoch: int = 0

    def __len__(self) -> int:
        return self.count // self.batch

    def __iter__(self) -> Iterator[Lesson]:
        return draw_lessons(
            self.views, count=self.count, batch=self.batch, seed=self.seed * 10_007 + self.epoch
        )


Loader = FreshViews | KeptViews


def read_ahead(batches: Iterator[Batch]) -> Iterator[Batch]:
    """The same batches; while one is learned from, a thread of its own draws the next."""
    with ThreadPoolExecutor(1) as thread:
        coming = thread.submit(next, batches, None)
        while (batch := coming.result()) is not None:
            coming = thread.submit(next, batches, None)
            yield batch


def build_loader(
    network: Network, slices: Slices, recipe: Recipe, *, workers: int = 0, processes: Processes = ALONE
) -> Loader:
    """What the epochs go through: fresh views, or kept ones for a network whose lower part stays.

    Of several processes each gets its part of every batch.
    """
    draws, augmented = build_draws(recipe, slices), build_views(network, slices, recipe)
    batch = recipe.batch // processes.count
    if isinstance(network, OpacityNet):
        kept = cache_views(network, augmented, draws, recipe, workers=workers, processes=processes)
        return KeptViews(kept, len(draws) // processes.count, batch, recipe.seed)
    part = Part(draws, processes, batch=recipe.batch)
    loader = DataLoader(augmented, batch, sampler=part, drop_last=True, num_workers=workers)
    return FreshViews(loader, draws)


class Part(Sampler[tuple[int, int, int]]):
    """Of what is drawn, in batches of `batch`, the part of one process."""

    def __init__(self, draws: Draws, processes: Processes, *, batch: int):
        self.draws, self.processes, self.batch = draws, processes, batch

    def __len__(self) -> int:
        return len(self.processes.share(range(len(self.draws)), batch=self.batch))

    def __iter__(self) -> Iterator[tuple[int, int, int]]:
        return iter(self.processes.share(list(self.draws), batch=self.batch))


def build_draws(recipe: Recipe, slices: Slices) -> Draws:
    """Which slices an epoch sees: sources and labels alike, or each slice once."""
    count = recipe.epoch_slices or len(slices)
    if recipe.balance:
        return Draws(
            torch.from_numpy(to_weights(slices.labels, slices.sources)), count=count, seed=recipe.seed
        )
    weights = torch.ones(len(slices), dtype=torch.float64)
    return Draws(weights, count=min(count, len(slices)), seed=recipe.seed, replacement=False)


def build_views(network: Network, slices: Slices, recipe: Recipe) -> AugmentedSlices:
    """The random views of a recipe; a network that finds lungs can have lesions moved into them."""
    pastes = None
    if recipe.augment.pastes and isinstance(network, LungNet):
        finder = copy.deepcopy(network.crop.finder).cpu()
        clear = slices.labels == 0
        if recipe.teaching.normal:
            # A negative slice of another disease is no healthy lung.
            clear = clear & (find_values(slices.rows, recipe.teaching.normal) > 0)
        pastes = find_pastes(finder, slices.pixels, clear, slices.lesions)
    return AugmentedSlices(
        slices, recipe.augment, size=to_side(recipe), seed=recipe.seed, pastes=pastes, apart=recipe.apart
    )


def to_side(recipe: Recipe) -> int:
    """The side of the squares that a network is shown: what it crops must be there in full detail."""
    return round(recipe.size * DETAIL) if recipe.finds_lungs else recipe.size
