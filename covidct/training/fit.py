"""Training: the phases of a recipe, from pretrained weights to the best averaged ones.

Knows rates and early stopping. The best epoch is the last, or chosen by the `tune` split alone: the
mean AUC over the sources that have both labels there.
Sources: Smith 2018 (one cycle); Howard & Ruder 2018 (rates by depth); Izmailov et al. 2018 (averaged
weights).
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import click
import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from sklearn.metrics import log_loss, roc_auc_score
from torch import Tensor, nn
from torch.optim import AdamW
from torch.optim.lr_scheduler import LambdaLR, LRScheduler, OneCycleLR
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from covidct.data.manifest import Manifest, Row
from covidct.data.recipe import Phase, Recipe
from covidct.data.slice_store import Read
from covidct.errors import ManifestError, RecipeError, TrainingError
from covidct.images.read import read_slice
from covidct.training.average import average_weights, measure_statistics, plan_draws
from covidct.training.checkpoint import (
    BEST,
    Progress,
    Run,
    draw_curves,
    keep_epoch,
    keep_weights,
    load_weights,
    resume_run,
)
from covidct.training.fit_lung_finder import FINDER, fit_finder, load_finder
from covidct.training.lessons.cost import compute_opacity_loss
from covidct.training.lessons.drawn_slices import with_drawn
from covidct.training.lessons.loader import Loader, build_loader, to_side
from covidct.training.lessons.views import Lesson
from covidct.training.loss import compute_loss
from covidct.training.machine.precision import find_device
from covidct.training.machine.processes import ALONE, Processes
from covidct.training.networks.build import Network, build_network
from covidct.training.networks.lung_finder import LungFinder
from covidct.training.networks.lung_net import LungNet
from covidct.training.networks.opacity_net import OpacityNet
from covidct.training.pretrained import Pretrained, apply_pretrained
from covidct.training.slices import ROOM, Batch, Slices, name_sources, read_slices, with_lesions

# Columns of `metrics.csv` that every run has; the sources' own come last.
TUNED = ("tune_loss", "tune_auc", "tune_accuracy")
# Between the seeds of the processes: beyond any epoch.
OTHERS = 1_000_003
AVERAGED = "averaged.safetensors"
VIEWS = 3000  # kept ones, that the statistics of averaged draws are measured on


@dataclass(frozen=True)
class Fitting:
    """What stays the same through a run: recipe, slices, place, loading processes, and those that learn."""

    recipe: Recipe
    train: Slices
    tune: Slices
    out: Path
    workers: int = 0
    processes: Processes = ALONE


def fit(
    recipe: Recipe,
    rows: Sequence[Row],
    *,
    out: Path,
    pretrained: Pretrained | None,
    workers: int = 0,
    processes: Processes = ALONE,
    read: Read = read_slice,
) -> Network:
    """Train by the recipe; returns the network of the best epoch, on the CPU and in eval mode.

    Writes `metrics.csv`, `curves.png`, `checkpoint.pt` and `best.safetensors` under `out` after
    every epoch; an interrupted run goes on after its last whole one. Of a recipe of several draws it
    returns their mean, `averaged.safetensors`; all but the first are kept in `out/draw-N`.
    Raises ManifestError when `train` or `tune` lack slices of either label, RecipeError when an epoch
    fills no batch or `out` holds a run of another recipe, TrainingError when the loss diverges or a file of
    the run is damaged.
    """
    train, tune = (read_split(rows, recipe, split, read=read) for split in ("train", "tune"))
    if recipe.lesions:
        train = with_lesions(train)
    train = with_drawn(train, recipe.teaching.phantoms, recipe.data)
    if (drawn := recipe.epoch_slices or len(train)) < recipe.batch:
        raise RecipeError(
            f"recipe {recipe.name}: an epoch of {drawn} slices fills no batch of {recipe.batch}; "
            "lower batch, or raise epoch_slices"
        )
    if recipe.batch % processes.count:
        raise RecipeError(
            f"recipe {recipe.name}: a batch of {recipe.batch} cannot be shared out evenly to "
            f"{processes.count} processes; start as many as divide it"
        )
    out.mkdir(parents=True, exist_ok=True)
    finder = find_finder(recipe, rows, out=out, pretrained=pretrained, workers=workers)
    for number, draw in enumerate(plan_draws(recipe, out), start=1):
        draw.out.mkdir(exist_ok=True)
        if recipe.draws > 1 and processes.is_first:
            click.echo(f"Draw {number} of {recipe.draws}.", err=True)
        # By the seed of the recipe, not of the draw: all begin alike.
        run = build_run(recipe, pretrained, finder, sources=len(name_sources(train)))
        run_phases(run, Fitting(draw.recipe, train, tune, draw.out, workers, processes))
    if recipe.draws > 1 and processes.is_first:
        average_draws(run.network, Fitting(recipe, train, tune, out, workers))
    processes.wait()
    best = build_network(recipe)
    load_weights(best, out / (BEST if recipe.draws == 1 else AVERAGED))
    return best.eval()


def average_draws(network: Network, fitting: Fitting) -> None:
    """Write the mean of all draws of a recipe, unless that was done; `network` is overwritten."""
    recipe, path = fitting.recipe, fitting.out / AVERAGED
    if path.is_file():
        return
    states = []
    for draw in plan_draws(recipe, fitting.out):
        load_weights(network, draw.out / BEST)
        states.append({name: value.clone() for name, value in network.state_dict().items()})
    network.load_state_dict(average_weights(states))
    few = replace(recipe, teaching=replace(recipe.teaching, views=min(VIEWS, recipe.teaching.views)))
    click.echo(f"Measuring the statistics of {recipe.draws} averaged draws.", err=True)
    batches: Iterable[Batch | Lesson] = build_loader(network, fitting.train, few, workers=fitting.workers)
    prepare(network, recipe.phases[-1])
    offsets = torch.zeros(len(name_sources(fitting.train)), device=next(network.parameters()).device)
    measure_statistics(network, batches, lambda batch: measure_loss(network, batch, recipe, offsets=offsets))
    keep_weights(network, path)


def read_split(rows: Sequence[Row], recipe: Recipe, split: str, *, read: Read = read_slice) -> Slices:
    """The slices of a split at the network's size; `train` with room around where augmentation moves them.

    Raises ManifestError where they are not of both labels.
    """
    chosen = [row for row in rows if row.split == split]
    has_room = split == "train" and recipe.augment.moves
    side = round(to_side(recipe) * ROOM) if has_room else to_side(recipe)
    slices = read_slices(
        chosen, recipe.data, side=side, label=f"{split} slices", resize=recipe.resize, read=read
    )
    if len(set(slices.labels.tolist())) < 2:
        raise ManifestError(
            f"split {split}: {len(slices)} slices and not of both labels; give it slices of each, or "
            "empty the manifest's split column to have all splits assigned"
        )
    return slices


def find_finder(
    recipe: Recipe, rows: Sequence[Row], *, out: Path, pretrained: Pretrained | None, workers: int = 0
) -> LungFinder | None:
    """The lung finder of a recipe that has one: the one under `out`, else trained on `train`'s lung masks.

    Raises ManifestError where there are no such masks.
    """
    if not recipe.finds_lungs:
        return None
    if (out / FINDER).is_file():
        return load_finder(out / FINDER)
    drawn = [row for row in rows if row.split == "train"]
    return fit_finder(
        drawn, out=out, pretrained=pretrained, seed=recipe.seed, steps=recipe.finder_steps, workers=workers
    )


def find_finder_rows(recipe: Recipe, manifest: Manifest) -> list[Row]:
    """Slices without a label whose drawn lungs teach the finder too, if the recipe names their source."""
    own = [row for row in manifest.rows if row.source in recipe.finder_sources]
    return [replace(row, split="train") for row in own if row.label not in recipe.data.labels]


def build_run(
    recipe: Recipe, pretrained: Pretrained | None, finder: LungFinder | None = None, *, sources: int = 0
) -> Run:
    """A fresh network by the recipe's seed, on a GPU where there is one, with its running average.

    It learns from so many `sources`.
    """
    torch.manual_seed(recipe.seed)
    network = build_network(recipe)
    if isinstance(network, LungNet) and finder is not None:
        network.use(finder)
    if pretrained is not None:
        apply_pretrained(network, pretrained)
    network = network.to(find_device())
    network.features.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    averaging = get_ema_multi_avg_fn(recipe.average)  # type: ignore[no-untyped-call]
    average = AveragedModel(network, multi_avg_fn=averaging, use_buffers=True)
    offsets = nn.Parameter(torch.zeros(sources, device=next(network.parameters()).device))
    return Run(network, average, Progress(), offsets)


def run_phases(run: Run, fitting: Fitting) -> None:
    """Go through the phases, from wherever a checkpoint left off."""
    recipe, processes = fitting.recipe, fitting.processes
    saved = resume_run(run, recipe, fitting.out)
    processes.wait()
    progress = run.progress
    if is_done(progress, recipe):
        return
    loader = build_loader(run.network, fitting.train, recipe, workers=fitting.workers, processes=processes)
    kept = fitting.out if processes.is_first else None
    while progress.phase < len(recipe.phases):
        phase = recipe.phases[progress.phase]
        optimiser, schedule = build_optimiser(
            run.network, phase, recipe, steps=len(loader), offsets=run.offsets
        )
        if progress.done:
            optimiser.load_state_dict(saved["optimiser"])
            schedule.load_state_dict(saved["schedule"])
        while progress.done < phase.epochs and not progress.is_stale(recipe.patience):
            loader.epoch = progress.epoch
            # Seeded anew each epoch, so that a resumed run draws what an unbroken one would have.
            torch.manual_seed(recipe.seed * 10_007 + progress.epoch + OTHERS * processes.rank)
            record = run_epoch(run, phase, fitting, loader, optimiser, schedule)
            keep_epoch(run, record, recipe, optimiser=optimiser, schedule=schedule, out=kept)
        if kept is not None:
            _tell_stop(progress, phase, recipe)
            draw_curves(progress, recipe, kept)
        progress.phase, progress.done = progress.phase + 1, 0


def _tell_stop(progress: Progress, phase: Phase, recipe: Recipe) -> None:
    """Say why a phase ends before its last epoch."""
    if progress.done < phase.epochs:
        click.echo(
            f"{phase.name}: ends after epoch {progress.epoch}, as the last {recipe.patience} were no better "
            f"on tune than epoch {progress.best_epoch}.",
            err=True,
        )


def is_done(progress: Progress, recipe: Recipe) -> bool:
    """Whether nothing is left to train: views are costly, and none are drawn for that."""
    is_last = progress.phase == len(recipe.phases) - 1
    return is_last and (progress.done >= recipe.phases[-1].epochs or progress.is_stale(recipe.patience))


def run_epoch(
    run: Run, phase: Phase, fitting: Fitting, loader: Loader, optimiser: AdamW, schedule: LRScheduler
) -> dict[str, Any]:
    """Train one epoch and measure it on `tune`; returns its line of `metrics.csv`."""
    started = time.monotonic()
    prepare(run.network, phase)
    losses: list[float] = []
    weights = [*run.network.parameters(), run.offsets]
    for batch in _with_progress(loader, run.progress, fitting.recipe, losses):
        loss = measure_loss(run.network, batch, fitting.recipe, offsets=run.offsets)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        fitting.processes.average_gradients(weights)
        optimiser.step()
        schedule.step()
        run.average.update_parameters(run.network)
        losses.append(loss.item())
        _check_finite(losses[-1:], run, phase)
    (loss_mean,) = fitting.processes.average([float(np.mean(losses))])
    measured = measure_epoch(run, phase, fitting) if fitting.processes.is_first else {}
    record = {
        "epoch": run.progress.epoch + 1,
        "phase": phase.name,
        "train_loss": round(loss_mean, 5),
        **{name: measured.pop(name) for name in TUNED if name in measured},
        "rate": schedule.get_last_lr()[-1],
        "seconds": round(time.monotonic() - started, 1),
        **measured,
    }
    return fitting.processes.tell(record)


def measure_epoch(run: Run, phase: Phase, fitting: Fitting) -> dict[str, Any]:
    """What the averaged network is worth on `tune`."""
    logits = compute_logits(run.average.module, fitting.tune.pixels)
    _check_finite(logits, run, phase)
    aucs = compute_aucs(logits, fitting.tune)
    right = (logits > 0) == (fitting.tune.labels == 1)
    loss = log_loss(fitting.tune.labels, 1 / (1 + np.exp(-logits.astype(float))))
    return {
        "tune_loss": round(float(loss), 5),
        "tune_auc": round(float(np.mean(list(aucs.values()))), 5),
        "tune_accuracy": round(float(right.mean()), 5),
        **{f"tune_auc_{source}": round(auc, 5) for source, auc in aucs.items()},
    }


def _check_finite(values: ArrayLike, run: Run, phase: Phase) -> None:
    """Raise TrainingError where a loss or logits are no numbers any more."""
    if not np.isfinite(values).all():
        raise TrainingError(
            f"the loss diverged in epoch {run.progress.epoch + 1}, phase {phase.name}: lower its rate in the "
            f"recipe, now {phase.rate:g}; --find-rate looks for one"
        )


def measure_loss(
    network: Network, batch: Batch | Lesson, recipe: Recipe, *, offsets: Tensor | None = None
) -> Tensor:
    """What a batch costs the network that it was made for."""
    if isinstance(batch, Lesson):
        assert isinstance(network, OpacityNet)
        return compute_opacity_loss(network, batch, recipe, offsets=offsets)
    return compute_loss(network, batch, recipe, offsets=offsets)


def prepare(network: Network, phase: Phase) -> None:
    """Training mode, but for what stays as it is: its statistics are not to change either."""
    network.train()
    still = len(network.features) if phase.freeze else phase.frozen_blocks
    network.features[:still].eval()


@torch.inference_mode()
def compute_logits(network: nn.Module, pixels: NDArray[np.uint8], *, batch: int = 32) -> NDArray[np.float32]:
    """Logits (N,) float32 of slices (N, H, W) uint8, in float32 and eval mode."""
    device = next(network.parameters()).device
    network.eval()
    slices = (torch.from_numpy(pixels[at : at + batch]) for at in range(0, len(pixels), batch))
    parts = [network(part.to(device))[0] for part in slices]
    logits: NDArray[np.float32] = torch.cat(parts).float().cpu().numpy()
    return logits


def compute_aucs(logits: NDArray[np.float32], slices: Slices) -> dict[str, float]:
    """AUC of each source that has both labels; over all slices, under "all", where none has."""
    sources = np.array(slices.sources)
    members = {source: sources == source for source in sorted(set(slices.sources))}
    mixed = {source: at for source, at in members.items() if len(set(slices.labels[at].tolist())) == 2}
    mixed = mixed or {"all": np.ones(len(slices), bool)}
    return {source: float(roc_auc_score(slices.labels[at], logits[at])) for source, at in mixed.items()}


def build_optimiser(
    network: Network, phase: Phase, recipe: Recipe, *, steps: int, offsets: nn.Parameter | None = None
) -> tuple[AdamW, LRScheduler]:
    """AdamW over the network's depths, lowest rate first, under the phase's schedule; frozen: the head alone.

    Without weight decay AdamW is Adam (Loshchilov & Hutter 2019). Before all come the sources' `offsets`,
    where the recipe learns them.
    """
    network.features.requires_grad_(not phase.freeze)
    network.features[: phase.frozen_blocks].requires_grad_(False)
    groups = network.depths()[-1:] if phase.freeze else network.depths()
    rates = [phase.rate * phase.depth_factor**distance for distance in reversed(range(len(groups)))]
    options = [
        {"params": [weights for weights in group if weights.requires_grad], "lr": rate}
        for group, rate in zip(groups, rates, strict=True)
    ]
    if offsets is not None and recipe.offsets:
        options.insert(0, {"params": [offsets], "lr": recipe.offsets, "weight_decay": 0.0})
        rates.insert(0, recipe.offsets)
    optimiser = AdamW(options, weight_decay=recipe.weight_decay)
    if phase.schedule == "constant":
        return optimiser, LambdaLR(optimiser, lambda step: 1.0)
    return optimiser, OneCycleLR(optimiser, max_lr=rates, total_steps=phase.epochs * steps + 1)


def _with_progress(
    loader: Loader, progress: Progress, recipe: Recipe, losses: list[float]
) -> Iterator[Batch | Lesson]:
    """The loader's batches under a bar that shows loss, AUC so far and time left."""
    total = sum(phase.epochs for phase in recipe.phases)
    last = ""
    if progress.history:
        record = progress.history[-1]
        last = f"tune auc {record['tune_auc']:.3f}"
        if recipe.choose != "last":
            score = record[f"tune_{recipe.choose}"]
            last = f"tune {recipe.choose} {score:.3f} best {progress.best_score:.3f}"

    def show(_: object) -> str | None:
        return f"loss {np.mean(losses[-50:]):.3f} {last}" if losses else None

    label = f"epoch {progress.epoch + 1} of {total}".ljust(17)
    batches: Iterable[Batch | Lesson] = loader
    with click.progressbar(batches, label=label, item_show_func=show, show_pos=True, file=sys.stderr) as bar:
        yield from bar
