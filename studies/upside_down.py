"""The weights of `covidct/inference/upside_down.py`, and how often they err on sources left out of the fit.

    python studies/upside_down.py MANIFEST.csv [--slices 100]

Takes so many answered slices of each source, as they are and upside down, and prints a table in Markdown and
the weights fitted on all sources. Sources count the same. A few slices are upside down as they are given:
patients who lay on their belly.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from covidct.data.manifest import Row, read_manifest
from covidct.data.pixels import read_pixels
from covidct.evaluation.markdown import to_markdown_table
from covidct.evaluation.rows import plan_of
from covidct.inference.classifier import Classifier
from covidct.inference.upside_down import MIN_SCORE, to_contrast
from covidct.types import Status


def main() -> None:
    """Print table and weights."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("manifest", type=Path)
    parser.add_argument("--slices", type=int, default=100)
    given = parser.parse_args()
    classifier = Classifier.load()
    rows = draw(read_manifest(given.manifest).rows, plan_of(classifier).labels, given.slices)
    contrasts, sources = describe(classifier, rows)
    lines = []
    for source in sorted(set(sources)):
        left_out = sources == source
        scores = contrasts[left_out] @ fit(contrasts[~left_out], sources[~left_out])
        false, found = (scores < MIN_SCORE).sum(), (-scores < MIN_SCORE).sum()
        lines.append([source, str(len(scores)), str(false), str(found)])
    print(to_markdown_table(("source left out", "slices", "told as they are", "told upside down"), lines))
    print(np.round(fit(contrasts, sources).reshape(4, 4), 2).tolist())


def draw(rows: tuple[Row, ...], labels: tuple[str, ...], count: int) -> list[Row]:
    """At most so many labelled rows of each source, under one seed."""
    by_source: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        if row.label in labels:
            by_source[row.source].append(row)
    random = np.random.default_rng(0)
    return [one[at] for one in by_source.values() for at in random.permutation(len(one))[:count]]


def describe(classifier: Classifier, rows: list[Row]) -> tuple[NDArray[np.float64], NDArray[np.str_]]:
    """Contrasts (N, 16) of the slices that are answered, and their sources (N,)."""
    slices = list(read_pixels(rows, label="slices"))
    found = [
        (to_contrast(pixels, result.prediction.box).ravel(), row.source)
        for row, pixels, result in zip(rows, slices, classifier.predict_many(slices), strict=True)
        if result.status is Status.OK and result.prediction
    ]
    contrasts, sources = zip(*found, strict=True)
    return np.stack(contrasts), np.array(sources)


def fit(contrasts: NDArray[np.float64], sources: NDArray[np.str_]) -> NDArray[np.float64]:
    """Weights (16,) by logistic regression without an offset: upside down is the negative."""
    weights = np.array([100 / (sources == source).sum() for source in sources])
    model = LogisticRegression(C=0.2, fit_intercept=False, max_iter=1000)
    labels = np.repeat([1, 0], len(contrasts))
    model.fit(np.concatenate([contrasts, -contrasts]), labels, sample_weight=np.tile(weights, 2))
    return np.asarray(model.coef_[0])


if __name__ == "__main__":
    main()
