"""A folder with one sub-folder a class -> a manifest.

The label is the exact name of the sub-folder, never a part of the path: whoever tests whether "covid" occurs
in a path calls everything below `covid_data/` positive.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from covidct.data.manifest import UNNAMED, DataPlan, Manifest, Row, read_manifest
from covidct.errors import ManifestError
from covidct.images.files import ENDINGS, find_slices


def read_data(path: Path, plan: DataPlan) -> Manifest:
    """Read a manifest CSV, or a folder with one sub-folder a class. Raises ManifestError."""
    return read_folder(path, plan) if path.is_dir() else read_manifest(path)


def read_folder(folder: Path, plan: DataPlan) -> Manifest:
    """Take `folder/LABEL/**` as slices with that label; the folder's own name is their source.

    Raises ManifestError for sub-folders whose names are no label of the plan, and where there are no slices.
    """
    labels = plan.labels
    classes = sorted(child for child in folder.iterdir() if child.is_dir() and not child.name.startswith("."))
    if strange := [child.name for child in classes if child.name not in labels]:
        raise ManifestError(
            f"{folder}: the sub-folder {', '.join(strange)} is no label; name each sub-folder exactly as "
            f"one of {', '.join(labels)}, or say what it means with --positive or --negative"
        )
    if loose := [path for path in folder.iterdir() if path.is_file() and path.suffix.lower() in ENDINGS]:
        raise ManifestError(
            f"{folder}: {len(loose)} slices lie outside of the class folders, as {min(loose).name}; "
            "move each into the folder of its class"
        )
    rows = tuple(_row(path, child.name, folder) for child in classes for path in find_slices(child).paths)
    if not rows:
        raise ManifestError(
            f"{folder}: no slices in sub-folders named {', '.join(labels)}; put each class in one of its own"
        )
    listing = "\n".join(str(row.path.relative_to(folder)) for row in rows)
    return Manifest(folder, hashlib.sha256(listing.encode("utf-8", "surrogateescape")).hexdigest(), rows)


def _row(path: Path, label: str, folder: Path) -> Row:
    return Row(path, label, folder.resolve().name or UNNAMED, patient_id="", split="", note="")
