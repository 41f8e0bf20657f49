"""Copies of one picture among a hospital's slices, re-encoded ones too, as the audit finds them.

What is calibrated on one copy must not be measured on the other. Knows files and patients; nothing of logits.
"""

from __future__ import annotations

from collections.abc import Sequence

from covidct.audit.sample import read_samples
from covidct.audit.similarity.matches import Likeness
from covidct.audit.similarity.search import find_matches
from covidct.data.manifest import Row
from covidct.data.split import join_groups
from covidct.errors import ManifestError


def join_copies(rows: Sequence[Row], patients: Sequence[str]) -> tuple[str, ...]:
    """The patients (n,) of rows (n,), one where slices without an id of their own are copies of each other.

    Raises ManifestError if copies have two ids, as it is unclear which is right.
    """
    samples, unreadable = read_samples(rows, [str(row.path) for row in rows], [0] * len(rows))
    gone = {one.row.path for one in unreadable}
    places = [at for at, row in enumerate(rows) if row.path not in gone]
    pairs = []
    for match in find_matches(samples):
        first, second = places[match.first], places[match.second]
        if match.likeness is Likeness.NEIGHBOUR or patients[first] == patients[second]:
            continue
        if rows[first].patient_id and rows[second].patient_id:
            raise ManifestError(
                f"{rows[second].path}: is a copy of {rows[first].path}, under another patient: what is "
                "calibrated on one would be measured on the other; keep one of them (covidct audit finds all)"
            )
        pairs.append((first, second))
    return join_groups(patients, pairs)
