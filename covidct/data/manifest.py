"""The manifest: a CSV that names every slice of a data set, its label, source, patient and split.

Columns: `path` (relative to the manifest) and `label` are required; all others may be missing or empty. Knows
nothing of pixels.
"""

from __future__ import annotations

import csv
import hashlib
import io
import os
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from pathlib import Path, PureWindowsPath

import click

from covidct.data.patient_ids import tidy_ids
from covidct.errors import ManifestError
from covidct.images.files import write_beside

NO_LESION = "no-lesion"  # speaks of the slice alone: its patient may have COVID-19


@dataclass(frozen=True)
class DataPlan:
    """Which rows of a manifest are used, and how rows without a split get one.

    `tune`, `calibrate` and `test` are shares of the slices of each source. `block` is how many slices with
    neighbouring numbers count as one patient if a source has no patient ids; fewer if there are few slices.
    """

    sources: tuple[str, ...] = ()
    positive: tuple[str, ...] = ("covid",)
    negative: tuple[str, ...] = ("non-covid", NO_LESION)
    exclude_note: str = "label conflict"
    tune: float = 0.15
    calibrate: float = 0.10
    test: float = 0.0
    block: int = 50
    seed: int = 2020  # of the split, so that runs of other seeds are tuned on the same slices

    @property
    def labels(self) -> tuple[str, ...]:
        """All labels that mean something, those of COVID-19 first."""
        return (*self.positive, *self.negative)

    def with_labels(self, positive: Sequence[str], negative: Sequence[str]) -> DataPlan:
        """The plan with other labels; empty ones leave it as it is."""
        return replace(
            self,
            positive=tuple(positive) or self.positive,
            negative=tuple(negative) or self.negative,
        )


SPLITS = ("train", "tune", "calibrate", "test", "external")
UNNAMED = "unnamed"  # the source of a row that names none
COLUMNS = ("path", "label", "source", "patient_id", "split", "note")
# Written only where a row has one. `parent` is the path of the picture that a copy was made from.
MORE_COLUMNS = ("parent", "study_uid", "series_uid", "age", "sex", "finding")
ALIKE = 0.85  # of two names, from 0 to 1: `patient` is like `patient_id`, `study` is not like `study_uid`


@dataclass(frozen=True)
class Row:
    """One slice of a manifest. `path` can be opened as it is, and so can `parent`, None for originals.

    `age` is in years, `sex` is as in the manifest, `finding` is what is known about the slice or its patient
    ("normal", "mild", a diagnosis); "" if nothing.
    """

    path: Path
    label: str
    source: str
    patient_id: str
    split: str
    note: str
    parent: Path | None = None
    study_uid: str = ""
    series_uid: str = ""
    age: str = ""
    sex: str = ""
    finding: str = ""


@dataclass(frozen=True)
class Manifest:
    """All rows, with the SHA-256 of the file they came from."""

    path: Path
    digest: str
    rows: tuple[Row, ...]

    def name(self, row: Row) -> str:
        """The path of a row as the manifest has it."""
        folder = self.path if self.path.is_dir() else self.path.parent
        return str(row.path.relative_to(folder)) if row.path.is_relative_to(folder) else str(row.path)


def read_manifest(path: Path) -> Manifest:
    """Read a manifest CSV. Raises ManifestError for missing columns or rows, and for unknown splits."""
    try:
        data = path.read_bytes()
        rows = _parse_rows(data.decode("utf-8-sig"), path)
    except UnicodeDecodeError as error:
        raise ManifestError(
            f"{path}: cannot be read as a manifest: not UTF-8; save it as CSV UTF-8"
        ) from error
    except (OSError, csv.Error) as error:
        raise ManifestError(f"{path}: cannot be read as a manifest: {error}") from error
    if not rows:
        raise ManifestError(f"{path}: holds no rows; list one slice a line")
    _check_unique(rows, path)
    return Manifest(path, hashlib.sha256(data).hexdigest(), rows)


def _parse_rows(text: str, path: Path) -> tuple[Row, ...]:
    # Not splitlines(): a name may hold what Unicode counts as the end of a line.
    # Strict: an open quotation mark would take all lines up to the next one for one cell.
    reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    found = reader.fieldnames or ()
    if missing := {"path", "label"} - set(found):
        raise ManifestError(
            f"{path}: no column named {' and none named '.join(sorted(missing))}; its first line has "
            f"{', '.join(found) or 'nothing'}. A manifest is a CSV with commas and needs the columns path "
            f"and label, in small letters; it may have {', '.join((*COLUMNS[2:], *MORE_COLUMNS))}"
        )
    check_columns(found, path)
    rows: list[Row] = []
    begun = reader.line_num + 1
    try:
        for line in reader:
            rows.append(_row(line, path, reader.line_num))
            begun = reader.line_num + 1
    except csv.Error as error:
        raise ManifestError(
            f"{path}, line {begun}: cannot be read as a manifest: {error}. Look for a quotation mark that is "
            "not closed; within a cell in quotation marks write two for one"
        ) from error
    return _tidy(rows, path)


def _tidy(rows: Sequence[Row], path: Path) -> tuple[Row, ...]:
    """Rows with patient ids that can be compared; says on stderr what was changed."""
    ids = tidy_ids([row.source for row in rows], [row.patient_id for row in rows])
    for sentence in ids.told:
        click.echo(f"{path}: {sentence}", err=True)
    return tuple(
        row if row.patient_id == name else replace(row, patient_id=name)
        for row, name in zip(rows, ids.names, strict=True)
    )


