"""One network from trainings of several recipes that began alike; of draws of one recipe, `draws` does it.

    python studies/average_trainings.py MANIFEST RUN... --out DIR [--recipe recipes/opacity.toml]
        [--left-out SOURCE]

The runs are finished ones of `covidct train`, or trials of `covidct benchmark` without SOURCE, of one seed
and so of one beginning. Writes a copy of the first run with these weights, which its own command then
exports, calibrates and scores as if it had trained them.
Source: Wortsman et al., "Model soups" (ICML 2022); Izmailov et al. 2018 for the statistics.
"""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from covidct.data.manifest import Row, read_manifest, select_rows
from covidct.data.recipe import Recipe, read_recipe
from covidct.data.split import assign_splits
from covidct.evaluation.leave_one_out.trials import GRAPH, HOME, SCORES
from covidct.training.average import average_weights, measure_statistics
from covidct.training.checkpoint import BEST
from covidct.training.fit import VIEWS, prepare, read_split
from covidct.training.lessons.drawn_slices import with_drawn
from covidct.training.lessons.loader import KeptViews, build_loader
from covidct.training.machine.precision import autocast
from covidct.training.networks.build import build_network
from covidct.training.networks.opacity_net import OpacityNet
from covidct.training.slices import with_lesions
from covidct.training.trial import Setting, plan_trial


def build_average(runs: Sequence[Path], rows: Sequence[Row], recipe: Recipe) -> OpacityNet:
    """The averaged network of runs that learned from `train` of `rows`."""
    network = build_network(recipe)
    assert isinstance(network, OpacityNet), "only a network of two questions keeps its views"
    network.load_state_dict(average_weights([load_file(run / BEST) for run in runs]))
    few = replace(recipe, teaching=replace(recipe.teaching, views=VIEWS))
    train = with_drawn(with_lesions(read_split(rows, few, "train")), few.teaching.phantoms, few.data)
    views = build_loader(network, train, few)
    assert isinstance(views, KeptViews)
    views.count = len(views.views)
    prepare(network, recipe.phases[-1])
    with autocast(recipe.precision, torch.device("cpu")):
        measure_statistics(network, views, lambda lesson: network.weigh(lesson.lower))
    return network


def copy_run(run: Path, out: Path) -> None:
    """A run as it was before it was exported."""
    made = shutil.ignore_patterns("bundle", "evaluation", "report.html", GRAPH, HOME, SCORES, "*.npy")
    shutil.copytree(run, out, ignore=made)


def main() -> None:
    """Average the runs that are asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("manifest", type=Path)
    parser.add_argument("runs", type=Path, nargs="+")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--recipe", type=Path, default=Path("recipes/opacity.toml"))
    parser.add_argument("--left-out", default="")
    asked = parser.parse_args()
    recipe, manifest = read_recipe(asked.recipe), read_manifest(asked.manifest)
    if asked.left_out:
        recipe = plan_trial(recipe, asked.left_out, recipe.seed, Setting(manifest, asked.out)).recipe
    rows = assign_splits(select_rows(manifest, recipe.data), recipe.data)
    network = build_average(asked.runs, rows, recipe)
    copy_run(asked.runs[0], asked.out)
    save_file(network.state_dict(), asked.out / BEST)


if __name__ == "__main__":
    main()
