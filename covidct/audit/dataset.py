"""The audited data set: its rows, read; groups of slices by patient; slices that are alike.

Everything that more than one check needs, made once.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from covidct.audit.sample import Sample, Unreadable, read_samples
from covidct.audit.similarity.matches import Match
from covidct.audit.similarity.search import find_matches
from covidct.data.manifest import DataPlan, Manifest, Row
from covidct.data.slice_store import SliceStore
from covidct.data.split import to_groups
from covidct.errors import ManifestError

# Without ids, this many neighbours in number stand in for one patient.
BLOCK = 10


@dataclass(frozen=True)
class Dataset:
    """A manifest as the checks see it.

    `samples` are the readable rows with a declared label; `groups` names each sample's patient, or what
    stands in for one; `undeclared` counts the labels that are neither positive nor negative; `matches` are
    pairs of samples that are alike.
    """

    manifest: Manifest
    plan: DataPlan
    samples: tuple[Sample, ...]
    groups: tuple[str, ...]
    unreadable: tuple[Unreadable, ...]
    undeclared: Counter[str]
    matches: tuple[Match, ...]

    @property
    def unit(self) -> str:
        """What a group is: a patient, or also what stands in for one."""
        return "patients" if all(sample.row.patient_id for sample in self.samples) else "patients or blocks"


def read_dataset(
    manifest: Manifest, plan: DataPlan, *, alike: bool = True, store: SliceStore | None = None
) -> Dataset:
    """Read every labelled row once, into `store` too; `alike` also looks for duplicates, which takes longest.

    Raises ManifestError where no row has a declared label, or none of a source that is asked for.
    """
    rows = _labelled(manifest, plan)
    labels = [int(row.label in plan.positive) for row in rows]
    samples, unreadable = read_samples(rows, [manifest.name(row) for row in rows], labels, store=store)
    return Dataset(
        manifest=manifest,
        plan=plan,
        samples=samples,
        groups=to_groups([sample.row for sample in samples], block=BLOCK),
        unreadable=unreadable,
        undeclared=_undeclared(manifest, plan),
        matches=find_matches(samples) if alike else (),
    )


def _labelled(manifest: Manifest, plan: DataPlan) -> list[Row]:
    sources = {row.source for row in manifest.rows}
    if absent := sorted(set(plan.sources) - sources):
        raise ManifestError(
            f"{manifest.path}: has no source {', '.join(absent)}; it has {', '.join(sorted(sources))}"
        )
    chosen = [row for row in manifest.rows if not plan.sources or row.source in plan.sources]
    rows = [row for row in chosen if row.label in plan.labels]
    if not rows:
        there = ", ".join(sorted({row.label or "(empty)" for row in chosen}))
        raise ManifestError(
            f"{manifest.path}: no row has a label of {', '.join(plan.labels)}; there "
            f"are {there}: say which is which with --positive and --negative"
        )
    return rows


def _undeclared(manifest: Manifest, plan: DataPlan) -> Counter[str]:
    known = plan.labels
    rows = (row for row in manifest.rows if not plan.sources or row.source in plan.sources)
    return Counter(row.label for row in rows if row.label not in known)
