"""How much a calibration on a hospital's own patients mends, and how many of them it takes.

    python studies/calibration.py BENCHMARK_DIR [--recipe lung] [--draws 200]

Takes the kept logits of `covidct benchmark`: models that never saw a source, and that source's slices. Prints
Markdown. First, by source and seed, the calibration from home beside those made from the source's other
patients, in ten folds, as `covidct calibrate` tells it. Then only 10, 20 or 40 patients of each label, drawn
again and again, are calibrated on, and everyone else is measured: mean and 95 % range over draws, all seeds
together. Needs no graph and no slice.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

import numpy as np

from covidct.evaluation.calibration.fit import Slices, calibrate
from covidct.evaluation.calibration.site import ABOUT, Calibration, answer, compare, fit_site
from covidct.evaluation.calibration.site_table import TITLES, to_rows, to_verdict
from covidct.evaluation.leave_one_out.figures import calibrate_home
from covidct.evaluation.leave_one_out.trials import Kept, read_trials
from covidct.evaluation.markdown import to_markdown_table
from covidct.stats.metrics import evaluate_calls, evaluate_scores
from covidct.stats.resampling import ONCE

SIZES = (10, 20, 40)
POINT = "balanced"


def to_slices(kept: Kept) -> Slices:
    """Slices of the source left out."""
    external = kept.external
    return Slices(external.logits, external.labels, [kept.left_out] * external.labels.size, external.patients)


def from_home(kept: Kept) -> Calibration:
    """The calibration that a trial carries, as the benchmark makes it."""
    home = Slices(kept.home.logits, kept.home.labels, kept.home.sources, kept.home.patients)
    splits = np.array(kept.home.splits)
    calibration = Calibration(*calibrate(home.choose(splits == "calibrate"), home.choose(splits == "tune")))
    assert calibration.scale == calibrate_home(kept.home).scale  # as the benchmark has it
    return calibration


def draw(slices: Slices, size: int, random: np.random.Generator) -> Iterator[Slices]:
    """Slices of `size` patients of each label, and of all others."""
    names = np.array(slices.patients)
    chosen = [
        random.choice(np.unique(names[slices.labels == label]), size, replace=False) for label in (0, 1)
    ]
    inside = np.isin(names, np.concatenate(chosen))
    yield slices.choose(inside)
    yield slices.choose(~inside)


def measure(calibration: Calibration, slices: Slices) -> list[float]:
    """ECE and the shares of the first point."""
    found, labels = answer(calibration, slices), slices.labels
    flags = found.flags[POINT]
    ece = evaluate_scores(labels, found.probabilities, slices.patients, threshold=0.5, resampling=ONCE)
    shares = [
        float(flags[name].mean() if label is None else flags[name][labels == label].mean())
        for name, label in ABOUT.items()
    ]
    right = flags["sensitivity"] == (labels == 1)
    accuracy = evaluate_calls(labels, right, slices.patients, ONCE).metrics["balanced_accuracy"]
    assert ece.metrics["ece"].value is not None
    assert accuracy.value is not None
    return [ece.metrics["ece"].value, accuracy.value, *shares]


def to_range(values: list[float]) -> str:
    """Mean and 95 % range."""
    low, high = np.quantile(values, (0.025, 0.975))
    return f"{np.mean(values):.2f} ({low:.2f}–{high:.2f})"


def compare_seeds(trials: list[Kept]) -> str:
    """Before and after, by seed."""
    parts = []
    for kept in trials:
        comparison = compare(to_slices(kept), from_home(kept))
        parts += [
            f"### {kept.left_out}, {kept.recipe}, seed {kept.seed}\n",
            f"{sum(comparison.slices)} slices; patients or blocks with COVID-19 {comparison.patients[0]}, "
            f"without {comparison.patients[1]}.\n",
            to_markdown_table(("", "before", "after"), to_rows(comparison)) + "\n",
            " ".join(to_verdict(comparison)) + "\n",
        ]
    return "\n".join(parts)


def count_enough(trials: list[Kept], draws: int) -> str:
    """By patients of each label, what calibration on them gives to everyone else; 0 is the one from home."""
    rows = []
    for size in (0, *SIZES):
        found = []
        for kept in trials:
            random, slices = np.random.default_rng(0), to_slices(kept)
            for _ in range(draws):
                # Measured on the same patients with and without; the smallest draw for the one from home.
                own, others = draw(slices, size or SIZES[0], random)
                found.append(measure(fit_site(own) if size else from_home(kept), others))
        rows.append(
            [f"{size}" if size else "none", *(to_range(list(values)) for values in zip(*found, strict=True))]
        )
    return to_markdown_table(("patients each", "ECE", "balanced accuracy", *TITLES.values()), rows)


def main() -> None:
    """Print all tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--recipe", default="lung")
    parser.add_argument("--draws", type=int, default=200)
    given = parser.parse_args()
    trials = [kept for kept in read_trials(given.folder) if kept.recipe == given.recipe]
    for left_out, group in groupby(trials, key=lambda kept: kept.left_out):
        own = list(group)
        print(f"## {left_out}\n\n{compare_seeds(own)}")
        print(f"{given.draws} draws a seed, {len(own)} seeds:\n\n{count_enough(own, given.draws)}\n")


if __name__ == "__main__":
    main()
