"""`covidct train`: labelled slices and a recipe -> a bundle."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from covidct.apps.cli.train_options import RunOptions
from covidct.data.folders import read_data
from covidct.data.manifest import select_rows
from covidct.data.recipe import find_recipe, read_recipe
from covidct.images.decoding.heap import keep_memory
from covidct.training.checkpoint import METRICS
from covidct.training.machine.processes import join_processes
from covidct.training.pretrained import load_pretrained
from covidct.training.report.write import PAGE
from covidct.training.run import Job, search_rates, train, train_gate, use_threads


def run_train(data: Path, asked: RunOptions) -> Iterator[str]:
    """Do what is asked; gives lines for the terminal. Raises as `train`."""
    keep_memory()
    if asked.threads:
        use_threads(asked.threads)
    job = to_job(data, asked)
    if asked.find_rate:
        yield from search_rates(job)
    elif asked.gate_only:
        yield str(train_gate(job))
    else:
        with join_processes() as processes:
            bundle = train(replace(job, processes=processes))
            if processes.is_first:
                yield f"Bundle: {bundle}"
                yield f"Report: {job.out / PAGE}"


def tell_kept(out: Path) -> str:
    """What a stopped run leaves behind, and how to go on."""
    histories = [path for path in (out / METRICS, *out.glob(f"draw-*/{METRICS}")) if path.is_file()]
    if not histories:
        return "No epoch was finished: the same command starts anew."
    count = sum(len(path.read_text(encoding="utf-8").splitlines()) - 1 for path in histories)
    epochs = f"{count} epoch is" if count == 1 else f"{count} epochs are"
    return f"{epochs} kept in {out}: the same command goes on from there."


def to_job(data: Path, asked: RunOptions) -> Job:
    """The job, its data checked before any weights are fetched. Raises ManifestError and RecipeError."""
    recipe = read_recipe(find_recipe(asked.recipe))
    recipe = replace(recipe, data=recipe.data.with_labels(asked.positive, asked.negative))
    manifest = read_data(data, recipe.data)
    select_rows(manifest, recipe.data)
    return Job(
        recipe=recipe,
        manifest=manifest,
        out=asked.out,
        version=asked.number,
        pretrained=load_pretrained(asked.pretrained) if recipe.pretrained else None,
        notes=asked.notes.read_text(encoding="utf-8") if asked.notes else "",
        workers=asked.workers,
        accept=asked.accept.strip(),
        pool=asked.pool,
        search=asked.rate == "auto",
    )
