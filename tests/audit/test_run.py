"""Faults planted one by one into a clean set of phantoms: each must be found, and nothing else in the "
"clean set."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from covidct.audit.run import CHECKS, audit
from covidct.audit.verdict import Check, Level
from covidct.data.lock import Use, make_lock, write_lock
from covidct.data.manifest import DataPlan, read_manifest
from covidct.images.hounsfield import to_display
from covidct.images.phantoms.slice import Phantom, draw_phantom
from covidct.types import Pixels

PATIENTS, SIZE = 24, 96
SPLITS = ("train", "train", "train", "tune", "test", "test")
HEAD = ("path", "label", "source", "patient_id", "split", "note", "parent", "age")


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


class Planted:
    """A copy of the clean set, to be spoilt."""

    def __init__(self, folder: Path, lines: Iterable[Line]):
        self.folder = folder
        self.lines = list(lines)

    @property
    def covid(self) -> list[int]:
        return [at for at, line in enumerate(self.lines) if line.label == "covid"]

    def change(self, at: int, **values: str) -> None:
        self.lines[at] = replace(self.lines[at], **values)

    def add(self, line: Line, pixels: Pixels) -> None:
        Image.fromarray(pixels).save(self.folder / line.path)
        self.lines.append(line)

    def pixels(self, at: int) -> Pixels:
        return np.asarray(Image.open(self.folder / self.lines[at].path))

    def redraw(self, at: int, pixels: Pixels) -> None:
        Image.fromarray(pixels).save(self.folder / self.lines[at].path)

    def write(self) -> Path:
        path = self.folder / "manifest.csv"
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(HEAD)
            writer.writerows([getattr(line, name) for name in HEAD] for line in self.lines)
        return path

    def check(self, name: str) -> Check:
        return audit(read_manifest(self.write()), DataPlan(), only=(name,)).checks[0]


@pytest.fixture(scope="session")
def clean(tmp_path_factory: pytest.TempPathFactory) -> Planted:
    """Two sources with as many patients of either class, one slice each, alike in all that is no lesion."""
    folder = tmp_path_factory.mktemp("clean")
    lines = []
    for at in range(4 * PATIENTS):
        label, source = ("covid", "non-covid")[at % 2], ("north", "south")[at // 2 % 2]
        kind = Phantom.LESIONS if label == "covid" else Phantom.NORMAL
        path = f"{'abcdefgh'[at * 7 % 8]}-{at * 37 % 1000}x.png"
        Image.fromarray(to_display(draw_phantom(kind, seed=at, size=SIZE))).save(folder / path)
        lines.append(Line(path, label, source, f"p{at}", SPLITS[at // 4 % len(SPLITS)]))
    return Planted(folder, lines)


@pytest.fixture
def planted(clean: Planted, tmp_path: Path) -> Planted:
    shutil.copytree(clean.folder, tmp_path / "set")
    return Planted(tmp_path / "set", clean.lines)


def test_a_clean_set_has_no_failure_and_at_most_one_warning(clean: Planted) -> None:
    found = audit(read_manifest(clean.write()), DataPlan())
    assert tuple(check.name for check in found.checks) == CHECKS
    levels = {check.name: check.level for check in found.checks}
    bad = {name: level for name, level in levels.items() if level is not Level.PASS}
    assert set(bad.values()) <= {Level.WARN}, bad
    assert set(bad) <= {"sample-size"}, bad  # two dozen patients are few, however clean
    assert (found.slices, found.positives) == (4 * PATIENTS, 2 * PATIENTS)


def test_the_same_set_gives_the_same_verdict(clean: Planted) -> None:
    manifest = read_manifest(clean.write())
    assert audit(manifest, DataPlan()) == audit(manifest, DataPlan())


def one_class(planted: Planted) -> None:
    planted.lines = [planted.lines[at] for at in planted.covid]


def missing_file(planted: Planted) -> None:
    (planted.folder / planted.lines[3].path).unlink()


def damaged_file(planted: Planted) -> None:
    path = planted.folder / planted.lines[3].path
    path.write_bytes(path.read_bytes()[:300])


def undeclared_labels(planted: Planted) -> None:
    planted.change(3, label="1")


def two_labels(planted: Planted) -> None:
    """A resized copy of a COVID-19 slice among the others."""
    source = Image.fromarray(planted.pixels(planted.covid[0])).resize((70, 70), Image.Resampling.BILINEAR)
    planted.add(Line("copy.png", "non-covid", "north", "other", "train"), np.asarray(source))


def patient_of_both_classes(planted: Planted) -> None:
    for at in (planted.covid[0], planted.covid[0] + 1):
        planted.change(at, patient_id="p", source="north", split="train")


def copy_across_splits(change: Callable[[Image.Image], Image.Image]) -> Callable[[Planted], None]:
    def plant(planted: Planted) -> None:
        assert planted.lines[0].split == "train"
        copy = change(Image.fromarray(planted.pixels(0)))
        planted.add(
            replace(planted.lines[0], path="copy.png", patient_id="other", split="test"), np.asarray(copy)
        )

    return plant


def recompress(image: Image.Image) -> Image.Image:
    buffer = BytesIO()
    image.save(buffer, "JPEG", quality=50)
    return Image.open(buffer)


def divided_patient(planted: Planted) -> None:
    train = next(at for at, line in enumerate(planted.lines) if line.split == "train")
    test = next(
        at
        for at, line in enumerate(planted.lines)
        if line.split == "test" and line.source == planted.lines[train].source
    )
    planted.change(test, patient_id=planted.lines[train].patient_id)


def copy_of_a_test_slice(planted: Planted) -> None:
    test = next(line for line in planted.lines if line.split == "test")
    pixels = np.asarray(Image.open(planted.folder / test.path).rotate(15))
    planted.add(replace(test, path="aug.png", split="train", patient_id="", parent=test.path), pixels)


def consecutive_numbers(planted: Planted) -> None:
    for at in range(0, 40, 4):
        old, new = planted.lines[at].path, f"Covid ({at // 4}).png"
        (planted.folder / old).rename(planted.folder / new)
        planted.change(at, path=new, patient_id="")


def touched_test_split(planted: Planted) -> None:
    manifest = read_manifest(planted.write())
    uses = tuple(Use("model", version, version * 64, "2026-01-01") for version in "123")
    write_lock(replace(make_lock(manifest), uses=uses))


def changed_test_split(planted: Planted) -> None:
    write_lock(make_lock(read_manifest(planted.write())))
    planted.change(next(at for at, line in enumerate(planted.lines) if line.split == "test"), split="train")


def wider_for_covid(planted: Planted) -> None:
    for at in planted.covid:
        image = Image.fromarray(planted.pixels(at))
        planted.redraw(at, np.asarray(image.resize((SIZE + at % 5 + 9, SIZE))))


def jpeg_for_others(planted: Planted) -> None:
    """JPEG inside, .png outside."""
    for at, line in enumerate(planted.lines):
        if line.label != "covid":
            Image.fromarray(planted.pixels(at)).save(planted.folder / line.path, "JPEG", quality=80)


def frame_for_covid(planted: Planted) -> None:
    for at in planted.covid:
        pixels = planted.pixels(at).copy()
        pixels[:2] = pixels[-2:] = pixels[:, :2] = pixels[:, -2:] = 180
        planted.redraw(at, pixels)


def marks_for_covid(planted: Planted) -> None:
    for at in planted.covid:
        image = Image.fromarray(planted.pixels(at))
        ImageDraw.Draw(image).text((4 + at % 9, 3 + at % 7), "R 12", fill=255)
        planted.redraw(at, np.asarray(image))


def letter_on_some_covid(planted: Planted) -> None:
    """An L in the corner of 40 % of one class."""
    for at in planted.covid:
        if at % 10 in (0, 4):
            image = Image.fromarray(planted.pixels(at))
            ImageDraw.Draw(image).text((3, 2), "L", fill=255)
            planted.redraw(at, np.asarray(image))


def mirrored_covid(planted: Planted) -> None:
    for at in planted.covid:
        planted.redraw(at, planted.pixels(at)[:, ::-1])


def one_source_a_class(planted: Planted) -> None:
    for at, line in enumerate(planted.lines):
        planted.change(at, source="sick" if line.label == "covid" else "well")


def older_with_covid(planted: Planted) -> None:
    for at, line in enumerate(planted.lines):
        planted.change(at, age=f"{(60 if line.label == 'covid' else 8) + at % 9}")


def photographs(planted: Planted) -> None:
    rng = np.random.default_rng(0)
    for number in range(6):
        small = rng.integers(0, 255, (6, 6, 3), np.uint8)
        photo = Image.fromarray(small).resize((128, 96), Image.Resampling.BICUBIC)
        planted.add(
            Line(f"photo{number}x.png", "covid", "north", f"photo{number}", "train"), np.asarray(photo)
        )


def few_patients(planted: Planted) -> None:
    for at, line in enumerate(planted.lines):
        planted.change(at, patient_id=f"{line.label}-{line.split}-{at % 3}")


FAULTS: list[tuple[str, Callable[[Planted], None], Level, str]] = [
    ("labels", one_class, Level.FAIL, "one class only"),
    ("labels", missing_file, Level.FAIL, "1 file is missing"),
    ("labels", damaged_file, Level.FAIL, "cannot be read"),
    ("labels", undeclared_labels, Level.WARN, "1 (1)"),
    ("labels", two_labels, Level.FAIL, "two labels"),
    ("labels", patient_of_both_classes, Level.WARN, "1 patient has slices of both classes, as p of north"),
    ("duplicates", copy_across_splits(lambda image: image), Level.FAIL, "split"),
    ("duplicates", copy_across_splits(lambda image: image.resize((61, 61))), Level.FAIL, "split"),
    ("duplicates", copy_across_splits(recompress), Level.FAIL, "split"),
    ("duplicates", copy_across_splits(lambda image: image.rotate(5)), Level.FAIL, "split"),
    (
        "duplicates",
        copy_across_splits(lambda image: image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)),
        Level.FAIL,
        "split",
    ),
    ("duplicates", copy_across_splits(lambda image: image.crop((4, 10, 81, 87))), Level.FAIL, "split"),
    ("splits", divided_patient, Level.FAIL, "patient is in more than one split"),
    ("splits", copy_of_a_test_slice, Level.FAIL, "Augmented copies"),
    ("splits", consecutive_numbers, Level.WARN, "neighbours in number"),
    ("splits", touched_test_split, Level.WARN, "3 models"),
    ("splits", changed_test_split, Level.FAIL, "is not the one"),
    ("metadata", wider_for_covid, Level.FAIL, ""),
    ("metadata", jpeg_for_others, Level.FAIL, ""),
    ("metadata", jpeg_for_others, Level.WARN, "JPEG"),
    ("shortcuts", frame_for_covid, Level.FAIL, "border"),
    ("shortcuts", marks_for_covid, Level.FAIL, "marks"),
    ("shortcuts", letter_on_some_covid, Level.WARN, "Marks outside the body, by place: AUC 0."),
    ("shortcuts", mirrored_covid, Level.FAIL, "The side of the heart, of "),
    ("sources", one_source_a_class, Level.FAIL, "Cramér"),
    ("sources", older_with_covid, Level.FAIL, "Age alone"),
    ("modality", photographs, Level.WARN, ""),
    ("sample-size", few_patients, Level.FAIL, "too few to measure on"),
]


@pytest.mark.parametrize(
    ("name", "plant", "level", "words"), FAULTS, ids=[f"{at}-{name}" for at, (name, *_) in enumerate(FAULTS)]
)
def test_a_planted_fault_is_found(
    planted: Planted, name: str, plant: Callable[[Planted], None], level: Level, words: str
) -> None:
    plant(planted)
    check = planted.check(name)
    found = " ".join(finding.text for finding in check.findings if finding.level is level)
    assert found, check
    assert words in found
    assert check.level.rank >= level.rank
    assert check.advice


def test_the_lock_is_no_fault_of_its_own(planted: Planted) -> None:
    write_lock(make_lock(read_manifest(planted.write())))
    assert planted.check("splits").level is Level.PASS
