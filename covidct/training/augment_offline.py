"""Augmentation offline: the slices of a data set, and turned and mirrored copies of them, as files.

Every copy names the slice it was made from, so that a split can keep both together. Slices keep their size,
unlike those that `augment` places on a network's square. Knows rows, names and pixels. Knows nothing of
networks.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.random import Generator
from PIL import Image

from covidct.data.manifest import DataPlan, Row, to_label, write_manifest
from covidct.data.pixels import read_pixels
from covidct.errors import ManifestError
from covidct.images.files import ENDINGS
from covidct.types import Pixels

MANIFEST = "manifest.csv"
# Bytes of a name without its ending: file systems take 255 with all that is added.
LONGEST = 180


@dataclass(frozen=True)
class Enlargement:
    """How many slices there shall be, and how copies are made.

    `to` counts both classes, half of it each; `rotation` is in degrees, either way; `seed` of all that is
    drawn.
    """

    to: int
    rotation: float = 15.0
    seed: int = 2020


def count_copies(rows: Sequence[Row], plan: DataPlan, enlargement: Enlargement) -> tuple[int, ...]:
    """How many copies each row gives, (n,): in each class all alike, or one more where it does not come out.

    Raises ManifestError where `to` is odd, a class has no slice or more than its half, and for rows that are
    copies themselves.
    """
    _check_originals(rows)
    half, odd = divmod(enlargement.to, 2)
    if odd:
        raise ManifestError(f"--to {enlargement.to}: give an even number, half of it for each class")
    labels = np.array([to_label(row, plan) for row in rows])
    _check_classes(int(labels.sum()), len(labels), plan, enlargement.to)
    copies = np.zeros(len(rows), np.int64)
    for label in (0, 1):
        members = np.flatnonzero(labels == label)
        each, rest = divmod(half - len(members), len(members))
        copies[members] = each
        order = np.random.default_rng((enlargement.seed, label)).permutation(members)
        copies[order[:rest]] += 1
    return tuple(copies.tolist())


def write_augmented(
    rows: Sequence[Row], folder: Path, plan: DataPlan, enlargement: Enlargement
) -> tuple[Row, ...]:
    """Write slices and copies as grey PNG into `folder`, by label, and a manifest of all: `manifest.csv`.

    Returns the new rows, their paths relative to `folder`; each slice is followed by its copies. The same
    rows and enlargement give the same files. Raises ManifestError for files that cannot be read, and as
    `count_copies`, before anything is written.
    """
    counts = count_copies(rows, plan, enlargement)
    names = _to_names(rows)
    taken = {name.casefold() for name in names}
    made: list[Row] = []
    slices = read_pixels(rows, label="and copying")
    for at, (row, pixels) in enumerate(zip(rows, slices, strict=True)):
        rng = np.random.default_rng((enlargement.seed, at))
        original = replace(row, path=_write(pixels, folder, names[at]))
        made.append(original)
        for name in _copy_names(names[at], counts[at], taken):
            path = _write(turn(pixels, rng, rotation=enlargement.rotation), folder, name)
            made.append(replace(original, path=path, parent=original.path))
    write_manifest(made, folder / MANIFEST, absolute=False)
    return tuple(made)


def turn(pixels: Pixels, rng: Generator, *, rotation: float) -> Pixels:
    """Mirror a slice (H, W) uint8 left to right, or not, and rotate it within `rotation` degrees either way.

    Gives (H, W) uint8, resampled bilinearly; what comes in from outside is black.
    """
    image = Image.fromarray(pixels)
    if rng.random() < 0.5:
        image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    angle = rng.uniform(-rotation, rotation)
    return np.asarray(image.rotate(angle, Image.Resampling.BILINEAR, fillcolor=0))


def _check_originals(rows: Sequence[Row]) -> None:
    """Copies of copies would lose grey levels twice, and weigh some slices more than others."""
    if copies := [row.path for row in rows if row.parent]:
        raise ManifestError(
            f"{len(copies)} slices are copies already (column parent), the first is {copies[0]}; "
            "give the manifest of the originals"
        )


def _check_classes(positives: int, n: int, plan: DataPlan, to: int) -> None:
    for count, labels in ((positives, plan.positive), (n - positives, plan.negative)):
        words = " or ".join(labels)
        if not count:
            raise ManifestError(
                f"no slice has the label {words}, and copies can only be made of what is there; "
                "add some, or say what the labels mean with --positive and --negative"
            )
        if 2 * count > to:
            raise ManifestError(
                f"--to {to}: {count} slices have the label {words}, more than its half; "
                f"give --to {2 * max(positives, n - positives)} or more, or leave slices out of the manifest"
            )


def _to_names(rows: Sequence[Row]) -> list[str]:
    """`label/stem` of each row, without an ending; a number tells apart those that are alike."""
    taken: set[str] = set()
    names = []
    for row in rows:
        # What looks like an ending need not be one: 1.2.840.10008 is a whole name.
        stem = row.path.stem if row.path.suffix.lower() in ENDINGS else row.path.name
        names.append(_take(f"{_to_safe(row.label)}/{_to_safe(stem)}", taken))
    return names


def _copy_names(name: str, count: int, taken: set[str]) -> Iterator[str]:
    digits = max(2, len(str(count)))
    for number in range(1, count + 1):
        yield _take(f"{name}~{number:0{digits}}", taken)


def _take(wanted: str, taken: set[str]) -> str:
    """The name that is wanted, with a number where it is in `taken`, to which it is added."""
    name, number = wanted, 1
    # Without case: some file systems hold `a` and `A` for one name.
    while name.casefold() in taken:
        number += 1
        name = f"{wanted}-{number}"
    taken.add(name.casefold())
    return name


def _to_safe(text: str) -> str:
    """The text as a name that every file system takes and that a manifest gives back as it is."""
    composed = unicodedata.normalize("NFC", text)
    plain = "".join(char if char.isprintable() and char not in '<>:"/\\|?*' else "_" for char in composed)
    short = plain.encode()[:LONGEST].decode(errors="ignore")
    return short.strip(" .") or "slice"


def _write(pixels: Pixels, folder: Path, name: str) -> Path:
    """Write one slice; returns its path relative to the folder."""
    path = folder / f"{name}.png"
    path.parent.mkdir(exist_ok=True)
    Image.fromarray(pixels).save(path, "PNG")
    return path.relative_to(folder)
