"""`covidct audit`: a manifest or folder -> verdict, and as HTML or JSON where asked for."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from covidct.audit.dataset import Dataset
from covidct.audit.report.write import write_reports
from covidct.audit.run import audit
from covidct.audit.verdict import Audit, Level
from covidct.data.folders import read_data
from covidct.data.manifest import DataPlan
from covidct.errors import ManifestError
from covidct.evaluation.rows import place_rows, plan_of
from covidct.inference.classifier import Classifier
from covidct.stats.metrics import estimate_auc
from covidct.types import Estimate

SEEN = ("train", "calibrate")


def run_audit(
    data: Path,
    plan: DataPlan,
    *,
    only: Sequence[str],
    model: Path | None,
    html: Path | None,
    document: Path | None,
) -> Audit:
    """Audit, and write the reports asked for. Raises ManifestError where there is nothing to audit."""
    for path in (html, document):
        check_place(path)
    manifest = read_data(data, plan)
    classifier = Classifier.load(model) if model else None
    found = audit(
        manifest,
        plan,
        only=only,
        measure_model=(lambda dataset: _measure(classifier, dataset)) if classifier else None,
    )
    write_reports(found, manifest, html=html, document=document)
    return found


def check_place(path: Path | None) -> None:
    """Raise ManifestError where a file could not be written, before the work that it is to hold is done."""
    if path and not path.parent.is_dir():
        raise ManifestError(f"{path}: there is no folder {path.parent}; make it first")


def is_failed(found: Audit, limit: str) -> bool:
    """Whether the verdict is at the limit (`warn`, `fail`) or worse; never for `never`."""
    return limit != "never" and found.level.rank >= Level(limit).rank


def _measure(classifier: Classifier, data: Dataset) -> Estimate:
    """The AUC of a model on those audited slices that it was not trained on and that it answers for."""
    rows = [sample.row for sample in data.samples]
    placed = {row.path: row.split for row in place_rows(rows, plan_of(classifier))}
    unseen = [at for at, row in enumerate(rows) if placed[row.path] not in SEEN]
    results = classifier.predict_many([rows[at].path for at in unseen])
    kept = [
        (data.samples[at].label, result.probability, data.groups[at])
        for at, result in zip(unseen, results, strict=True)
        if result.probability is not None
    ]
    if not kept:
        raise ManifestError(
            f"{data.manifest.path}: there is no slice that {classifier.bundle.path} was not trained on and "
            "answers for; leave --model out"
        )
    labels, probabilities, groups = (np.array(column) for column in zip(*kept, strict=True))
    return estimate_auc(labels, probabilities, groups)
