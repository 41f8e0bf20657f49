"""The learning-rate search: the loss while the rate grows from far too small to far too large.

Source: Smith 2017, "Cyclical Learning Rates for Training Neural Networks" (the range test); the suggestion is
where the smoothed loss falls most steeply. A hint for a recipe's `rate`, not a choice: it sees training
slices alone.
"""

from __future__ import annotations

import csv
import math
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, count
from pathlib import Path

import click
import numpy as np
import torch

from covidct.data.manifest import Row
from covidct.data.recipe import Recipe
from covidct.errors import RecipeError
from covidct.evaluation.plots import plot_rates
from covidct.images.files import write_beside
from covidct.training.fit import (
    build_optimiser,
    build_run,
    find_finder,
    measure_loss,
    prepare,
    read_split,
)
from covidct.training.lessons.loader import Loader, build_loader
from covidct.training.lessons.views import Lesson
from covidct.training.networks.build import Network
from covidct.training.pretrained import Pretrained
from covidct.training.slices import Batch, with_lesions

LOWEST, HIGHEST = 1e-6, 1.0
STEPS = 100
# Of the loss's running mean, a step.
SMOOTHING = 0.9
# Beyond this many times the lowest loss, it has blown up.
BLOWN_UP = 4.0
# A fifth of the steps, at rates far too small to learn anything.
WARM_UP = 5


@dataclass(frozen=True)
class Search:
    """The smoothed loss at each rate that was tried, (k,) each; `suggestion` is one of the rates."""

    rates: tuple[float, ...]
    losses: tuple[float, ...]
    suggestion: float


def find_rate(
    recipe: Recipe, rows: Sequence[Row], *, out: Path, pretrained: Pretrained | None, phase: int = 0
) -> Search:
    """Search the rate of one of the recipe's phases; writes `rates-N.csv` and `rates-N.png` under `out`.

    Every phase is searched from fresh weights. Raises ManifestError where `train` lacks slices of either
    label, RecipeError where it fills no batch.
    """
    slices = read_split(rows, recipe, "train")
    slices = with_lesions(slices) if recipe.lesions else slices
    if len(slices) < recipe.batch:
        raise RecipeError(
            f"recipe {recipe.name}: {len(slices)} slices fill no batch of {recipe.batch}; lower batch"
        )
    out.mkdir(parents=True, exist_ok=True)
    finder = find_finder(recipe, rows, out=out, pretrained=pretrained)
    run = build_run(recipe, pretrained, finder)
    loader = build_loader(run.network, slices, recipe)
    found = _search(recipe, run.network, _endless(loader), phase=phase)
    write_beside(out / f"rates-{phase + 1}.csv", lambda path: _write(found, path))
    write_beside(
        out / f"rates-{phase + 1}.png",
        lambda path: plot_rates(found.rates, found.losses, found.suggestion, path),
    )
    return found


def read_rate(out: Path, phase: int) -> float | None:
    """What an earlier search under `out` suggested for a phase, None where there was none."""
    place = out / f"rates-{phase + 1}.csv"
    if not place.is_file():
        return None
    with place.open(newline="", encoding="utf-8") as file:
        lines = [(float(line["rate"]), float(line["loss"])) for line in csv.DictReader(file)]
    return suggest_rate(*zip(*lines, strict=True))


def suggest_rate(rates: Sequence[float], losses: Sequence[float]) -> float:
    """Where the loss falls most steeply over the logarithm of the rate, before its lowest point.

    The first steps say more of which slices came first than of the rate, and are left out.
    """
    start, end = len(rates) // WARM_UP, int(np.argmin(losses)) + 1
    if end - start < 3:
        return float(rates[min(start, end - 1)])
    slope = np.gradient(np.asarray(losses[start:end]), np.log(np.asarray(rates[start:end])))
    return float(rates[start + int(np.argmin(slope))])


def _search(recipe: Recipe, network: Network, batches: Iterator[Batch | Lesson], *, phase: int) -> Search:
    chosen = recipe.phases[phase]
    optimiser, _ = build_optimiser(network, chosen, recipe, steps=STEPS)
    # How far each depth's rate lies below the head's.
    shares = [group["lr"] for group in optimiser.param_groups]
    shares = [share / max(shares) for share in shares]
    torch.manual_seed(recipe.seed)
    prepare(network, chosen)
    rates: list[float] = []
    losses: list[float] = []
    mean = 0.0
    label = f"rates, {chosen.name}".ljust(24)
    with click.progressbar(range(STEPS), label=label, file=sys.stderr) as steps:
        for step in steps:
            rate = LOWEST * (HIGHEST / LOWEST) ** (step / (STEPS - 1))
            for group, share in zip(optimiser.param_groups, shares, strict=True):
                group["lr"] = rate * share
            loss = measure_loss(network, next(batches), recipe)
            optimiser.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            mean = SMOOTHING * mean + (1 - SMOOTHING) * loss.item()
            smooth = mean / (1 - SMOOTHING ** (step + 1))
            if not math.isfinite(smooth) or (losses and smooth > BLOWN_UP * min(losses)):
                break
            rates.append(rate)
            losses.append(smooth)
    return Search(tuple(rates), tuple(losses), suggest_rate(rates, losses))


def _endless(loader: Loader) -> Iterator[Batch | Lesson]:
    """Batches, epoch after epoch, each drawn anew."""

    def epoch(number: int) -> Iterator[Batch | Lesson]:
        loader.epoch = number
        return iter(loader)

    return chain.from_iterable(map(epoch, count()))


def _write(found: Search, path: Path) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("rate", "loss"))
        writer.writerows(zip(found.rates, found.losses, strict=True))
