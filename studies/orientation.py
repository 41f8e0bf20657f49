"""What is answered for slices that are given wrongly: turned, upside-down, inverted, small.

    python studies/orientation.py MANIFEST.csv [--slices 300]

Slices of the model's own sources, drawn anew under one seed, each shown in every wrong way to the model that
ships. Prints Markdown: how many are refused, how many of the answered are told to look turned, and what is
answered. `--slices 0` takes all.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
from PIL import Image

from covidct.data.manifest import read_manifest, select_rows
from covidct.data.pixels import read_pixels
from covidct.evaluation.markdown import to_markdown_table
from covidct.evaluation.rows import plan_of
from covidct.inference.classifier import Classifier
from covidct.types import Decision, Pixels, Status

SMALL = 72  # pixels of the shorter side; below 64 slices are refused


def shrink(pixels: Pixels) -> Pixels:
    """With a shorter side of 72 pixels."""
    height, width = pixels.shape
    scale = SMALL / min(height, width)
    return np.asarray(Image.fromarray(pixels).resize((round(width * scale), round(height * scale))), np.uint8)


WAYS: Mapping[str, Callable[[Pixels], Pixels]] = {
    "as it is": lambda pixels: pixels,
    "turned to the left": np.rot90,
    "turned to the right": lambda pixels: np.rot90(pixels, 3),
    "upside-down": lambda pixels: np.rot90(pixels, 2),
    "inverted": lambda pixels: 255 - pixels,
    f"shorter side {SMALL} pixels": shrink,
}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("manifest", type=Path)
    parser.add_argument("--slices", type=int, default=300)
    given = parser.parse_args()
    classifier = Classifier.load()
    rows = select_rows(read_manifest(given.manifest), plan_of(classifier))
    count = given.slices or len(rows)
    drawn = np.random.default_rng(0).choice(len(rows), count, replace=False)
    slices = list(read_pixels([rows[at] for at in drawn], label="slices"))
    lines = []
    for way, show in WAYS.items():
        results = list(classifier.predict_many(np.ascontiguousarray(show(pixels)) for pixels in slices))
        answered = [result for result in results if result.status is Status.OK]
        turned = sum(result.seems_turned for result in answered)
        decisions = [sum(result.decision is decision for result in answered) for decision in Decision]
        lines.append([way, *map(str, (count - len(answered), turned, *decisions))])
    print(f"\n{count} slices, {classifier.model.name}, {classifier.model.precision} graph\n")
    print(to_markdown_table(("shown", "refused", "told to look turned", *Decision), lines))


if __name__ == "__main__":
    main()
