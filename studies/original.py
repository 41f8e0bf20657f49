"""The two original approaches under the original protocol and under honest ones: draw, train, test.

`python studies/original.py --data MANIFEST.csv --pretrained FILE --out runs/original` trains 2 approaches x 3
protocols x 5 draws and tests each on the same slices, which none of them saw. What is done is not done again.
`studies/original_report.py` makes tables and pictures of what this leaves in OUT/results.json.
"""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path

import click
import numpy as np

from covidct.apps.cli.commands.augment import run_augment
from covidct.data.manifest import Row, read_manifest, write_manifest
from covidct.data.recipe import Recipe, read_recipe
from covidct.data.split import divide_groups, to_groups
from covidct.evaluation.predictions import answer_rows
from covidct.inference.classifier import Classifier
from covidct.training.augment_offline import Enlargement
from covidct.training.pretrained import Pretrained, load_pretrained
from covidct.training.run import Job, train

RECIPES = Path(__file__).parents[1] / "recipes"
APPROACHES = ("original-scratch", "original-mobilenet")
PROTOCOLS = ("original", "honest", "all")
EACH, SLICES = 25, 200
HOME, ABROAD = "covid-ct", "sarscov2-ct"
ACCEPTED = "run to show what the original protocol does; not a model to use"


@dataclass(frozen=True)
class Trial:
    """One training: which approach, under which protocol, on which draw of slices."""

    approach: str
    protocol: str
    draw: int

    @property
    def name(self) -> str:
        """As its folder is called."""
        return f"{self.approach}-{self.protocol}-{self.draw}"


@click.command()
@click.option("--data", type=click.Path(exists=True, path_type=Path), required=True)
@click.option("--pretrained", type=click.Path(exists=True, path_type=Path), required=True)
@click.option("--out", type=click.Path(path_type=Path), required=True)
@click.option("--draws", type=click.IntRange(1), default=5, show_default=True)
@click.option("--approach", "approaches", type=click.Choice(APPROACHES), multiple=True, default=APPROACHES)
def main(data: Path, pretrained: Path, out: Path, draws: int, approaches: Sequence[str]) -> None:
    """Train and test all; results.json tells what came of it."""
    weights = load_pretrained(pretrained)
    rows = [row for row in read_manifest(data).rows if "label conflict" not in row.note]
    pool = [row for row in rows if row.source == HOME and row.split == "train"]
    tested = {
        HOME: [row for row in rows if row.source == HOME and row.split == "tune"],
        ABROAD: [row for row in rows if row.source == ABROAD],
    }
    trials = [Trial(*cell, draw) for draw in range(draws) for cell in product(approaches, PROTOCOLS)]
    results = []
    for number, trial in enumerate(trials, 1):
        click.echo(f"{number} of {len(trials)}: {trial.name}", err=True)
        results.append(run_trial(trial, pool, tested, pretrained=weights, out=out))
    (out / "results.json").write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


def run_trial(
    trial: Trial, pool: Sequence[Row], tested: dict[str, list[Row]], *, pretrained: Pretrained, out: Path
) -> dict[str, object]:
    """Train one model and test it; its record is kept in its folder, and read again where it is there."""
    folder = out / trial.name
    record = folder / "record.json"
    if record.is_file():
        found: dict[str, object] = json.loads(record.read_text(encoding="utf-8"))
        return found
    shutil.rmtree(folder, ignore_errors=True)  # what an interrupted trial left
    folder.mkdir(parents=True)
    recipe = read_recipe(RECIPES / f"{trial.approach}.toml")
    recipe = replace(recipe, seed=recipe.seed + trial.draw)
    manifest = write_data(trial, pool, recipe, folder)
    job = Job(
        recipe=recipe,
        manifest=read_manifest(manifest),
        out=folder / "run",
        pretrained=pretrained if recipe.pretrained else None,
        accept=ACCEPTED,
    )
    classifier = Classifier.load(train(job))
    result = {
        "approach": trial.approach,
        "protocol": trial.protocol,
        "draw": trial.draw,
        "own": read_own(folder / "run"),
        "curve": read_curve(folder / "run"),
        "tested": {name: test(classifier, rows, recipe) for name, rows in tested.items()},
    }
    record.write_text(json.dumps(result) + "\n", encoding="utf-8")
    return result


def write_data(trial: Trial, pool: Sequence[Row], recipe: Recipe, folder: Path) -> Path:
    """The manifest that the trial learns from, with every split."""
    rng = np.random.default_rng(trial.draw)
    chosen = list(pool) if trial.protocol == "all" else draw_rows(pool, rng)
    if trial.protocol == "original":
        made = enlarge(chosen, folder, recipe, to=SLICES, seed=trial.draw)
        order = rng.permutation(len(made))
        rows = [
            replace(row, split="tune" if order[at] < len(made) // 5 else "train")
            for at, row in enumerate(made)
        ]
    else:
        split = divide_groups(
            [replace(row, split="") for row in chosen],
            to_groups(chosen, block=1),
            {"tune": recipe.data.tune},
            seed=trial.draw,
        )
        learnt = [row for row in split if row.split == "train"]
        largest = max(sum(row.label == label for row in learnt) for label in ("covid", "non-covid"))
        to = 4 * largest if trial.protocol == "all" else SLICES * 4 // 5
        rows = [
            *enlarge(learnt, folder, recipe, to=to, seed=trial.draw),
            *(row for row in split if row.split == "tune"),
        ]
    write_manifest(rows, folder / "manifest.csv")
    return folder / "manifest.csv"


def draw_rows(pool: Sequence[Row], rng: np.random.Generator) -> list[Row]:
    """25 slices of each class, drawn at random."""
    drawn: list[Row] = []
    for label in ("covid", "non-covid"):
        members = [row for row in pool if row.label == label]
        drawn += [members[at] for at in sorted(rng.choice(len(members), EACH, replace=False))]
    return drawn


def enlarge(rows: Sequence[Row], folder: Path, recipe: Recipe, *, to: int, seed: int) -> Sequence[Row]:
    """Originals and turned and mirrored copies, as the original's data set was made."""
    write_manifest(rows, folder / "drawn.csv")
    run_augment(folder / "drawn.csv", folder / "data", recipe.data, Enlargement(to, seed=seed))
    return read_manifest(folder / "data" / "manifest.csv").rows


def read_own(run: Path) -> dict[str, float | int]:
    """The accuracy that the protocol reports of itself: the best epoch's, on its own tune split."""
    n = sum(row.split == "tune" for row in read_manifest(run / "manifest.csv").rows)
    accuracy = max(line["accuracy"] for line in read_curve(run))
    return {"right": round(accuracy * n), "n": n}


def read_curve(run: Path) -> list[dict[str, float]]:
    """Epoch by epoch: both losses, and the accuracy on the run's own tune split."""
    with (run / "metrics.csv").open(newline="", encoding="utf-8") as file:
        lines = list(csv.DictReader(file))
    names = {"train_loss": "train_loss", "tune_loss": "tune_loss", "accuracy": "tune_accuracy"}
    return [{name: float(line[column]) for name, column in names.items()} for line in lines]


def test(classifier: Classifier, rows: Sequence[Row], recipe: Recipe) -> dict[str, list[object]]:
    """What the model answers for slices that it never saw."""
    plan = replace(recipe.data, sources=())
    scored = answer_rows(classifier, rows, plan).scored
    return {
        "labels": [row.label for row in scored],
        "patients": [row.patient for row in scored],
        "probabilities": [round(row.probability, 5) for row in scored],
    }


if __name__ == "__main__":
    main()
