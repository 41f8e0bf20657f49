"""How long training takes to the same AUC, beside the loop that most people would write.

    python -m benchmarks.training MANIFEST.csv|FOLDER --pretrained FILE [--recipe mobilenet] [--auc 0.8]
        [--source NAME] [--seeds 3] [--minutes 30]
    python -m benchmarks.training MANIFEST.csv --pretrained FILE --recipe recipes/opacity.toml
        --left-out SOURCE [--finder FILE] [--plot FILE.png] [--seeds 1]

The rival is `straight_loop`, with as many slices an epoch. Of a recipe of several draws one is timed.
Both are measured in seconds of processor time, decoding processes included, on one thread, from reading the
first slice to the end of an epoch; what measures them is not counted. In the first form the AUC is that on
`tune`, and a run ends with the first epoch that reaches `--auc`; one that never does counts as a whole. In
the second both learn from all sources of the recipe but one, and are measured on that one after each of all
epochs; the AUC to reach is the rival's best. `--finder` is a trained lung finder, whose training then does
not count. No pair is begun that would likely take longer than the minutes left.
"""

from __future__ import annotations

import argparse
import math
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from importlib import import_module
from pathlib import Path
from statistics import median
from typing import Any
from unittest import mock

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score
from torch import nn

from benchmarks.straight_loop import open_all, run_loop
from covidct.data.folders import read_data
from covidct.data.manifest import Row, select_rows, to_label
from covidct.data.recipe import Recipe, find_recipe, read_recipe
from covidct.data.split import assign_splits
from covidct.evaluation.plot_style import BLUE, VERMILION, new_figure, save_figure
from covidct.training import fit as fitting
from covidct.training.checkpoint import keep_epoch
from covidct.training.fit import compute_logits
from covidct.training.fit_lung_finder import FINDER
from covidct.training.lessons.loader import to_side
from covidct.training.pretrained import Pretrained, load_pretrained
from covidct.training.slices import read_slices
from covidct.training.trial import Setting, plan_trial, select_left_out

Measure = Callable[[nn.Module], float]


class Reached(Exception):
    """The AUC is reached: what comes after is not timed."""


def count_seconds() -> float:
    """Processor time so far, of this process and those that it started."""
    psutil: Any = import_module("psutil")  # has no types
    me = psutil.Process()
    own, others = me.cpu_times(), [child.cpu_times() for child in me.children(recursive=True)]
    ended = own.children_user + own.children_system
    return float(ended + sum(times.user + times.system for times in (own, *others)))


@dataclass
class Watch:
    """Seconds of processor time and the AUC after each epoch of a run that ends where the AUC is enough."""

    measure: Measure
    enough: float = math.inf
    seconds: list[float] = field(default_factory=list)
    aucs: list[float] = field(default_factory=list)
    began: float = field(default_factory=count_seconds)

    def look(self, network: nn.Module) -> None:
        """Note how far a network is, outside the time. Raises Reached."""
        now = count_seconds()
        self.seconds.append(now - self.began)
        self.aucs.append(self.measure(network))
        print(f"  epoch {len(self.aucs)}: {self.aucs[-1]:.4f} at {self.seconds[-1]:.0f} s", file=sys.stderr)
        self.began += count_seconds() - now
        if self.aucs[-1] >= self.enough:
            raise Reached

    def find_time(self, auc: float) -> float | None:
        """Seconds to the first epoch that reaches an AUC, None where none does."""
        return next((at for at, got in zip(self.seconds, self.aucs, strict=True) if got >= auc), None)

    def __str__(self) -> str:
        points = zip(self.seconds, self.aucs, strict=True)
        return ", ".join(f"{auc:.3f} at {at:.0f} s" for at, auc in points)


@dataclass(frozen=True)
class Task:
    """What both programs are given: a recipe with its seed, split rows, weights, and what is measured."""

    recipe: Recipe
    rows: Sequence[Row]
    measured: Sequence[Row]
    pretrained: Pretrained
    finder: Path | None = None

    def watch_loop(self, enough: float = math.inf) -> Watch:
        """The rival, after each of its epochs."""
        pixels = open_all(self.measured, self.recipe)
        watch = Watch(self._to_measure(pixels), enough)
        with suppress(Reached):
            for network in run_loop(self.recipe, self.rows, self.pretrained):
                watch.look(network)
        return watch

    def watch_fit(self, enough: float = math.inf) -> Watch:
        """`fit`, after each of its epochs: its averaged network."""
        side = to_side(self.recipe)
        watch = Watch(
            self._to_measure(read_slices(self.measured, self.recipe.data, side=side).pixels), enough
        )

        def keep(run: Any, *given: Any, **named: Any) -> None:
            keep_epoch(run, *given, **named)
            watch.look(run.average.module)

        with (
            tempfile.TemporaryDirectory() as folder,
            mock.patch.object(fitting, "keep_epoch", keep),
            suppress(Reached),
        ):
            if self.finder:
                shutil.copyfile(self.finder, Path(folder) / FINDER)
            fitting.fit(self.recipe, self.rows, out=Path(folder), pretrained=self.pretrained)
        return watch

    def _to_measure(self, pixels: NDArray[np.uint8]) -> Measure:
        labels = [to_label(row, self.recipe.data) for row in self.measured]
        return lambda network: float(roc_auc_score(labels, compute_logits(network, pixels)))


