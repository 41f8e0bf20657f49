"""What tests of the audit's checks are made of: samples without pictures, data sets without files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np

from covidct.audit.dataset import BLOCK, Dataset
from covidct.audit.file_facts import Facts
from covidct.audit.probes.features import Features
from covidct.audit.sample import Sample, Unreadable
from covidct.audit.similarity.matches import Likeness, Match
from covidct.audit.verdict import Check, Level
from covidct.data.manifest import DataPlan, Manifest, Row
from covidct.data.split import to_groups

FACTS = Facts(ending=".png", format="PNG", width=64, height=64, mode="L", n_bytes=2000)


def make_sample(name: str, label: int = 1, *, facts: Facts = FACTS, **row: Any) -> Sample:
    """A sample of a file that need not exist; keywords are fields of its row."""
    values: dict[str, Any] = {"source": "here", "patient_id": "", "split": "", "note": ""}
    word = "covid" if label else "non-covid"
    return Sample(
        row=Row(Path(name), word, **(values | row)),
        name=name,
        label=label,
        facts=facts,
        digest=name,
        thumbnail=np.zeros((96, 96), np.uint8),
        features=cast(Features, None),
    )


def make_dataset(
    samples: Sequence[Sample],
    *,
    matches: Sequence[Match] = (),
    unreadable: Sequence[Unreadable] = (),
    undeclared: dict[str, int] | None = None,
    path: Path = Path("manifest.csv"),
) -> Dataset:
    """A data set of these samples, as `read_dataset` would give it."""
    rows = tuple(sample.row for sample in samples)
    return Dataset(
        manifest=Manifest(path, "0" * 64, rows),
        plan=DataPlan(),
        samples=tuple(samples),
        groups=to_groups(rows, block=BLOCK),
        unreadable=tuple(unreadable),
        undeclared=Counter(undeclared or {}),
        matches=tuple(matches),
    )


def make_cohort(patients: int, *, slices: int = 2, **row: Any) -> list[Sample]:
    """So many patients of each class, all with ids."""
    return [
        make_sample(f"{label}-{patient}-{at}.png", label, patient_id=f"{label}-{patient}", **row)
        for label in (0, 1)
        for patient in range(patients)
        for at in range(slices)
    ]


def copies(first: int, second: int, *, likeness: Likeness = Likeness.COPY) -> Match:
    """Two samples that show the same picture."""
    return Match(first, second, likeness, 0.99)


def texts(check: Check, level: Level) -> str:
    """All that a check finds at a level."""
    return " ".join(finding.text for finding in check.findings if finding.level is level)
