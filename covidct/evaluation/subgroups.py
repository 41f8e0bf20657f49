"""A model's figures by subgroup: age and sex if the manifest has them, and properties of the file.

Size, format and border stand in for scanner and cropping, which were not recorded. Knows rows, files and
scored slices. Knows nothing of how slices were scored.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from covidct.audit.file_facts import parse_facts
from covidct.data.manifest import Row
from covidct.data.slice_store import Read
from covidct.errors import ReadError
from covidct.evaluation.sections import Scored, Section, to_sections
from covidct.images.files import read_bytes
from covidct.images.read import read_slice
from covidct.stats.resampling import RESAMPLING

UNKNOWN = "not known"
# Pixels of the longer side: below, a slice has lost detail that scanners give.
SMALL = 300
# A border with so much black, of its outermost pixels, shows the air around a patient.
AIR, BLACK = 0.5, 8
ELDER = 65.0
_AGE = re.compile(r"\d+(?:\.\d+)?")


def measure_subgroups(
    scored: Sequence[Scored], rows: Iterable[Row], *, threshold: float, read: Read = read_slice
) -> dict[str, tuple[Section, ...]]:
    """Grouping -> a section for each of its groups; only groupings with two groups or more.

    `rows` are the manifest's, joined by path; `threshold` in [0, 1] is the operating point's. `read` gives
    the slices; one whose file cannot be read any more is "not known".
    """
    known = {str(row.path): row for row in rows}
    kinds: Mapping[str, Callable[[Row], str]] = {"Age": to_age_group, "Sex": to_sex}
    columns = {
        name: [to_group(known[one.path]) for one in scored] for name, to_group in kinds.items() if scored
    }
    files = [describe_file(Path(one.path), read) for one in scored]
    columns |= {name: [file[name] for file in files] for name in ("Longer side", "Format", "Border")}
    return {
        name: _measure(scored, groups, threshold) for name, groups in columns.items() if len(set(groups)) > 1
    }


def to_age_group(row: Row) -> str:
    """Below 65 years, or not; "not known" where the manifest has no age that is a number."""
    found = _AGE.search(row.age)
    if found is None:
        return UNKNOWN
    return f"{ELDER:g} years and over" if float(found[0]) >= ELDER else f"below {ELDER:g} years"


def to_sex(row: Row) -> str:
    """F, M, or "not known"."""
    letter = row.sex.strip().upper()[:1]
    return letter if letter in ("F", "M") else UNKNOWN


def describe_file(path: Path, read: Read = read_slice) -> dict[str, str]:
    """What the file of a slice gives away, in words."""
    try:
        data = read_bytes(path, name=str(path))
        pixels = read(path).pixels
    except ReadError:
        return dict.fromkeys(("Longer side", "Format", "Border"), UNKNOWN)
    border = np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])
    size = f"below {SMALL} pixels" if max(pixels.shape) < SMALL else f"{SMALL} pixels or more"
    has_air = (border <= BLACK).mean() >= AIR
    return {
        "Longer side": size,
        "Format": parse_facts(data, path).format,
        "Border": "mostly black (full field)" if has_air else "not black (cropped)",
    }


def _measure(scored: Sequence[Scored], groups: Sequence[str], threshold: float) -> tuple[Section, ...]:
    # Sections are by source: here each group plays one. Patients keep their names, source included.
    renamed = [
        replace(one, source=group, patient=f"{one.source}/{one.patient}" if one.patient else "")
        for one, group in zip(scored, groups, strict=True)
    ]
    return to_sections(renamed, threshold=threshold, resampling=RESAMPLING)[1:]
