"""What each of two questions knows of a source left out, and how far points from the others carry to it.

    python studies/two_questions.py BENCHMARK_DIR RECIPE MANIFEST

Takes the kept answers of `covidct benchmark` with a recipe of two questions. For each trial: AUC of the
probability, of there being an opacity, and of its being typical, with 95 % intervals over patients, and the
sensitivity where 95 % of the others are called negative; positives apart by `finding` where the source tells
several, and so negatives. Then what a calibration on the other sources gives on each. Slices without lungs
are left out, as they get no answer. Prints Markdown. Needs no graph and no slice.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.stats import rankdata

from covidct.data.manifest import Manifest, read_manifest
from covidct.data.recipe import read_recipe
from covidct.evaluation.calibration.pool import SLICE_ALPHA, carry, read_pool
from covidct.evaluation.leave_one_out.trials import SCORES, Kept, read_trials, to_folder
from covidct.evaluation.markdown import to_markdown_table
from covidct.stats.metrics import evaluate_scores

ANSWERS = ("logit", "opacity", "typical")
SPECIFICITY = 0.95
FEW = 30  # slices of a finding: fewer are no row of their own
ALL = "all"


@dataclass(frozen=True)
class Answered:
    """Slices (n,) with lungs: labels, findings, patients, and answers by name."""

    labels: np.ndarray
    findings: np.ndarray
    patients: np.ndarray
    answers: dict[str, np.ndarray]


def read_answers(folder: Path, kept: Kept, manifest: Manifest) -> Answered:
    """The answers of a trial to what was left out."""
    trial = folder / to_folder(kept.left_out) / to_folder(kept.recipe) / f"seed-{kept.seed}"
    findings = {manifest.name(row): row.finding for row in manifest.rows}
    with (trial / SCORES).open(newline="", encoding="utf-8") as file:
        lines = [line for line in csv.DictReader(file) if float(line["extent"]) > 0]
    return Answered(
        np.array([int(line["label"]) for line in lines]),
        np.array([findings[line["path"]] for line in lines]),
        np.array([line["patient"] for line in lines]),
        {name: np.array([float(line[name]) for line in lines]) for name in ANSWERS},
    )


def list_findings(answered: Answered, label: int) -> list[str]:
    """All of a label, and each finding with enough slices where there are several."""
    names, counts = np.unique(answered.findings[answered.labels == label], return_counts=True)
    many = [str(name) for name, count in zip(names, counts, strict=True) if name and count >= FEW]
    return [ALL, *many] if len(names) > 1 else [ALL]


def choose(answered: Answered, label: int, finding: str) -> np.ndarray:
    """Which slices (n,) have this label and finding."""
    chosen: np.ndarray = (answered.labels == label) & ((finding == ALL) | (answered.findings == finding))
    return chosen


def measure(answered: Answered, positive: np.ndarray, negative: np.ndarray) -> list[str]:
    """AUCs with intervals, and the sensitivity of the probability at a specificity of 95 %."""
    both = positive | negative
    cells = []
    for name in ANSWERS:
        # Ranks: an AUC asks for no more.
        ranks = rankdata(answered.answers[name][both]) / both.sum()
        found = evaluate_scores(positive[both], ranks, answered.patients[both], threshold=0.5)
        cells.append(found.metrics["auc"].to_text(3))
    logits = answered.answers["logit"]
    found_at = (logits[positive] > np.quantile(logits[negative], SPECIFICITY)).mean()
    return [*cells, f"{found_at:.2f}"]


def compare(folder: Path, kept: Kept, manifest: Manifest) -> Iterator[list[str]]:
    """The rows of a trial."""
    answered = read_answers(folder, kept, manifest)
    for ill in list_findings(answered, 1):
        for other in list_findings(answered, 0):
            positive, negative = choose(answered, 1, ill), choose(answered, 0, other)
            name = f"{kept.left_out}, {kept.seed}"
            counts = [f"{ill} ({positive.sum()})", f"{other} ({negative.sum()})"]
            yield [name, *counts, *measure(answered, positive, negative)]


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("recipe", type=Path)
    parser.add_argument("manifest", type=Path)
    given = parser.parse_args()
    recipe, manifest = read_recipe(given.recipe), read_manifest(given.manifest)
    rows = [
        row
        for kept in read_trials(given.folder)
        if kept.recipe == recipe.name
        for row in compare(given.folder, kept, manifest)
    ]
    head = ["left out, seed", "COVID-19", "other", "probability", "opacity", "typical", "sensitivity at 95 %"]
    print(to_markdown_table(head, rows))
    carried = [
        [
            one.source,
            f"{one.undecided:.2f}",
            *("-" if share is None else f"{share:.2f}" for share in (one.accuracy, *one.coverage)),
        ]
        for one in carry(read_pool(given.folder, recipe, manifest).slices.answers, alpha=SLICE_ALPHA)
    ]
    head = ["calibrated on the others", "undecided", "balanced accuracy", "holds COVID-19", "holds other"]
    print(to_markdown_table(head, carried))


if __name__ == "__main__":
    main()
