"""One trial of a benchmark: a recipe trained on all sources but one, which its graph then scores.

Nothing of the source left out is read before the graph is exported: neither to train, nor to choose an epoch
(`tune`), nor for threshold and temperature, which come from the other sources' logits, also saved. Knows the
files; `figures` computes the figures.
"""

from __future__ import annotations

import csv
import hashlib
import json
import shutil
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

from covidct.data.lock import LOCKED, Use, record_use
from covidct.data.manifest import DataPlan, Manifest, Row, select_rows, to_label
from covidct.data.pixels import read_pixels
from covidct.data.recipe import Recipe, is_same
from covidct.data.split import assign_splits, count_splits, to_groups
from covidct.errors import RecipeError
from covidct.evaluation.leave_one_out.names import to_sources
from covidct.evaluation.leave_one_out.trials import (
    COLUMNS,
    GRAPH,
    HOME,
    HOME_COLUMNS,
    MORE_COLUMNS,
    SCORES,
    TRIAL,
    to_folder,
)
from covidct.evaluation.predictions import INTERVAL_BLOCK, score_logits
from covidct.images.files import write_beside
from covidct.inference.session import Session
from covidct.training.checkpoint import own_folder
from covidct.training.export import check_float, export_float
from covidct.training.fit import fit
from covidct.training.fit_lung_finder import FINDER
from covidct.training.pretrained import Pretrained

HOME_SPLITS = ("tune", "calibrate")
PARITY_SLICES = 20


@dataclass(frozen=True)
class Setting:
    """What all trials of a benchmark share. `accept` is why to train where the audit of the data fails."""

    manifest: Manifest
    out: Path
    pretrained: Pretrained | None = None
    workers: int = 0
    accept: str = ""


@dataclass(frozen=True)
class Trial:
    """One training: `recipe` has its seed, and all sources but `left_out`; `folder` is where it is kept."""

    left_out: str
    recipe: Recipe
    folder: Path


def plan_trial(recipe: Recipe, left_out: str, seed: int, setting: Setting) -> Trial:
    """The trial of a recipe under one seed, without one source. The splits' own seed stays as it is."""
    names = list_sources(setting.manifest, recipe.data)
    others = tuple(name for name in names if name not in to_sources(left_out))
    folder = setting.out / to_folder(left_out) / to_folder(recipe.name) / f"seed-{seed}"
    return Trial(left_out, replace(recipe, seed=seed, data=replace(recipe.data, sources=others)), folder)


def list_sources(manifest: Manifest, plan: DataPlan) -> tuple[str, ...]:
    """The sources of a plan: those it names, else all that have a slice with one of its labels."""
    return plan.sources or tuple(sorted({row.source for row in manifest.rows if row.label in plan.labels}))


def select_left_out(manifest: Manifest, plan: DataPlan, left_out: str) -> tuple[Row, ...]:
    """All labelled slices of what is left out. Raises ManifestError where there are none."""
    return select_rows(manifest, replace(plan, sources=to_sources(left_out)))


def run_trial(trial: Trial, setting: Setting, *, finder: Path | None = None) -> None:
    """Train, export and score, unless that was done; an interrupted training goes on.

    `finder` is a trained lung finder's file, for a recipe that needs one. Writes `trial.json` first and
    `scores.csv` last, which vouches for the rest. Raises RecipeError where the folder holds another trial,
    and TrainingError where another process is at it.
    """
    with own_folder(trial.folder):
        _claim(trial, setting, finder)
        if not is_done(trial):
            _run_trial(trial, setting, finder)


def _run_trial(trial: Trial, setting: Setting, finder: Path | None) -> None:
    folder, plan = trial.folder, trial.recipe.data
    rows = assign_splits(select_rows(setting.manifest, plan), plan)
    if finder is not None and not (folder / FINDER).is_file():
        write_beside(folder / FINDER, lambda partial: shutil.copyfile(finder, partial))
    pretrained = setting.pretrained if trial.recipe.pretrained else None
    network = fit(trial.recipe, rows, out=folder, pretrained=pretrained, workers=setting.workers)
    export_float(network, folder / GRAPH)
    home = [row for row in rows if row.split in HOME_SPLITS]
    slices = list(read_pixels(home, label="home"))
    session = Session((folder / GRAPH).read_bytes())
    check_float(network, (folder / GRAPH).read_bytes(), slices[:PARITY_SLICES])
    _write(folder / HOME, HOME_COLUMNS, _to_lines(home, score_logits(session, slices), setting, plan))
    score_left_out(trial, setting, session)


