"""What recipes teach from few slices of one hospital, and how long they take, beside a straight loop.

    PYTHONPATH=. python studies/small_sets.py MANIFEST RECIPE.toml|NAME... --pretrained FILE
        --source NAME... [--seeds 0 1 2] [--loop]

Of a source `train` gets three tenths of the patients, `tune` 15 in a hundred, and all others are what is
measured on: `test`. Where there are no patient ids, ten neighbours in number count as one. A seed divides,
draws and initialises anew. Each program keeps the epoch that is best on `tune`: `fit` by itself, the straight
loop (as many epochs and slices as the first recipe) here. Prints CSV, a line a training: AUC on both splits,
and processor seconds, on one thread, with reading and with measuring `tune`.
"""

from __future__ import annotations

import argparse
import csv
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score
from torch import nn

from benchmarks.straight_loop import open_all, run_loop
from benchmarks.training import count_seconds
from covidct.data.manifest import Manifest, Row, read_manifest, select_rows, to_label
from covidct.data.recipe import Recipe, find_recipe, read_recipe
from covidct.data.split import divide_groups, to_groups
from covidct.training.fit import compute_logits, fit
from covidct.training.pretrained import Pretrained, load_pretrained
from covidct.training.slices import read_slices

SHARES = {"tune": 0.15, "test": 0.55}
BLOCK = 10
COLUMNS = ("recipe", "source", "seed", "train", "epoch", "tune_auc", "test_auc", "seconds")
Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class Trained:
    """The epoch that was best on `tune`, the network then, its AUC there, and what the whole took."""

    epoch: int
    network: nn.Module
    tune_auc: float
    seconds: float


def divide(manifest: Manifest, recipe: Recipe, source: str, seed: int) -> tuple[Row, ...]:
    """The rows of a source, divided by patient anew."""
    rows = select_rows(manifest, replace(recipe.data, sources=(source,)))
    rows = tuple(replace(row, split="") for row in rows)
    return divide_groups(rows, to_groups(rows, block=BLOCK), SHARES, seed=seed)


def run_fit(recipe: Recipe, rows: Sequence[Row], pretrained: Pretrained) -> Trained:
    """Train by the recipe."""
    began = count_seconds()
    with tempfile.TemporaryDirectory() as folder:
        network = fit(recipe, rows, out=Path(folder), pretrained=pretrained)
        seconds = count_seconds() - began
        with (Path(folder) / "metrics.csv").open(newline="", encoding="utf-8") as file:
            epochs = list(csv.DictReader(file))
    best = max(epochs, key=lambda epoch: (float(epoch["tune_auc"]), -float(epoch["tune_loss"])))
    return Trained(int(best["epoch"]), network, float(best["tune_auc"]), seconds)


def run_straight(recipe: Recipe, rows: Sequence[Row], pretrained: Pretrained) -> Trained:
    """Train by the straight loop."""
    began = count_seconds()
    tune = [row for row in rows if row.split == "tune"]
    pixels = open_all(tune, recipe)
    aucs, states = [], []
    for network in run_loop(recipe, rows, pretrained):
        aucs.append(measure(network, pixels, tune, recipe))
        states.append({name: value.clone() for name, value in network.state_dict().items()})
    best = int(np.argmax(aucs))
    network.load_state_dict(states[best])
    return Trained(best + 1, network, aucs[best], count_seconds() - began)


def measure(network: nn.Module, pixels: Pixels, rows: Sequence[Row], recipe: Recipe) -> float:
    """AUC over all slices."""
    labels = [to_label(row, recipe.data) for row in rows]
    return float(roc_auc_score(labels, compute_logits(network, pixels)))


def run(
    recipes: Sequence[Recipe], rows: Sequence[Row], pretrained: Pretrained, *, loop: bool
) -> Iterator[dict[str, object]]:
    """A line for each training on one division."""
    test = [row for row in rows if row.split == "test"]
    pixels = read_slices(test, recipes[0].data, side=recipes[0].size).pixels
    programs = [(recipe.name, recipe, run_fit) for recipe in recipes]
    if loop:
        programs.append(("straight loop", recipes[0], run_straight))
    for name, recipe, train in programs:
        found = train(recipe, rows, pretrained)
        yield {
            "recipe": name,
            "train": sum(row.split == "train" for row in rows),
            "epoch": found.epoch,
            "tune_auc": f"{found.tune_auc:.4f}",
            "test_auc": f"{measure(found.network, pixels, test, recipe):.4f}",
            "seconds": f"{found.seconds:.0f}",
        }


def main() -> None:
    """Train and measure what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("manifest", type=Path)
    parser.add_argument("recipes", nargs="+")
    parser.add_argument("--pretrained", type=Path)
    parser.add_argument("--source", nargs="+", required=True)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--loop", action="store_true")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    recipes = [read_recipe(find_recipe(name)) for name in asked.recipes]
    manifest, pretrained = read_manifest(asked.manifest), load_pretrained(asked.pretrained)
    writer = csv.DictWriter(sys.stdout, COLUMNS, lineterminator="\n")
    writer.writeheader()
    for seed in asked.seeds:
        seeded = [replace(recipe, seed=seed) for recipe in recipes]
        for source in asked.source:
            for line in run(seeded, divide(manifest, seeded[0], source, seed), pretrained, loop=asked.loop):
                writer.writerow(line | {"source": source, "seed": seed})
                sys.stdout.flush()


if __name__ == "__main__":
    main()
