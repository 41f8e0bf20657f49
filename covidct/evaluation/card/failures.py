"""The failure gallery: synthetic slices with known truth, and where a model is wrong or unsure about them.

No patient's picture may be shown; phantoms may. They are no measure of a model, as none was made to look like
a hospital's slices, but they show what an error looks like, and anyone can draw them again.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from covidct.evaluation.markdown import to_markdown_table
from covidct.evaluation.mistakes import Mistake, Picture, find_mistakes, plot_mistakes, to_picture
from covidct.evaluation.sections import Scored
from covidct.images.hounsfield import to_display
from covidct.images.phantoms.slice import Phantom, draw_phantom
from covidct.inference.classifier import Classifier
from covidct.types import Pixels

EACH, SHOWN, SIDE = 6, 10, 512
TRUTH = {Phantom.NORMAL: 0, Phantom.LESIONS: 1, Phantom.CONSOLIDATION: 1}


@dataclass(frozen=True)
class Shown:
    """A synthetic slice (H, W) uint8 display under a name, with how it was drawn and its truth."""

    name: str
    kind: str
    label: int
    pixels: Pixels


@dataclass(frozen=True)
class Gallery:
    """What a model answers for synthetic slices: `scored`, kinds `refused`, and the worst with pictures."""

    scored: tuple[Scored, ...]
    refused: tuple[str, ...]
    mistakes: tuple[Mistake, ...]
    pictures: tuple[Picture | None, ...]
    threshold: float


def draw_slices() -> Iterator[Shown]:
    """The slices: every kind of phantom, whole, cropped, small and with a faint window."""
    for kind, label in TRUTH.items():
        for seed in range(EACH):
            pixels = to_display(draw_phantom(kind, seed=seed, size=SIDE))
            for view, shown in {
                "as drawn": pixels,
                "cropped": pixels[SIDE // 6 : -SIDE // 6, SIDE // 10 : -SIDE // 10],
                "small": np.asarray(Image.fromarray(pixels).resize((160, 160)), np.uint8),
                "faint": (pixels * np.float32(0.6) + np.float32(60)).clip(0, 255).astype(np.uint8),
            }.items():
                yield Shown(f"{kind}-{seed}, {view}", f"{kind}, {view}", label, np.ascontiguousarray(shown))


def answer_phantoms(classifier: Classifier) -> Gallery:
    """Let a model answer for all of them; the same bundle gives the same gallery."""
    scored, refused, pictures = [], [], {}
    for one in draw_slices():
        result = classifier.predict(one.pixels)
        if (made := result.prediction) is None:
            refused.append(one.kind)
            continue
        scored.append(Scored(one.name, one.label, one.kind, one.name, made.probability, made.decision.value))
        if made.evidence is not None:
            pictures[one.name] = to_picture(one.pixels, made.evidence, box=made.box)
    threshold = classifier.operating_point.threshold
    mistakes = find_mistakes(scored, threshold=threshold, most=SHOWN)
    shown = tuple(pictures.get(mistake.row.path) for mistake in mistakes)
    return Gallery(tuple(scored), tuple(refused), mistakes, shown, threshold)


def plot_failures(gallery: Gallery, path: Path) -> None:
    """The ten answers of highest loss as a PNG sheet. Raises ValueError where all were refused."""
    plot_mistakes(
        gallery.mistakes, gallery.pictures, path, n=len(gallery.scored), threshold=gallery.threshold
    )


def to_section(gallery: Gallery, *, name: str) -> str:
    """What the model card says: how many were answered wrong, unsure or not at all; `name` is the PNG's."""
    text = (
        f"Drawn by the program, with known truth; the {len(gallery.mistakes)} answers of highest loss are in "
        f"`{name}`, kept beside the bundle. No measure of the model: no phantom was made to look like a "
        'hospital\'s slices. "Lesions" are round shadows of ground glass or consolidation, and no disease.'
    )
    return f"{text}\n\n{to_markdown(gallery)}\n"


def to_markdown(gallery: Gallery) -> str:
    """A table by kind of slice."""
    kinds = list(dict.fromkeys([*(one.source for one in gallery.scored), *gallery.refused]))
    return to_markdown_table(
        ("Synthetic slices", "Truth", "Drawn", "Wrong", "Indeterminate", "Refused"),
        [_row(gallery, kind) for kind in kinds],
    )


def _row(gallery: Gallery, kind: str) -> list[str]:
    found = [one for one in gallery.scored if one.source == kind]
    refused = gallery.refused.count(kind)
    unsure = sum(one.decision == "indeterminate" for one in found)
    wrong = sum(
        one.decision != "indeterminate" and (one.probability >= gallery.threshold) != bool(one.label)
        for one in found
    )
    truth = "no lesion" if kind.startswith(Phantom.NORMAL) else "lesions"
    return [kind, truth, f"{len(found) + refused}", f"{wrong}", f"{unsure}", f"{refused}"]
