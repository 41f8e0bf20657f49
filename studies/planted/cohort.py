"""A set of phantoms that can be spoilt: pictures, and the manifest that names them."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from PIL import Image

from covidct.audit.run import audit
from covidct.audit.verdict import Audit, Check
from covidct.data.manifest import DataPlan, read_manifest
from covidct.images.hounsfield import to_display
from covidct.images.phantoms.slice import Phantom, draw_phantom
from covidct.types import Pixels

PATIENTS, SIZE = 24, 96
SPLITS = ("train", "train", "train", "tune", "test", "test")
HEAD = ("path", "label", "source", "patient_id", "split", "note", "parent", "age", "sex")


@dataclass(frozen=True)
class Line:
    """One line of the manifest."""

    path: str
    label: str
    source: str
    patient_id: str
    split: str
    note: str = ""
    parent: str = ""
    age: str = ""
    sex: str = ""


class Cohort:
    """A set in a folder; `lines` are those of its manifest."""

    def __init__(self, folder: Path, lines: Iterable[Line]):
        self.folder = folder
        self.lines = list(lines)

    @property
    def covid(self) -> list[int]:
        """Places of the slices with COVID-19."""
        return [at for at, line in enumerate(self.lines) if line.label == "covid"]

    @property
    def others(self) -> list[int]:
        """Places of the slices without."""
        return [at for at, line in enumerate(self.lines) if line.label != "covid"]

    def copy(self, folder: Path) -> Cohort:
        """The same set in a folder that is not there yet."""
        shutil.copytree(self.folder, folder)
        return Cohort(folder, self.lines)

    def change(self, at: int, **values: str) -> None:
        """Change cells of a line."""
        self.lines[at] = replace(self.lines[at], **values)

    def add(self, line: Line, pixels: Pixels) -> None:
        """Add a picture and its line."""
        Image.fromarray(pixels).save(self.folder / line.path)
        self.lines.append(line)

    def find(self, split: str, *, source: str = "north") -> int:
        """The first slice of a split and a source."""
        return next(at for at, line in enumerate(self.lines) if (line.split, line.source) == (split, source))

    def path(self, at: int) -> Path:
        """The file of a slice."""
        return self.folder / self.lines[at].path

    def image(self, at: int) -> Image.Image:
        """The picture of a slice."""
        return Image.open(self.path(at)).copy()

    def pixels(self, at: int) -> Pixels:
        """The grey levels of a slice, (H, W) uint8."""
        return np.asarray(self.image(at))

    def redraw(self, places: Sequence[int], draw: Callable[[Image.Image, int], Image.Image]) -> None:
        """Draw slices anew: `draw` is given each picture and its place."""
        for at in places:
            draw(self.image(at), at).save(self.path(at))

    def write(self) -> Path:
        """Write the manifest; returns its path."""
        path = self.folder / "manifest.csv"
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(HEAD)
            writer.writerows([getattr(line, name) for name in HEAD] for line in self.lines)
        return path

    def audit(self, *checks: str) -> Audit:
        """Audit it: all checks, or only those named."""
        return audit(read_manifest(self.write()), DataPlan(), only=checks)

    def check(self, name: str) -> Check:
        """What one check says of it."""
        return self.audit(name).checks[0]


def draw_cohort(folder: Path, *, each: int = 1) -> Cohort:
    """Two sources with as many patients of either class, alike in all that is no lesion.

    `each` is how many slices a patient has. Names and places in the list say nothing of the class.
    """
    lines = []
    for at in range(4 * PATIENTS):
        label, source = ("covid", "non-covid")[at % 2], ("north", "south")[at // 2 % 2]
        kind = Phantom.LESIONS if label == "covid" else Phantom.NORMAL
        for more in range(each):
            path = f"{'abcdefgh'[at * 7 % 8]}-{(at * 37 + more * 389) % 1000}x{more}.png"
            pixels = to_display(draw_phantom(kind, seed=at + 1000 * more, size=SIZE))
            Image.fromarray(pixels).save(folder / path)
            lines.append(Line(path, label, source, f"p{at}", SPLITS[at // 4 % len(SPLITS)]))
    return Cohort(folder, lines)
