"""Which rows of a manifest a model is measured on, and in which split they are.

Knows sources, splits and the locked test split. Knows nothing of pixels or figures.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path

from covidct.data.folders import read_data
from covidct.data.lock import LOCKED, Use, record_use
from covidct.data.manifest import DataPlan, Manifest, Row, select_rows
from covidct.data.recipe import parse_recipe
from covidct.data.split import assign_splits
from covidct.errors import BundleError, ManifestError
from covidct.inference.bundle import SUMS
from covidct.inference.classifier import Classifier

UNKNOWN_SOURCE = (
    "Some slices name no source (column `source`), so it is not known whether the model was trained on them"
)


def choose_rows(
    classifier: Classifier, data: Path, plan: DataPlan, *, split: str, sources: Sequence[str]
) -> tuple[Manifest, list[Row]]:
    """The manifest and its labelled rows to measure on; a use of the locked split is recorded.

    Raises ManifestError for a source or split that has no slice.
    """
    manifest = read_data(data, plan)
    everything = replace(plan, sources=choose_sources(manifest, sources))
    placed = place_rows(select_rows(manifest, everything), plan)
    rows = [row for row in placed if split in ("all", row.split)]
    if not rows:
        there = ", ".join(f"{name} ({count})" for name, count in Counter(row.split for row in placed).items())
        raise ManifestError(f"{data}: no labelled slice is in split {split}; there are {there}: give --split")
    if any(row.split == LOCKED for row in rows):
        # Before the figures are seen: a use that was interrupted is a use.
        record_use(manifest, _to_use(classifier))
    return manifest, rows


def choose_sources(manifest: Manifest, sources: Sequence[str]) -> tuple[str, ...]:
    """The sources asked for, or all there are. Raises ManifestError for one that is not there."""
    known = sorted({row.source for row in manifest.rows})
    if strange := sorted(set(sources) - set(known)):
        raise ManifestError(f"{manifest.path}: has no source {', '.join(strange)}; it has {', '.join(known)}")
    return tuple(sources or known)


def _to_use(classifier: Classifier) -> Use:
    bundle = classifier.bundle
    digest = hashlib.sha256((bundle.path / SUMS).read_bytes()).hexdigest()
    return Use(bundle.config.name, bundle.config.version, digest, date.today().isoformat())


def place_rows(rows: Sequence[Row], plan: DataPlan) -> list[Row]:
    """Splits from the model's view: as in training for its own sources, `external` for all others.

    The test split of other sources stays, as it may be locked. Their other splits come from some other
    training.
    """
    # A plan that names no source was trained on all there were.
    own = [row for row in rows if not plan.sources or row.source in plan.sources]
    others = [row for row in rows if plan.sources and row.source not in plan.sources]
    return [
        *assign_splits(own, plan),
        *(row if row.split == LOCKED else replace(row, split="external") for row in others),
    ]


def plan_of(classifier: Classifier) -> DataPlan:
    """The data plan the bundle was trained by, with the sources that it learned from.

    A recipe need not name any: then it took all there were, and those of another manifest are still unseen.
    """
    training, path = classifier.bundle.config.training, classifier.bundle.path
    if not training.recipe:
        raise BundleError(f"{path}: does not record its recipe; train it again")
    plan = parse_recipe(training.recipe, where=f"{path} (config.json)").data
    return replace(plan, sources=tuple(sorted(training.sources)) or plan.sources)