def check_columns(found: Sequence[str], path: Path) -> None:
    """Say on stderr which columns are ignored.

    Raises ManifestError for one that looks like a misspelt known column: a split or an id that is silently
    ignored lets a model train on its test slices.
    """
    plain = {to_plain(name): name for name in (*COLUMNS, *MORE_COLUMNS) if name not in found}
    strange = [name for name in found if name not in (*COLUMNS, *MORE_COLUMNS)]
    for name in strange:
        if near := get_close_matches(to_plain(name), plain, n=1, cutoff=ALIKE):
            raise ManifestError(
                f"{path}: the column {name!r} is not read; is it {plain[near[0]]}? Then call it exactly so, "
                "else give it a name that is less like it"
            )
    if named := [name for name in strange if name]:
        click.echo(f"{path}: columns ignored: {', '.join(named)}", err=True)


def to_plain(name: str) -> str:
    """A name reduced to lower-case letters and digits, for comparison."""
    return "".join(letter for letter in name.casefold() if letter.isalnum())


def _row(line: dict[str, str], path: Path, number: int) -> Row:
    if None in line:  # where csv puts what is left over
        raise ManifestError(
            f"{path}, line {number}: more cells than columns; quote names with commas in them"
        )
    values = {name: (line.get(name) or "").strip() for name in (*COLUMNS, *MORE_COLUMNS)}
    if not values["path"]:
        raise ManifestError(f"{path}, line {number}: no path; remove the line or name the file")
    if values["split"] not in ("", *SPLITS):
        raise ManifestError(
            f"{path}, line {number}: split {values['split']!r} is not one of {', '.join(SPLITS)}; "
            "tune is what others call validation"
        )
    return Row(
        path=_locate(values["path"], path, number),
        label=values["label"],
        source=values["source"] or UNNAMED,
        patient_id=values["patient_id"],
        split=values["split"],
        note=values["note"],
        parent=_locate(values["parent"], path, number) if values["parent"] else None,
        study_uid=values["study_uid"],
        series_uid=values["series_uid"],
        age=values["age"],
        sex=values["sex"],
        finding=values["finding"],
    )


def _locate(name: str, path: Path, number: int) -> Path:
    """Where a cell's path leads; one with backslashes was written on Windows, unless a file is called so."""
    if os.sep == "\\" or "\\" not in name or os.path.exists(path.parent / name):
        return path.parent / name
    windows = PureWindowsPath(name)
    if windows.drive:
        raise ManifestError(
            f"{path}, line {number}: {name} is on a Windows drive; write paths relative to the manifest"
        )
    return path.parent / windows.as_posix()


def _check_unique(rows: Iterable[Row], path: Path) -> None:
    seen: set[str] = set()
    for row in rows:
        if (place := os.path.normpath(row.path)) in seen:
            raise ManifestError(f"{path}: {row.path} is listed twice; keep one line for a file")
        seen.add(place)


def select_rows(manifest: Manifest, plan: DataPlan) -> tuple[Row, ...]:
    """The rows a plan asks for: its sources and labels, without what `exclude_note` marks.

    Raises ManifestError when nothing is left, or a source or file that was asked for is not there.
    """
    if absent := sorted(set(plan.sources) - {row.source for row in manifest.rows}):
        raise ManifestError(f"{manifest.path}: has no source {', '.join(absent)}; change [data] sources")
    labels = plan.labels
    _check_labels(manifest, plan)
    rows = tuple(
        row
        for row in manifest.rows
        if row.label in labels
        and (not plan.sources or row.source in plan.sources)
        and not (plan.exclude_note and plan.exclude_note in row.note)
    )
    if not rows:
        there = ", ".join(sorted({row.label or "(empty)" for row in manifest.rows}))
        raise ManifestError(f"{manifest.path}: no row has a label of {', '.join(labels)}; there are {there}")
    if lost := [row.path for row in rows if not row.path.is_file()]:
        raise ManifestError(
            f"{manifest.path}: {len(lost)} of {len(rows)} files are missing, the first is {lost[0]}; "
            "paths are relative to the manifest"
        )
    return rows


def _check_labels(manifest: Manifest, plan: DataPlan) -> None:
    """Raise ManifestError for labels that differ from the plan's in nothing but case and marks."""
    plain = {to_plain(label): label for label in plan.labels}
    chosen = (row for row in manifest.rows if not plan.sources or row.source in plan.sources)
    counts = Counter(row.label for row in chosen if row.label and row.label not in plan.labels)
    for label, count in counts.items():
        if to_plain(label) in plain:
            raise ManifestError(
                f"{manifest.path}: {count} rows are labelled {label!r}, which is not "
                f"{plain[to_plain(label)]!r}: write labels alike, or say what it means with --positive or "
                "--negative ([data] positive or negative in a recipe)"
            )


def to_label(row: Row, plan: DataPlan) -> int:
    """1 for COVID-19, 0 for not."""
    return int(row.label in plan.positive)


def write_manifest(rows: Sequence[Row], path: Path, *, absolute: bool = True) -> None:
    """Write rows, under another name, then renamed, so that a reader never sees half of it.

    Paths are made `absolute`, or written as they are, for a manifest that moves with its slices.
    """
    write_beside(path, lambda partial: _write_rows(rows, partial, absolute=absolute))


def _write_rows(rows: Sequence[Row], path: Path, *, absolute: bool) -> None:
    columns = (*COLUMNS, *(name for name in MORE_COLUMNS if any(getattr(row, name) for row in rows)))
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        for row in rows:
            writer.writerow(_cell(getattr(row, name), absolute=absolute) for name in columns)


def _cell(value: Path | str | None, *, absolute: bool) -> str:
    if isinstance(value, Path):
        return str(value.resolve()) if absolute else value.as_posix()
    return value or ""
