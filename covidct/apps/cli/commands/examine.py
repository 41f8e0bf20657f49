"""`covidct examine`: what a bundle's answers rest on and how steady they are, as a table and a folder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from covidct.data.manifest import Manifest, Row
from covidct.evaluation.examination.record import Protocol
from covidct.evaluation.examination.run import examine, load_graphs, write_examination
from covidct.evaluation.examination.text import to_table
from covidct.evaluation.rows import choose_rows, plan_of
from covidct.inference.classifier import Classifier
from covidct.types import Precision


def run_examine(
    bundle: Path, data: Path, *, split: str, sources: Sequence[str], out: Path, precision: Precision
) -> str:
    """Examine and write the report into `out`; returns the table for the terminal.

    Raises ManifestError for a source or split that has no slice.
    """
    classifier = Classifier.load(bundle, precision=precision)
    plan = plan_of(classifier)
    manifest, rows = choose_rows(classifier, data, plan, split=split, sources=sources)
    rows += find_unlabelled(manifest, sources)
    config, point = classifier.bundle.config, classifier.operating_point
    protocol = Protocol(
        bundle=config.name,
        version=config.version,
        precision=precision,
        manifest_digest=manifest.digest,
        split=split,
        sources=tuple(dict.fromkeys(row.source for row in rows)),
        threshold=point.threshold,
        band=point.band,
    )
    examination = examine(load_graphs(classifier.bundle, precision), rows, plan, protocol=protocol)
    write_examination(examination, out)
    return to_table(examination)


def find_unlabelled(manifest: Manifest, sources: Sequence[str]) -> list[Row]:
    """Rows that say nothing of disease, with their files there: enough to ask whether answers are steady."""
    return [
        row
        for row in manifest.rows
        if not row.label and (not sources or row.source in sources) and row.path.is_file()
    ]
