"""`covidct split`: a manifest or folder -> a manifest whose every labelled row has a split, and its lock."""

from __future__ import annotations

import csv
import io
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from covidct.audit.match import Likeness
from covidct.audit.sample import read_samples
from covidct.audit.similar import find_matches
from covidct.errors import ManifestError
from covidct.files import write_beside
from covidct.folders import read_data
from covidct.lock import make_lock, to_lock_path, write_lock
from covidct.manifest import COLUMNS, SPLITS, Manifest, Row, read_manifest
from covidct.plan import DataPlan
from covidct.split import divide_groups, join_groups, to_groups


def run_split(
    data: Path,
    out: Path,
    plan: DataPlan,
    *,
    by: str,
    shares: Mapping[str, float],
    keep: bool,
    alike: bool,
) -> str:
    """Divide the labelled rows, write the new manifest and the lock of its test split; returns a table.

    `by` is the field of Row that must not be divided; rows without one are grouped by `plan.block` neighbours
    in number and, with `alike`, by likeness. `keep` leaves the splits that the manifest brings as they are.
    Raises ManifestError for files that cannot be read, and where `out` is there already.
    """
    for path in (out, to_lock_path(out)):
        if path.exists():
            raise ManifestError(f"{path}: is there already; give another name, or move it away first")
    manifest = read_data(data, plan)
    chosen = [at for at, row in enumerate(manifest.rows) if row.label in (*plan.positive, *plan.negative)]
    if not chosen:
        raise ManifestError(f"{data}: no row has a label of {', '.join((*plan.positive, *plan.negative))}")
    rows = [_prepare(manifest.rows[at], by=by, keep=keep) for at in chosen]
    groups = to_groups(rows, block=plan.block)
    if alike:
        groups = join_groups(groups, _find_pairs(manifest, rows, plan))
    divided = divide_groups(rows, groups, shares, seed=plan.seed)
    splits = dict.fromkeys(range(len(manifest.rows)), "")
    splits |= {at: row.split for at, row in zip(chosen, divided, strict=True)}
    _write(manifest, out, [splits[at] for at in range(len(manifest.rows))])
    write_lock(make_lock(read_manifest(out)))
    return _to_table(divided, groups)


def _prepare(row: Row, *, by: str, keep: bool) -> Row:
    """The row with what it is grouped by in place of its patient."""
    return replace(row, patient_id=str(getattr(row, by)), split=row.split if keep else "")


def _find_pairs(manifest: Manifest, rows: Sequence[Row], plan: DataPlan) -> list[tuple[int, int]]:
    """Rows that must stay together: copies always, look-alikes where one of them has no patient id."""
    names = [manifest.name(row) for row in rows]
    samples, unreadable = read_samples(rows, names, [int(row.label in plan.positive) for row in rows])
    if unreadable:
        raise ManifestError(
            f"{manifest.path}: {len(unreadable)} files cannot be read, the first because: "
            f"{unreadable[0].reason}; "
            "`covidct audit` lists them all"
        )
    return [
        (match.first, match.second)
        for match in find_matches(samples)
        if match.likeness is not Likeness.NEIGHBOUR
        or not (rows[match.first].patient_id and rows[match.second].patient_id)
    ]


def _write(manifest: Manifest, out: Path, splits: Sequence[str]) -> None:
    """The manifest with other splits; all its columns are kept, paths are relative to the new file."""
    head, records = _read_records(manifest)
    for record, row, split in zip(records, manifest.rows, splits, strict=True):
        record["split"] = split
        record["path"] = os.path.relpath(row.path, out.parent)
        if row.parent:
            record["parent"] = os.path.relpath(row.parent, out.parent)

    def write(partial: Path) -> None:
        with partial.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, head, lineterminator="\n")
            writer.writeheader()
            writer.writerows(records)

    write_beside(out, write)


def _read_records(manifest: Manifest) -> tuple[list[str], list[dict[str, str]]]:
    """Columns and cells as they stand in the file; made from the rows for a folder."""
    if manifest.path.is_dir():
        return list(COLUMNS), [{name: str(getattr(row, name)) for name in COLUMNS} for row in manifest.rows]
    text = manifest.path.read_bytes().decode("utf-8-sig")
    reader = csv.DictReader(io.StringIO(text, newline=""))
    head = list(reader.fieldnames or ())
    return head if "split" in head else [*head, "split"], list(reader)


def _to_table(rows: Sequence[Row], groups: Sequence[str]) -> str:
    """Slices and groups by split and source."""
    sources = sorted({row.source for row in rows})
    width = max(len("source"), *map(len, sources))
    splits = [split for split in SPLITS if any(row.split == split for row in rows)]
    lines = [f"{'source':{width}}  " + "  ".join(f"{split:>18}" for split in splits)]
    slices = Counter((row.source, row.split) for row in rows)
    kept = {(row.source, row.split, group) for row, group in zip(rows, groups, strict=True)}
    whole = Counter((source, split) for source, split, _ in kept)
    for source in sources:
        cells = (f"{slices[source, split]} in {whole[source, split]} groups" for split in splits)
        lines.append(f"{source:{width}}  " + "  ".join(f"{cell:>18}" for cell in cells))
    return "\n".join(lines)