def race_to(task: Task, auc: float) -> float:
    """One pair to an AUC on `tune`; returns how many times as long the loop took."""
    seed = task.recipe.seed
    ours = task.watch_fit(auc)
    print(f"seed {seed}: covidct {ours}", flush=True)
    loop = task.watch_loop(auc)
    print(f"seed {seed}: straight loop {loop}", flush=True)
    return loop.seconds[-1] / ours.seconds[-1]


def race_left_out(task: Task, plot: Path | None) -> float:
    """One pair to the loop's best AUC on what is left out; returns how many times as long the loop took."""
    seed = task.recipe.seed
    loop = task.watch_loop()
    print(f"seed {seed}: straight loop {loop}", flush=True)
    ours = task.watch_fit()
    print(f"seed {seed}: covidct {ours}", flush=True)
    if plot:
        draw({"covidct": ours, "straight loop": loop}, plot)
    best = max(loop.aucs)
    taken = [watch.find_time(best) or math.inf for watch in (loop, ours)]
    print(f"seed {seed}: to {best:.3f} {taken[0]:.0f} s of the loop, {taken[1]:.0f} s of covidct", flush=True)
    return taken[0] / taken[1]


def draw(watches: dict[str, Watch], path: Path) -> None:
    """The curves, AUC over minutes of processor time."""
    figure = new_figure(6, 3.2)
    axes = figure.subplots()
    for (name, watch), colour in zip(watches.items(), (BLUE, VERMILION), strict=True):
        axes.plot([at / 60 for at in watch.seconds], watch.aucs, "o-", color=colour, label=name)
    axes.set(xlabel="minutes of one core", ylabel="AUC, source left out", xlim=(0, None))
    axes.legend(loc="lower right", frameon=False)
    save_figure(figure, path)


def read_task(given: argparse.Namespace) -> Task:
    """What is asked for, under the recipe's own seed."""
    recipe = replace(read_recipe(find_recipe(given.recipe)), draws=1)
    pretrained, manifest = load_pretrained(given.pretrained), read_data(given.data, recipe.data)
    if given.left_out:
        measured = select_left_out(manifest, recipe.data, given.left_out)
        recipe = plan_trial(recipe, given.left_out, recipe.seed, Setting(manifest, Path())).recipe
        rows = assign_splits(select_rows(manifest, recipe.data), recipe.data)
    else:
        chosen = [row for row in select_rows(manifest, recipe.data) if given.source in (None, row.source)]
        rows = assign_splits(chosen, recipe.data)
        measured = tuple(row for row in rows if row.split == "tune")
    return Task(recipe, rows, measured, pretrained, given.finder)


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
    parser.add_argument("--left-out", metavar="SOURCE")
    parser.add_argument("--finder", type=Path, help="a trained lung finder")
    parser.add_argument("--plot", type=Path, help="of the last pair's curves")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--minutes", type=float, default=30)
    given = parser.parse_args()
    torch.set_num_threads(1)
    task = read_task(given)
    ratios: list[float] = []
    began = time.monotonic()
    for number in range(given.seeds):
        if (time.monotonic() - began) * (number + 1) > 60 * given.minutes * max(number, 1):
            print(f"{given.seeds - number} pairs left out, for want of time")
            break
        seeded = replace(task, recipe=replace(task.recipe, seed=task.recipe.seed + number))
        ratios.append(race_left_out(seeded, given.plot) if given.left_out else race_to(seeded, given.auc))
    what = f"the loop's best on {given.left_out}" if given.left_out else f"an AUC of {given.auc:g} on tune"
    print(
        f"to {what}: {median(ratios):.2f} times faster "
        f"({min(ratios):.2f}-{max(ratios):.2f}; {len(ratios)} seeds)"
    )


if __name__ == "__main__":
    main()