def is_done(trial: Trial) -> bool:
    """Whether a trial was trained and scored to its end."""
    return (trial.folder / SCORES).is_file()


def score_left_out(trial: Trial, setting: Setting, session: Session) -> None:
    """Score every labelled slice of the source left out, and write `scores.csv`, with all answers."""
    plan = trial.recipe.data
    rows = select_left_out(setting.manifest, plan, trial.left_out)
    if any(row.split == LOCKED for row in rows):
        record_use(setting.manifest, _to_use(trial))
    seen = list(session.run_many(read_pixels(rows, label=trial.left_out)))
    lines = _to_lines(rows, (float(outputs.logit[0]) for outputs in seen), setting, plan)
    more = [name for name in MORE_COLUMNS if getattr(seen[0], name) is not None]
    answers = ({name: f"{getattr(outputs, name)[0]:.6g}" for name in more} for outputs in seen)
    both = (line | answer for line, answer in zip(lines, answers, strict=True))
    _write(trial.folder / SCORES, (*COLUMNS, *more), both)


def describe(trial: Trial, setting: Setting, finder: Path | None) -> dict[str, Any]:
    """What makes a trial this one and no other, as plain values."""
    plan = trial.recipe.data
    rows = assign_splits(select_rows(setting.manifest, plan), plan)
    return {
        "left_out": trial.left_out,
        "recipe": asdict(trial.recipe),
        "manifest_sha256": setting.manifest.digest,
        "pretrained_sha256": setting.pretrained.digest
        if setting.pretrained and trial.recipe.pretrained
        else None,
        "finder_sha256": hashlib.sha256(finder.read_bytes()).hexdigest() if finder else None,
        "splits": count_splits(rows, plan),
        "accepted": setting.accept,
    }


def _claim(trial: Trial, setting: Setting, finder: Path | None) -> None:
    """Write what the trial is, or see that the folder holds the same. Raises RecipeError."""
    path = trial.folder / TRIAL
    # Through JSON, so that tuples and lists compare alike.
    record = json.loads(json.dumps(describe(trial, setting, finder)))
    if path.is_file():
        kept = json.loads(path.read_text(encoding="utf-8"))
        if is_same(kept.get("recipe", {}), trial.recipe):
            kept["recipe"] = record["recipe"]
        # The reason for going on may be put into other words; what was trained may not change.
        if differing := sorted(key for key in record if key != "accepted" and kept.get(key) != record[key]):
            raise RecipeError(
                f"{trial.folder}: holds a trial with another {', '.join(differing)}; choose another "
                "--out, or remove the folder"
            )
        return
    text = json.dumps(record, indent=2, allow_nan=False) + "\n"
    write_beside(path, lambda partial: partial.write_text(text, encoding="utf-8"))


def _to_use(trial: Trial) -> Use:
    digest = hashlib.sha256((trial.folder / GRAPH).read_bytes()).hexdigest()
    name = f"{trial.recipe.name} without {trial.left_out}"
    return Use(name, f"seed {trial.recipe.seed}", digest, date.today().isoformat())


def _to_lines(
    rows: Sequence[Row], logits: Iterable[float], setting: Setting, plan: DataPlan
) -> Iterator[dict[str, object]]:
    patients = to_groups(rows, block=INTERVAL_BLOCK)
    for row, patient, logit in zip(rows, patients, logits, strict=True):
        yield {
            "path": setting.manifest.name(row),
            "label": to_label(row, plan),
            "source": row.source,
            "split": row.split,
            "patient": patient,
            "logit": f"{logit:.6g}",
        }


def _write(path: Path, columns: Sequence[str], lines: Iterable[dict[str, object]]) -> None:
    def fill(partial: Path) -> None:
        with partial.open("w", newline="", encoding="utf-8", errors="surrogateescape") as file:
            writer = csv.DictWriter(file, columns, extrasaction="ignore", lineterminator="\n")
            writer.writeheader()
            writer.writerows(lines)

    write_beside(path, fill)
