"""The lock of a test split: which slices it holds, by hash, and every time that it was measured on.

A test set measures honestly once. The lock, a JSON beside the manifest, shows whether its slices are still
the same and how often, and with which models, it was looked at. It is a reminder, not a safeguard: anyone can
delete it. Knows manifests and files; nothing of models but their names.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from covidct.data.manifest import Manifest, Row
from covidct.errors import ManifestError
from covidct.images.files import read_bytes, write_beside

FORMAT = 1
LOCKED = "test"


@dataclass(frozen=True)
class Use:
    """One measurement on the test split: the model's name, version and SHA-256, and the day (ISO 8601)."""

    model: str
    version: str
    digest: str
    day: str


@dataclass(frozen=True)
class Lock:
    """`digest` is the SHA-256 of `slices` test slices: their names, labels and bytes."""

    path: Path
    digest: str
    slices: int
    uses: tuple[Use, ...] = ()


def to_lock_path(manifest: Path) -> Path:
    """`data.csv` -> `data.csv.lock.json`."""
    return manifest.with_name(f"{manifest.name}.lock.json")


def make_lock(manifest: Manifest) -> Lock:
    """The lock of a manifest's test split, without uses. Raises ReadError where a slice cannot be read."""
    rows = _locked(manifest)
    return Lock(to_lock_path(manifest.path), _digest(manifest, rows), len(rows))


def read_lock(manifest: Path) -> Lock | None:
    """The lock beside a manifest, None where there is none. Raises ManifestError for a damaged one."""
    path = to_lock_path(manifest)
    if not path.is_file():
        return None
    try:
        return _parse(json.loads(path.read_bytes()), path)
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise ManifestError(
            f"{path}: cannot be read as a lock ({error}); restore the file that was written with the manifest"
        ) from error


def is_unchanged(lock: Lock, manifest: Manifest) -> bool:
    """Whether the manifest's test split is the one that was locked."""
    rows = _locked(manifest)
    return len(rows) == lock.slices and _digest(manifest, rows) == lock.digest


def write_lock(lock: Lock) -> None:
    """Write a lock, under another name, then renamed."""
    document = {"format": FORMAT} | {key: value for key, value in asdict(lock).items() if key != "path"}
    text = json.dumps(document, indent=2) + "\n"
    write_beside(lock.path, lambda partial: partial.write_text(text, encoding="utf-8"))


def record_use(manifest: Manifest, use: Use) -> Lock | None:
    """Add a use to the manifest's lock, if it has one; the same model on the same day counts once.

    Raises ManifestError where the test split is no longer the one that was locked.
    """
    lock = read_lock(manifest.path)
    if lock is None:
        return None
    if not is_unchanged(lock, manifest):
        raise ManifestError(
            f"{manifest.path}: the test split is not the one that {lock.path.name} locks; restore it, or "
            "split again into another file and say so beside the figures"
        )
    if use not in lock.uses:
        lock = replace(lock, uses=(*lock.uses, use))
        write_lock(lock)
    return lock


def _locked(manifest: Manifest) -> list[Row]:
    return [row for row in manifest.rows if row.split == LOCKED]


def _digest(manifest: Manifest, rows: Sequence[Row]) -> str:
    """One hash of all names, labels and bytes, in the order of the names."""
    total = hashlib.sha256()
    for name, row in sorted((manifest.name(row), row) for row in rows):
        content = hashlib.sha256(read_bytes(row.path, name=name)).hexdigest()
        total.update(json.dumps([name, row.label, content]).encode())
    return total.hexdigest()


def _parse(document: dict[str, Any], path: Path) -> Lock:
    if document["format"] != FORMAT:
        raise ValueError(f"format {document['format']}, not {FORMAT}")
    uses = tuple(Use(**use) for use in document["uses"])
    return Lock(path, str(document["digest"]), int(document["slices"]), uses)
