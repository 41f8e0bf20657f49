"""What it gives to calibrate on `tune` as well as on `calibrate`: at home, and where a source was left out.

    python studies/pooled.py BENCHMARK_DIR [--recipe lung]

Takes the kept logits of `covidct benchmark`. For each trial, with scale and limits from `calibrate` (as
models have them) and from both splits: the source left out, measured as it is; and `tune` at home, where
both splits calibrate it by ten folds over their patients. Prints Markdown. Needs no graph and no slice.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from covidct.evaluation.calibration.fit import Slices, calibrate
from covidct.evaluation.calibration.site import Answers, Calibration, answer, answer_by_folds, deal_folds
from covidct.evaluation.leave_one_out.trials import Kept, Logits, read_trials
from covidct.evaluation.markdown import to_markdown_table
from covidct.stats.metrics import evaluate_scores
from covidct.stats.resampling import ONCE

POINT = "balanced"


def to_slices(logits: Logits, source: str = "") -> Slices:
    """Slices as they are calibrated on; `source` where the file names none."""
    sources = logits.sources if any(logits.sources) else [source] * logits.labels.size
    return Slices(logits.logits, logits.labels, sources, logits.patients)


def measure(answers: Answers, slices: Slices, chosen: np.ndarray) -> list[str]:
    """Coverage of COVID-19 and of the rest, share undecided, ECE, of the chosen slices (n,) bool."""
    labels, flags = slices.labels[chosen], answers.flags[POINT]
    told = answers.probabilities[chosen]
    patients = np.array(slices.patients)[chosen]
    ece = evaluate_scores(labels, told, patients, threshold=0.5, resampling=ONCE).metrics["ece"].value
    shares = [
        flags["coverage_positive"][chosen][labels == 1].mean(),
        flags["coverage_negative"][chosen][labels == 0].mean(),
        flags["indeterminate"][chosen].mean(),
        ece,
    ]
    return [f"{share:.2f}" for share in shares]


def compare(kept: Kept) -> list[list[str]]:
    """Four rows of the table."""
    home, external = to_slices(kept.home), to_slices(kept.external, kept.left_out)
    tune = np.array(kept.home.splits) == "tune"
    everything = np.ones(external.labels.size, bool)
    now = Calibration(*calibrate(home.choose(~tune), home.choose(tune)))
    both = Calibration(*calibrate(home, home.choose(tune)))
    by_folds = answer_by_folds(home, deal_folds(home, seed=0))
    trial = f"{kept.left_out}, {kept.seed}"
    return [
        [trial, "calibrate", "tune at home", *measure(answer(now, home), home, tune)],
        [trial, "both, by folds", "tune at home", *measure(by_folds, home, tune)],
        [trial, "calibrate", "left out", *measure(answer(now, external), external, everything)],
        [trial, "both", "left out", *measure(answer(both, external), external, everything)],
    ]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--recipe", default="lung")
    given = parser.parse_args()
    trials = [kept for kept in read_trials(given.folder) if kept.recipe == given.recipe]
    head = (
        "without, seed",
        "calibrated on",
        "tested on",
        "holds COVID-19",
        "holds other",
        "undecided",
        "ECE",
    )
    print(to_markdown_table(head, [row for kept in trials for row in compare(kept)]))


if __name__ == "__main__":
    main()
