"""A file's facts as numbers for a forest, by family, and as words for a table.

Knows which facts are numbers and which are words, and which tell a patient rather than a scanner (left out).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from covidct.audit.file_facts import TAGS, Facts
from covidct.stats.resampling import Floats

# Age and sex are medicine, and the check of sources looks at them; the id and the UIDs name patients.
PERSONAL = ("PatientID", "PatientAge", "PatientSex", "StudyInstanceUID", "SeriesInstanceUID")
NUMBERS = ("KVP", "SliceThickness", "PixelSpacing", "BitsStored")
WORDS = tuple(tag for tag in TAGS if tag not in (*PERSONAL, *NUMBERS))
# A file is as long as its picture is detailed, lesions included: the one family that may hold medicine.
BYTES = "bytes per pixel"
FREQUENT = 10
MISSING = -1.0
_NUMBER = re.compile(r"[-+]?[0-9]*\.?[0-9]+(?:[eE][-+]?[0-9]+)?")


def encode_facts(facts: Sequence[Facts]) -> dict[str, Floats]:
    """Family -> columns (n, k) float64 without NaN; a missing number is -1, rare words are all zeros."""
    return {
        "format and ending": _join(
            _one_hot([one.format for one in facts]),
            _one_hot([one.ending for one in facts]),
            _column(facts, lambda one: one.misnamed),
        ),
        "colour mode": _one_hot([one.mode for one in facts]),
        "size": _join(
            _column(facts, lambda one: one.width),
            _column(facts, lambda one: one.height),
            _column(facts, lambda one: one.width / max(one.height, 1)),
        ),
        "JPEG quality": _column(facts, lambda one: MISSING if one.jpeg_quality is None else one.jpeg_quality),
        "EXIF": _column(facts, lambda one: one.exif_tags),
        "DICOM tags": _join(
            *(_column(facts, _number_of(tag)) for tag in NUMBERS),
            *(_one_hot([one.tags.get(tag, "") for one in facts]) for tag in WORDS),
        ),
        BYTES: _column(facts, lambda one: one.n_bytes / max(one.width * one.height, 1)),
    }


def list_values(facts: Sequence[Facts]) -> Mapping[str, tuple[str, ...]]:
    """Property -> its value for each file (n,) in words, "absent" where the file has none."""
    values = {
        "format": [one.format for one in facts],
        "ending": [one.ending for one in facts],
        "colour mode": [one.mode for one in facts],
        "size": [f"{one.width} x {one.height}" for one in facts],
        "JPEG quality": ["" if one.jpeg_quality is None else f"{one.jpeg_quality:.0f}" for one in facts],
        "EXIF": ["present" if one.exif_tags else "" for one in facts],
    } | {tag: [one.tags.get(tag, "") for one in facts] for tag in TAGS if tag not in PERSONAL}
    return {name: tuple(value or "absent" for value in column) for name, column in values.items()}


def _number_of(tag: str) -> Callable[[Facts], float]:
    """The first number in a tag's value, as PixelSpacing has two."""

    def read(one: Facts) -> float:
        found = _NUMBER.search(one.tags.get(tag, ""))
        return float(found[0]) if found else MISSING

    return read


def _column(facts: Sequence[Facts], measure: Callable[[Facts], float]) -> Floats:
    return np.array([[measure(one)] for one in facts], np.float64).reshape(-1, 1)


def _one_hot(values: Sequence[str]) -> Floats:
    """A column for each of the most frequent values, (n, at most 10); ties go by name."""
    counts = sorted(Counter(values).items(), key=lambda item: (-item[1], item[0]))
    frequent = [value for value, _ in counts[:FREQUENT]]
    return np.array([[value == name for name in frequent] for value in values], np.float64).reshape(
        len(values), len(frequent)
    )


def _join(*parts: Floats) -> Floats:
    return np.concatenate(parts, axis=1)
