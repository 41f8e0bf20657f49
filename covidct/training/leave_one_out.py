"""A benchmark, the straight line: for every source left out, every recipe and seed: audit -> fit -> score.

Knows which trials there are and what they share: the audit of what is trained on, the lung finder, and the
shortcut floor of the source left out.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from covidct.audit.probes.shortcut_floor import measure_floor
from covidct.audit.report.write import write_reports
from covidct.audit.run import audit
from covidct.audit.verdict import Level
from covidct.data.manifest import DataPlan, Manifest, Row, select_rows
from covidct.data.recipe import Recipe
from covidct.data.split import assign_splits, to_groups
from covidct.errors import AuditError, ManifestError, RecipeError
from covidct.evaluation.leave_one_out.names import to_sources
from covidct.evaluation.leave_one_out.trials import FLOOR, to_folder
from covidct.evaluation.predictions import INTERVAL_BLOCK
from covidct.images.files import write_beside
from covidct.training.fit import find_finder_rows
from covidct.training.fit_lung_finder import FINDER, fit_finder, load_finder
from covidct.training.trial import (
    Setting,
    list_sources,
    plan_trial,
    run_trial,
    select_left_out,
)

MANIFEST = "manifest.json"
# A source with fewer patients of a label bears no interval worth the training.
PATIENTS = 10


@dataclass(frozen=True)
class Benchmark:
    """What is asked for: each of `recipes` without each of `left_out`, under `seeds` seeds from its own on.

    `finder` is a trained lung finder to use in place of one made here.
    """

    recipes: tuple[Recipe, ...]
    left_out: tuple[str, ...]
    setting: Setting
    seeds: int = 3
    finder: Path | None = None


def run_benchmark(benchmark: Benchmark, tell: Callable[[str], object]) -> None:
    """Run every trial that was not run yet; `tell` gets a line before each.

    Raises ManifestError for a source that cannot be left out, AuditError where the rest fails its audit and
    nobody says why to go on, RecipeError where two recipes have one name or `out` holds others.
    """
    check(benchmark)
    total, number = len(benchmark.left_out) * len(benchmark.recipes) * benchmark.seeds, 0
    for left_out in benchmark.left_out:
        audit_rest(benchmark, left_out)
        claim(benchmark.setting)
        keep_floor(benchmark, left_out)
        for recipe in benchmark.recipes:
            finder = find_shared_finder(benchmark, recipe, left_out)
            for seed in range(recipe.seed, recipe.seed + benchmark.seeds):
                number += 1
                tell(f"trial {number} of {total}: {recipe.name} without {left_out}, seed {seed}")
                run_trial(
                    plan_trial(recipe, left_out, seed, benchmark.setting), benchmark.setting, finder=finder
                )


def check(benchmark: Benchmark) -> None:
    """Whether every trial can be run, before the first one is. Raises RecipeError and ManifestError."""
    names = [recipe.name for recipe in benchmark.recipes]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise RecipeError(f"two recipes are named {', '.join(twice)}; give each a name of its own")
    manifest = benchmark.setting.manifest
    known = sorted({row.source for row in manifest.rows})
    asked = {name for left_out in benchmark.left_out for name in to_sources(left_out)}
    if strange := sorted(asked - set(known)):
        raise ManifestError(f"{manifest.path}: has no source {', '.join(strange)}; it has {', '.join(known)}")
    for recipe in benchmark.recipes:
        for left_out in benchmark.left_out:
            select_left_out(manifest, recipe.data, left_out)
            if not _has_both(_rest(manifest, recipe.data, left_out), recipe.data):
                raise ManifestError(
                    f"{manifest.path}: without {left_out} the sources of recipe {recipe.name} do not have "
                    "both labels; leave another one out, or give it more sources"
                )


def choose_left_out(manifest: Manifest, recipes: Sequence[Recipe]) -> tuple[str, ...]:
    """The sources worth leaving out: of a recipe's, with at least ten patients of each label.

    Where there are no patient ids, ten neighbours in number count as one patient; and what is left must have
    both labels. Raises ManifestError where there is none.
    """
    found: dict[str, None] = {}
    for plan in dict.fromkeys(recipe.data for recipe in recipes):
        for name in list_sources(manifest, plan):
            rows = select_left_out(manifest, plan, name)
            if _is_worth_it(rows, plan) and _has_both(_rest(manifest, plan, name), plan):
                found[name] = None
    if not found:
        raise ManifestError(
            f"{manifest.path}: no source has {PATIENTS} patients of either label and leaves both labels to "
            "train on; name the sources to leave out with --left-out"
        )
    return tuple(found)


def audit_rest(benchmark: Benchmark, left_out: str) -> None:
    """Audit what is trained on without a source; writes `audit-RECIPE.html` and `.json`.

    Recipes with the same data share an audit, which the first of them names. One that let training go on is
    not repeated; one that did not is, as the data may have been mended. Raises AuditError.
    """
    setting, folder = benchmark.setting, _folder(benchmark, left_out)
    for recipe in {recipe.data: recipe for recipe in reversed(benchmark.recipes)}.values():
        plan = plan_trial(recipe, left_out, recipe.seed, setting).recipe.data
        place = folder / f"audit-{to_folder(recipe.name)}.json"
        failed = _read_failed(place, setting.manifest.digest)
        if failed is None or (failed and not setting.accept):
            rows = assign_splits(select_rows(setting.manifest, plan), plan)
            manifest = Manifest(setting.manifest.path, setting.manifest.digest, rows)
            found = audit(manifest, plan)
            write_reports(found, manifest, html=place.with_suffix(".html"), document=place)
            failed = [check.title for check in found.checks if check.level is Level.FAIL]
        if failed and not setting.accept:
            raise AuditError(
                f"{setting.manifest.path} without {left_out}: the audit fails ({'; '.join(failed)}): see "
                f"{place.with_suffix('.html')}. Fix the data, or say why to go on with --accept REASON"
            )


def claim(setting: Setting) -> None:
    """Note the manifest in `manifest.json`, or see that it is the same. Raises RecipeError."""
    path = setting.out / MANIFEST
    if path.is_file():
        if json.loads(path.read_text(encoding="utf-8"))["sha256"] != setting.manifest.digest:
            raise RecipeError(
                f"{setting.out}: holds a benchmark of another manifest than {setting.manifest.path} is now; "
                "choose another --out, or remove the folder"
            )
        return
    text = json.dumps({"sha256": setting.manifest.digest}) + "\n"
    write_beside(path, lambda partial: partial.write_text(text, encoding="utf-8"))


def keep_floor(benchmark: Benchmark, left_out: str) -> None:
    """Measure the shortcut floor of a source, once; writes `floor.json`."""
    setting, path = benchmark.setting, _folder(benchmark, left_out) / FLOOR
    if path.is_file():
        return
    plan = replace(benchmark.recipes[0].data, sources=to_sources(left_out))
    rows = select_left_out(setting.manifest, plan, left_out)
    floor = measure_floor(Manifest(setting.manifest.path, setting.manifest.digest, rows), plan)
    text = json.dumps({name: asdict(estimate) for name, estimate in floor.items()}, indent=2, allow_nan=False)
    write_beside(path, lambda partial: partial.write_text(text + "\n", encoding="utf-8"))


def find_shared_finder(benchmark: Benchmark, recipe: Recipe, left_out: str) -> Path | None:
    """The lung finder that all seeds of a network share: brought, kept, or trained without the source.

    Lung masks teach it, no label does. Raises RecipeError where another one is kept than was brought.
    """
    if not recipe.finds_lungs:
        return None
    setting, folder = benchmark.setting, _folder(benchmark, left_out)
    path, brought = folder / FINDER, benchmark.finder
    if brought is not None:
        load_finder(brought)
        if not path.is_file():
            write_beside(path, lambda partial: shutil.copyfile(brought, partial))
        if _digest(path) != _digest(brought):
            raise RecipeError(
                f"{path}: is another lung finder than {brought}; choose another --out, or remove it and its "
                "trials"
            )
    if not path.is_file():
        plan = plan_trial(recipe, left_out, recipe.seed, setting).recipe.data
        rows = assign_splits(select_rows(setting.manifest, plan), plan)
        fit_finder(
            [row for row in rows if row.split == "train"] + find_finder_rows(recipe, setting.manifest),
            out=folder,
            pretrained=setting.pretrained if recipe.pretrained else None,
            seed=recipe.seed,
            steps=recipe.finder_steps,
            workers=setting.workers,
        )
    return path


def _read_failed(place: Path, digest: str) -> list[str] | None:
    """Titles of the checks that failed in a kept audit of this manifest, None where there is none."""
    if not place.is_file():
        return None
    table = json.loads(place.read_text(encoding="utf-8"))
    if table["digest"] != digest:
        return None
    return [entry["title"] for entry in table["checks"] if entry["level"] == Level.FAIL]


def _folder(benchmark: Benchmark, left_out: str) -> Path:
    folder = benchmark.setting.out / to_folder(left_out)
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _rest(manifest: Manifest, plan: DataPlan, left_out: str) -> list[Row]:
    names = set(list_sources(manifest, plan)) - {*to_sources(left_out)}
    return [row for row in manifest.rows if row.source in names and row.label in plan.labels]


def _has_both(rows: Sequence[Row], plan: DataPlan) -> bool:
    return len({row.label in plan.positive for row in rows}) == 2


def _is_worth_it(rows: Sequence[Row], plan: DataPlan) -> bool:
    patients: dict[bool, set[str]] = defaultdict(set)
    for row, group in zip(rows, to_groups(rows, block=INTERVAL_BLOCK), strict=True):
        patients[row.label in plan.positive].add(group)
    return min(len(patients[True]), len(patients[False])) >= PATIENTS


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
