"""All faults, each with the check that has to find it; and clean sets, in which there is nothing to find."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from covidct.audit.verdict import Level
from planted import pictures, rows
from planted.cohort import SIZE, Cohort, draw_cohort

FAIL, WARN = Level.FAIL, Level.WARN
Plant = Callable[[Cohort], None]
across = pictures.copy_across_splits


@dataclass(frozen=True)
class Fault:
    """What is planted, the check that finds it, the level that it has at least, and words of the finding."""

    name: str
    check: str
    plant: Plant
    level: Level
    words: str = ""


FAULTS = (
    Fault("one class only", "labels", rows.one_class, FAIL, "one class only"),
    Fault("a file is missing", "labels", rows.missing_file, FAIL, "1 file is missing"),
    Fault("a file is cut short", "labels", rows.damaged_file, FAIL, "cannot be read"),
    Fault("an undeclared label", "labels", rows.undeclared_label, WARN, "1 (1)"),
    Fault("one picture under two labels", "labels", rows.two_labels, FAIL, "two labels"),
    Fault("one patient in both classes", "labels", rows.patient_of_both_classes, WARN, "as p of north"),
    Fault("5 % of labels swapped", "labels", rows.swapped_labels, WARN),
    Fault("copy across splits", "duplicates", across(lambda image: image), FAIL, "split"),
    Fault("... resized", "duplicates", across(lambda image: image.resize((61, 61))), FAIL, "split"),
    Fault("... as JPEG, quality 50", "duplicates", across(pictures.recompress), FAIL, "split"),
    Fault("... turned by 5 degrees", "duplicates", across(lambda image: image.rotate(5)), FAIL, "split"),
    Fault(
        "... mirrored",
        "duplicates",
        across(lambda image: image.transpose(pictures.MIRROR)),
        FAIL,
        "split",
    ),
    Fault("... cropped", "duplicates", across(lambda image: image.crop((4, 10, 81, 87))), FAIL, "split"),
    Fault("... in another window", "duplicates", across(pictures.brighten), FAIL, "split"),
    Fault("one patient in two splits", "splits", rows.divided_patient, FAIL, "is in more than one split"),
    Fault("... as 007 and as 7", "splits", rows.id_in_two_spellings, FAIL, "is in more than one split"),
    Fault("one id in two sources and splits", "splits", rows.id_of_two_sources, WARN, "several sources"),
    Fault("augmented copy of a test slice", "splits", rows.copy_of_a_test_slice, FAIL, "Augmented copies"),
    Fault("neighbours in two splits", "splits", rows.consecutive_numbers, WARN, "neighbours in number"),
    Fault("test split used three times", "splits", rows.touched_test_split, WARN, "3 models"),
    Fault("locked test split changed", "splits", rows.changed_test_split, FAIL, "is not the one"),
    Fault("one class wider", "metadata", rows.wider_for_covid, FAIL),
    Fault("one class JPEG", "metadata", rows.jpeg_for_others, FAIL),
    Fault("JPEG called .png", "metadata", rows.jpeg_for_others, WARN, "JPEG"),
    Fault("one class of lower JPEG quality", "metadata", rows.jpeg_quality, FAIL),
    Fault("one class stored as RGB", "metadata", rows.colour_for_covid, FAIL),
    Fault("frame around one class", "shortcuts", pictures.frame_for_covid, FAIL, "border"),
    Fault("name on one class", "shortcuts", pictures.marks_for_covid, FAIL, "marks"),
    Fault("L on 40 % of one class", "shortcuts", pictures.letter_on_some_covid, WARN, "by place: AUC 0."),
    Fault("R on 40 % of the other", "shortcuts", pictures.letter_on_some_others, WARN, "by place: AUC 0."),
    Fault("scale at the edge of one class", "shortcuts", pictures.scale_for_others, FAIL, "by place: AUC"),
    Fault("red arrow on 40 % of one class", "shortcuts", pictures.arrow_on_some_covid, WARN, "colour"),
    Fault("one class mirrored", "shortcuts", pictures.mirrored_covid, FAIL, "The side of the heart, of "),
    Fault("half of one class mirrored", "shortcuts", pictures.half_mirrored, WARN, "The side of the heart"),
    Fault("one class cropped tighter", "shortcuts", pictures.tighter_for_covid, WARN),
    Fault("one class in another window", "shortcuts", pictures.window_for_covid, WARN),
    Fault("one class noisier", "shortcuts", pictures.noise_for_covid, WARN),
    Fault("a source for each class", "sources", rows.one_source_a_class, FAIL, "Cramér"),
    Fault("adults and children", "sources", rows.older_with_covid, FAIL, "Age alone"),
    Fault("men and women", "sources", rows.men_with_covid, WARN, "Sex"),
    Fault("six photographs", "modality", pictures.photographs, WARN),
    Fault("three patients", "sample-size", rows.few_patients, WARN, "too few to measure on"),
)


@dataclass(frozen=True)
class Clean:
    """A set in which the class shows in nothing but lesions; `each` is how many slices a patient has."""

    name: str
    vary: Plant
    each: int = 1

    def draw(self, folder: Path) -> Cohort:
        """Draw it into a folder."""
        cohort = draw_cohort(folder, each=self.each)
        self.vary(cohort)
        return cohort


def _leave(_: Cohort) -> None:
    """All alike."""


def _some(cohort: Cohort, share: float, seed: int) -> list[int]:
    drawn = np.random.default_rng(seed).random(len(cohort.lines)) < share
    return np.flatnonzero(drawn).tolist()


def _any_size(cohort: Cohort) -> None:
    sizes = np.random.default_rng(1).integers(SIZE, SIZE + 40, len(cohort.lines))
    cohort.redraw(range(len(cohort.lines)), lambda image, at: image.resize((int(sizes[at]), int(sizes[at]))))
    cohort.redraw(_some(cohort, 0.5, 2), lambda image, _: image.convert("RGB"))


def _some_letters(cohort: Cohort) -> None:
    cohort.redraw(_some(cohort, 0.4, 3), pictures.write("L", 3, 2))
    cohort.redraw(_some(cohort, 0.4, 4), pictures.write("R", SIZE - 9, SIZE - 12))


def _some_changed(cohort: Cohort) -> None:
    cohort.redraw(_some(cohort, 0.3, 5), lambda image, _: image.transpose(pictures.MIRROR))
    cohort.redraw(_some(cohort, 0.3, 6), lambda image, _: pictures.brighten(image))
    cohort.redraw(_some(cohort, 0.3, 7), lambda image, _: image.rotate(4, Image.Resampling.BILINEAR))


CLEAN = (
    Clean("as drawn", _leave),
    Clean("three slices a patient", _leave, each=3),
    Clean("JPEG of any quality", rows.any_quality),
    Clean("any size, half stored as RGB", _any_size),
    Clean("letters on 40 % of both classes", _some_letters),
    Clean("three in ten mirrored, as many in another window", _some_changed),
)
