"""The audit, a straight line: manifest -> samples -> eight checks -> verdict."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from covidct.audit.checks.duplicates import check_duplicates
from covidct.audit.checks.labels import check_labels
from covidct.audit.checks.metadata import check_metadata
from covidct.audit.checks.modality import check_modality
from covidct.audit.checks.sample_size import check_sample_size
from covidct.audit.checks.shortcuts import check_shortcuts
from covidct.audit.checks.sources import check_sources
from covidct.audit.checks.splits import check_partition
from covidct.audit.dataset import Dataset, read_dataset
from covidct.audit.verdict import Audit, Check
from covidct.data.manifest import DataPlan, Manifest
from covidct.data.slice_store import SliceStore
from covidct.types import Estimate

CHECKS = ("labels", "duplicates", "splits", "metadata", "shortcuts", "sources", "modality", "sample-size")
# These two look at pairs of slices.
ALIKE = {"labels", "duplicates"}


def audit(
    manifest: Manifest,
    plan: DataPlan,
    *,
    only: Sequence[str] = (),
    measure_model: Callable[[Dataset], Estimate] | None = None,
    store: SliceStore | None = None,
) -> Audit:
    """Ask whether a data set is fit to train on.

    `plan` names sources and labels; `only` some of `CHECKS`, all by default; `measure_model` gives the AUC
    of a model on the same slices, to stand beside the shortcut floor; `store` keeps the slices. Raises
    ManifestError where no row has a declared label.
    """
    chosen = tuple(only) or CHECKS
    data = read_dataset(manifest, plan, alike=bool(ALIKE & set(chosen)), store=store)
    model = measure_model(data) if measure_model else None
    checks: Mapping[str, Callable[[], Check]] = {
        "labels": lambda: check_labels(data),
        "duplicates": lambda: check_duplicates(data.samples, data.matches),
        "splits": lambda: check_partition(data),
        "metadata": lambda: check_metadata(data.samples, data.groups),
        "shortcuts": lambda: check_shortcuts(data.samples, data.groups, model_auc=model),
        "sources": lambda: check_sources(data),
        "modality": lambda: check_modality(data.samples),
        "sample-size": lambda: check_sample_size(data),
    }
    return Audit(
        subject=f"{manifest.path}{_to_filter(plan)}",
        digest=manifest.digest,
        slices=len(data.samples),
        positives=sum(sample.label for sample in data.samples),
        checks=tuple(checks[name]() for name in CHECKS if name in chosen),
    )


def _to_filter(plan: DataPlan) -> str:
    return f" ({', '.join(plan.sources)})" if plan.sources else ""
