"""Faults of manifests: labels, ids, splits, sources, ages; and of files."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from PIL import Image

from covidct.data.lock import Use, make_lock, write_lock
from covidct.data.manifest import read_manifest
from planted.cohort import SIZE, Cohort, Line


def one_class(cohort: Cohort) -> None:
    """Slices with COVID-19 alone."""
    cohort.lines = [cohort.lines[at] for at in cohort.covid]


def missing_file(cohort: Cohort) -> None:
    """A file is not there."""
    cohort.path(3).unlink()


def damaged_file(cohort: Cohort) -> None:
    """A file is cut short."""
    cohort.path(3).write_bytes(cohort.path(3).read_bytes()[:300])


def undeclared_label(cohort: Cohort) -> None:
    """A label that means nothing."""
    cohort.change(3, label="1")


def two_labels(cohort: Cohort) -> None:
    """A resized copy of a COVID-19 slice among the others."""
    copy = cohort.image(cohort.covid[0]).resize((70, 70), Image.Resampling.BILINEAR)
    cohort.add(Line("copy.png", "non-covid", "north", "other", "train"), np.asarray(copy))


def patient_of_both_classes(cohort: Cohort) -> None:
    """One id in both classes."""
    for at in (cohort.covid[0], cohort.covid[0] + 1):
        cohort.change(at, patient_id="p", source="north", split="train")


def swapped_labels(cohort: Cohort) -> None:
    """Five of a hundred labels are wrong."""
    for at in range(0, len(cohort.lines), 20):
        cohort.change(at, label="non-covid" if cohort.lines[at].label == "covid" else "covid")


def divided_patient(cohort: Cohort) -> None:
    """One patient in train and test."""
    cohort.change(cohort.find("test"), patient_id=cohort.lines[cohort.find("train")].patient_id)


def id_in_two_spellings(cohort: Cohort) -> None:
    """One patient in train as `007`, in test as `7`."""
    cohort.change(cohort.find("train"), patient_id="007")
    cohort.change(cohort.find("test"), patient_id="7")


def id_of_two_sources(cohort: Cohort) -> None:
    """One id in two sources and two splits."""
    cohort.change(
        cohort.find("test", source="south"), patient_id=cohort.lines[cohort.find("train")].patient_id
    )


def copy_of_a_test_slice(cohort: Cohort) -> None:
    """An augmented copy of a test slice in train."""
    at = cohort.find("test")
    test = cohort.lines[at]
    pixels = np.asarray(cohort.image(at).rotate(15))
    cohort.add(replace(test, path="aug.png", split="train", patient_id="", parent=test.path), pixels)


def consecutive_numbers(cohort: Cohort) -> None:
    """Slices without ids that follow each other, in several splits."""
    for at in range(0, 40, 4):
        new = f"Covid ({at // 4}).png"
        cohort.path(at).rename(cohort.folder / new)
        cohort.change(at, path=new, patient_id="")


def touched_test_split(cohort: Cohort) -> None:
    """Three models were measured on the test split."""
    manifest = read_manifest(cohort.write())
    uses = tuple(Use("model", version, version * 64, "2026-01-01") for version in "123")
    write_lock(replace(make_lock(manifest), uses=uses))


def changed_test_split(cohort: Cohort) -> None:
    """A slice was taken out of the locked test split."""
    write_lock(make_lock(read_manifest(cohort.write())))
    cohort.change(next(at for at, line in enumerate(cohort.lines) if line.split == "test"), split="train")


def wider_for_covid(cohort: Cohort) -> None:
    """Pictures of one class are a little wider."""
    cohort.redraw(cohort.covid, lambda image, at: image.resize((SIZE + at % 5 + 9, SIZE)))


def jpeg_for_others(cohort: Cohort) -> None:
    """JPEG inside, .png outside, for one class."""
    for at in cohort.others:
        cohort.image(at).save(cohort.path(at), "JPEG", quality=80)


def _to_jpeg(cohort: Cohort, at: int, quality: int) -> None:
    image, path = cohort.image(at), cohort.path(at)
    path.unlink()
    cohort.change(at, path=f"{path.stem}.jpg")
    image.save(cohort.path(at), quality=quality)


def jpeg_quality(cohort: Cohort) -> None:
    """All are JPEG, those with COVID-19 of lower quality."""
    for at in range(len(cohort.lines)):
        _to_jpeg(cohort, at, 75 if at in cohort.covid else 90)


def any_quality(cohort: Cohort) -> None:
    """All are JPEG, of any quality: no fault."""
    for at in range(len(cohort.lines)):
        _to_jpeg(cohort, at, 70 + at * 7 % 26)


def colour_for_covid(cohort: Cohort) -> None:
    """Grey pictures are stored as RGB, for one class."""
    cohort.redraw(cohort.covid, lambda image, _: image.convert("RGB"))


def one_source_a_class(cohort: Cohort) -> None:
    """Each class is of another hospital."""
    for at, line in enumerate(cohort.lines):
        cohort.change(at, source="sick" if line.label == "covid" else "well")


def older_with_covid(cohort: Cohort) -> None:
    """Adults with COVID-19, children without."""
    for at, line in enumerate(cohort.lines):
        cohort.change(at, age=f"{(60 if line.label == 'covid' else 8) + at % 9}")


def men_with_covid(cohort: Cohort) -> None:
    """Four of five with COVID-19 are men, one of five without."""
    for at, line in enumerate(cohort.lines):
        is_odd = at // 2 % 5 == 0
        cohort.change(at, sex="M" if (line.label == "covid") != is_odd else "F")


def few_patients(cohort: Cohort) -> None:
    """Three patients of each class in a split."""
    for at, line in enumerate(cohort.lines):
        cohort.change(at, patient_id=f"{line.label}-{line.split}-{at % 3}")
