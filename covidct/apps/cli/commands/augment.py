"""`covidct augment`: a manifest or folder -> a folder with equally many slices of each class, and copies."""

from __future__ import annotations

import os
import shutil
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from covidct.data.folders import read_data
from covidct.data.manifest import SPLITS, DataPlan, Row, select_rows
from covidct.errors import ManifestError
from covidct.training.augment_offline import Enlargement, write_augmented


def run_augment(data: Path, out: Path, plan: DataPlan, enlargement: Enlargement) -> str:
    """Write the labelled slices into `out`, and copies until each class is as large as asked; gives a table.

    `out/manifest.csv` lists all; the folder appears when it is complete. Raises ManifestError where `out` is
    there already or lies in `data`, for files that cannot be read, and where the classes cannot be filled.
    """
    _check_place(out, data)
    manifest = read_data(data, plan)
    rows = select_rows(manifest, plan)
    with _written_beside(out) as partial:
        made = write_augmented(rows, partial, plan, enlargement)
    labels = plan.labels
    marked = sum(row.label in labels and plan.exclude_note in row.note for row in manifest.rows)
    left_out = f"\nLeft out, as their note says {plan.exclude_note!r}: {marked}." if marked else ""
    return _to_table(made) + left_out


def _check_place(out: Path, data: Path) -> None:
    if os.path.lexists(out):
        raise ManifestError(f"{out}: already exists; give another name, or move it away first")
    if data.is_dir() and out.resolve().is_relative_to(data.resolve()):
        raise ManifestError(f"{out}: is in {data}, where copies would count as slices; choose another folder")


@contextmanager
def _written_beside(out: Path) -> Iterator[Path]:
    """A folder to fill that is `out` at the end, or gone where that is not reached."""
    partial = out.with_name(f"{out.name}.partial")
    try:
        partial.mkdir(parents=True)
    except FileExistsError as error:
        # Never emptied unasked: it might be somebody's own.
        raise ManifestError(f"{partial}: was left by an interrupted run; remove it") from error
    try:
        yield partial
        partial.rename(out)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise


def _to_table(rows: Sequence[Row]) -> str:
    """Originals and copies by label."""
    originals = Counter(row.label for row in rows if not row.parent)
    slices = Counter(row.label for row in rows)
    width = max(len("label"), *map(len, slices))
    lines = [f"{'label':{width}}  originals  copies  slices"]
    for label, count in sorted(slices.items()):
        first = originals[label]
        lines.append(f"{label:{width}}  {first:>9}  {count - first:>6}  {count:>6}")
    return "\n".join([*lines, *_to_notes(rows)])


def _to_notes(rows: Sequence[Row]) -> Iterator[str]:
    """What would flatter a model that is measured on such a set."""
    copies = [row for row in rows if row.parent]
    splits = {row.split for row in copies} - {"", "train"}
    if count := sum(row.split in splits for row in copies):
        names = " and ".join(split for split in SPLITS if split in splits)
        yield f"Copies are in {names} ({count}): measure on originals only, the rows without a parent."
    if any(not row.split and not row.patient_id for row in copies):
        yield "Copies must stay in one split with their originals: divide the set with `covidct split`."
