"""How far the int8 graph is from the float one, and how well either tells two hospitals apart.

    python studies/graphs.py MANIFEST.csv

On the `tune` split of the model that ships: differences of logit, probability and decision at its first
operating point, on the slices that both answer. Then, of two sources that it was not trained on, one of which
shows COVID-19 alone and the other none, the AUC of slices with at least 3 % of lung.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from sklearn.metrics import roc_auc_score

from covidct.data.manifest import Manifest, Row, read_manifest, select_rows
from covidct.evaluation.predictions import predict_rows, run_rows
from covidct.evaluation.rows import place_rows, plan_of
from covidct.inference.classifier import Classifier
from covidct.inference.session import Session
from covidct.types import Precision

GRAPHS: Sequence[Precision] = ("float", "int8")
ILL, WELL = "covid-ny-sbu-slices", "lung-pet-ct-dx"
LEAST_LUNG = 0.03


def compare(rows: Sequence[Row]) -> str:
    """One sentence on the slices that both graphs answer."""
    answers = [predict_rows(Classifier.load(precision=graph), rows) for graph in GRAPHS]
    both = [[one.prediction for one in pair] for pair in zip(*answers, strict=True)]
    pairs = [(one, other) for one, other in both if one is not None and other is not None]
    logits = np.abs([(one.logit or 0) - (other.logit or 0) for one, other in pairs])
    apart = np.abs([one.probability - other.probability for one, other in pairs])
    differ = sum(one.decision is not other.decision for one, other in pairs)
    parts = [
        f"{name}: median {np.median(found):.3f}, 95 % below {np.quantile(found, 0.95):.3f}, "
        f"at most {found.max():.2f}"
        for name, found in (("logit", logits), ("probability", apart))
    ]
    return f"{len(pairs)} slices; {'; '.join(parts)}; {differ} decisions differ ({differ / len(pairs):.1%})"


def tell_apart(manifest: Manifest, graph: Precision) -> str:
    """The AUC between both hospitals."""
    # (Documents beside the slices are rows, too.)
    rows = [row for row in manifest.rows if row.source in (ILL, WELL) and row.path.suffix == ".dcm"]
    outputs = run_rows(Session(Classifier.load(precision=graph).bundle.graph(graph)), rows)
    seen = [
        (row.source == ILL, float(one.logit[0]))
        for row, one in zip(rows, outputs, strict=True)
        if one.lung is not None and one.lung[0] >= LEAST_LUNG
    ]
    ill = sum(label for label, _ in seen)
    auc = roc_auc_score(*zip(*seen, strict=True))
    return f"{graph}: {ill} slices of {ILL} and {len(seen) - ill} of {WELL}, AUC {auc:.2f}"


def main() -> None:
    """Print all of it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("manifest", type=Path)
    manifest = read_manifest(parser.parse_args().manifest)
    plan = plan_of(Classifier.load())
    tune = [row for row in place_rows(select_rows(manifest, plan), plan) if row.split == "tune"]
    print(f"\n{compare(tune)}")
    for graph in GRAPHS:
        print(tell_apart(manifest, graph))


if __name__ == "__main__":
    main()
