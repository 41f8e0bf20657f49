"""`covidct split`: a manifest or folder -> a manifest whose every labelled row has a split, and its lock."""

from __future__ import annotations

import csv
import io
import os
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from covidct.apps.cli.commands.audit import check_place
from covidct.audit.file_facts import identify, parse_facts
from covidct.audit.sample import read_samples
from covidct.audit.similarity.matches import Likeness
from covidct.audit.similarity.search import find_matches
from covidct.audit.verdict import count
from covidct.data.folders import read_data
from covidct.data.lock import LOCKED, make_lock, to_lock_path, write_lock
from covidct.data.manifest import COLUMNS, SPLITS, DataPlan, Manifest, Row, read_manifest
from covidct.data.split import divide_groups, join_groups, to_groups
from covidct.errors import ManifestError
from covidct.images.file_type import FileType
from covidct.images.files import read_bytes, sniff_file, write_beside


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

    `by` is a field of Row that must not be divided, beside the patients; rows without a patient id are
    grouped by `plan.block` neighbours in number and, with `alike`, by likeness. `keep` leaves the splits
    that the manifest brings as they are. Raises ManifestError for files that cannot be read, for splits that
    would be empty, and where `out` is there already; then nothing is written.
    """
    check_place(out)
    for path in (out, to_lock_path(out)):
        if path.exists():
            raise ManifestError(f"{path}: already exists; give another name, or move it away first")
    manifest = read_data(data, plan)
    chosen = [at for at, row in enumerate(manifest.rows) if row.label in plan.labels]
    if not chosen:
        raise ManifestError(
            f"{data}: no row has a label of {', '.join(plan.labels)}; say which labels "
            "mean "
            "what with --positive and --negative"
        )
    rows, pairs = _read(manifest, [manifest.rows[at] for at in chosen], plan, alike=alike)
    groups = join_groups(to_groups(rows, block=plan.block), [*pairs, *_bound(rows, by)])
    kept = [row if keep else replace(row, split="") for row in rows]
    if by == "source":  # then sources are what is shared out, not what each split has its share of
        kept = [replace(row, source="") for row in kept]
    divided = divide_groups(kept, groups, shares, seed=plan.seed)
    _check_test(divided, shares)
    splits = dict.fromkeys(range(len(manifest.rows)), "")
    splits |= {at: row.split for at, row in zip(chosen, divided, strict=True)}
    _write(manifest, out, [splits[at] for at in range(len(manifest.rows))])
    left = len(manifest.rows) - len(chosen)
    return "\n".join([_to_table(rows, divided, groups), *_to_notes(divided, groups, shares, left=left)])


def _read(
    manifest: Manifest, rows: Sequence[Row], plan: DataPlan, *, alike: bool
) -> tuple[list[Row], list[tuple[int, int]]]:
    """Rows with the ids of their DICOM files, and with `alike` the pairs that look like one patient's.

    Copies belong together always, look-alikes where one of them has no patient id.
    """
    if not alike:
        return [_identify(row, manifest.name(row)) for row in rows], []
    labels = [int(row.label in plan.positive) for row in rows]
    samples, unreadable = read_samples(rows, [manifest.name(row) for row in rows], labels)
    if unreadable:
        raise ManifestError(
            f"{manifest.path}: {count(len(unreadable), 'file')} cannot be read, the first because: "
            f"{unreadable[0].reason}; `covidct audit` lists them all"
        )
    known = [sample.row for sample in samples]
    pairs = [
        (match.first, match.second)
        for match in find_matches(samples)
        if match.likeness is not Likeness.NEIGHBOUR
        or not (known[match.first].patient_id and known[match.second].patient_id)
    ]
    return known, pairs


def _identify(row: Row, name: str) -> Row:
    """The row with the ids of its file, if that is DICOM and there; others say nothing of whom they show."""
    if sniff_file(row.path).type is not FileType.DICOM:
        return row
    return identify(row, parse_facts(read_bytes(row.path, name=name), row.path))


def _bound(rows: Sequence[Row], by: str) -> list[tuple[int, int]]:
    """Pairs of rows that `by` keeps together, beside their patients. Raises ManifestError where no row has "
    "it.
    """
    first: dict[tuple[str, str], int] = {}
    pairs = []
    for at, row in enumerate(rows):
        if value := str(getattr(row, by)):
            pairs.append((first.setdefault((row.source, value), at), at))
    if not pairs and by != "patient_id":
        raise ManifestError(f"no row has a {by}; fill that column, or leave --by out")
    return pairs


def _check_test(rows: Sequence[Row], shares: Mapping[str, float]) -> None:
    """Raise ManifestError where the test split that was asked for got nothing to lock."""
    if shares.get(LOCKED) and not any(row.split == LOCKED for row in rows):
        raise ManifestError(
            f"the {LOCKED} split would be empty: too few patients, or blocks of neighbours, to divide; "
            "give patient ids, a smaller --block, or other shares"
        )


def _to_notes(
    rows: Sequence[Row], groups: Sequence[str], shares: Mapping[str, float], *, left: int
) -> Iterator[str]:
    """What is not as one would wish it."""
    for split in ("train", *(name for name, share in shares.items() if share)):
        labels = {row.label for row in rows if row.split == split}
        if len(labels) < 2:
            yield f"Note: {split} holds {f'{min(labels)} only' if labels else 'nothing'}."
    splits: dict[str, set[str]] = defaultdict(set)
    for row, group in zip(rows, groups, strict=True):
        splits[group].add(row.split)
    if torn := sum(len(found) > 1 for found in splits.values()):
        yield f"Note: {count(torn, 'group')} were divided already, and --keep leaves them so."
    if left:
        yield f"Note: {count(left, 'row')} with other labels, or none, got no split."


def _write(manifest: Manifest, out: Path, splits: Sequence[str]) -> None:
    """The manifest with other splits, and its lock, or neither; paths are relative to the new file.

    All columns are kept.
    """
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
        # The lock comes first, as it reads the slices, and may fail.
        write_lock(replace(make_lock(read_manifest(partial)), path=to_lock_path(out)))

    try:
        write_beside(out, write)
    except BaseException:
        to_lock_path(out).unlink(missing_ok=True)
        raise


def _read_records(manifest: Manifest) -> tuple[list[str], list[dict[str, str]]]:
    """Columns and cells as they stand in the file; made from the rows for a folder."""
    if manifest.path.is_dir():
        return list(COLUMNS), [{name: str(getattr(row, name)) for name in COLUMNS} for row in manifest.rows]
    text = manifest.path.read_bytes().decode("utf-8-sig")
    reader = csv.DictReader(io.StringIO(text, newline=""))
    head = list(reader.fieldnames or ())
    return head if "split" in head else [*head, "split"], list(reader)


def _to_table(rows: Sequence[Row], divided: Sequence[Row], groups: Sequence[str]) -> str:
    """Slices and groups by split and source."""
    rows = [replace(row, split=one.split) for row, one in zip(rows, divided, strict=True)]
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
