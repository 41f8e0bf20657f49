"""One network from several draws of a recipe: weights averaged, statistics of normalisation measured anew.

Draws begin alike and see other views, so they end near each other, and their mean lies at a flatter place
than each. The averaged weights move activations elsewhere, so the means and variances that normalisation uses
are measured on views of the training split; blocks that stay as pretrained keep theirs.
Source: Wortsman et al., "Model soups" (ICML 2022); Izmailov et al. 2018 for the statistics.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

import torch
from torch import Tensor, nn

from covidct.data.recipe import Recipe

B = TypeVar("B")


@dataclass(frozen=True)
class Draw:
    """One training of a recipe of several: its recipe, whose seed draws the views, and its folder."""

    recipe: Recipe
    out: Path


def plan_draws(recipe: Recipe, out: Path) -> tuple[Draw, ...]:
    """The trainings that a recipe asks for; the first is at home in `out`, the others below."""
    folders = (out, *(out / f"draw-{number}" for number in range(2, recipe.draws + 1)))
    return tuple(
        Draw(replace(recipe, seed=recipe.seed + at, draws=1), folder) for at, folder in enumerate(folders)
    )


def average_weights(states: Sequence[dict[str, Tensor]]) -> dict[str, Tensor]:
    """The mean of each weight, in its own dtype."""
    return {
        name: torch.stack([state[name].double() for state in states]).mean(0).to(first.dtype)
        for name, first in states[0].items()
    }


def measure_statistics(network: nn.Module, batches: Iterable[B], run: Callable[[B], object]) -> None:
    """Means and variances of normalisation anew, over all batches alike.

    They are measured in those parts of `network` that are in training mode; `run` sends a batch through it.
    Dropout is off meanwhile, and afterwards the network is in eval mode.
    """
    for part in network.modules():
        if isinstance(part, nn.BatchNorm2d) and part.training:
            part.reset_running_stats()
            part.momentum = None  # the plain mean of all batches
        if isinstance(part, nn.Dropout):
            part.eval()
    with torch.no_grad():
        for batch in batches:
            run(batch)
    network.eval()
