"""`covidct benchmark`: recipes against sources that they were not trained on, as a table and a folder."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import click

from covidct.apps.cli.train_options import TrialOptions
from covidct.data.folders import read_data
from covidct.data.recipe import find_recipe, read_recipe
from covidct.errors import RecipeError
from covidct.evaluation.leave_one_out.figures import to_gains, to_standings
from covidct.evaluation.leave_one_out.forest_plot import plot_standings
from covidct.evaluation.leave_one_out.table import to_json, to_markdown, to_summary, to_table
from covidct.evaluation.leave_one_out.trials import read_floors, read_trials
from covidct.images.decoding.heap import keep_memory
from covidct.images.files import write_beside
from covidct.training.leave_one_out import Benchmark, choose_left_out, run_benchmark
from covidct.training.pretrained import load_pretrained
from covidct.training.trial import Setting


def run_trials(names: Sequence[str], data: Path, asked: TrialOptions) -> None:
    """Run what has not been run yet; progress on stderr. Raises as `run_benchmark`."""
    keep_memory()
    recipes = tuple(read_recipe(find_recipe(name)) for name in names)
    if not recipes:
        raise RecipeError("no recipe: name at least one, or only print the table with --table-only")
    manifest = read_data(data, recipes[0].data)
    setting = Setting(
        manifest=manifest,
        out=asked.out,
        pretrained=load_pretrained(asked.pretrained)
        if any(recipe.pretrained for recipe in recipes)
        else None,
        workers=asked.workers,
        accept=asked.accept.strip(),
    )
    chosen = tuple(dict.fromkeys(asked.left_out)) or choose_left_out(manifest, recipes)
    run_benchmark(
        Benchmark(recipes, chosen, setting, seeds=asked.seeds, finder=asked.finder),
        lambda line: click.echo(line, err=True),
    )


def write_standings(out: Path) -> str:
    """Write benchmark.json, .md and .png of all trials that `out` holds; returns the table for the terminal.

    Raises ManifestError where there is no finished trial.
    """
    kept = read_trials(out)
    standings = to_summary(kept, to_standings(kept), read_floors(out, kept), to_gains(kept))
    text = json.dumps(to_json(standings), indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    write_beside(out / "benchmark.png", lambda partial: plot_standings(standings, partial))
    write_beside(
        out / "benchmark.md", lambda partial: partial.write_text(to_markdown(standings), encoding="utf-8")
    )
    write_beside(out / "benchmark.json", lambda partial: partial.write_text(text, encoding="utf-8"))
    return to_table(standings)
