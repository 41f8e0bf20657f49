"""A folder with one sub-folder a class -> a manifest; also where these lie in `train/`, `val/` and `test/`.

The label is the name of the sub-folder, never a part of the path: "covid" occurs in every path below
`covid_data/`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import click

from covidct.data.class_names import guess_labels, guess_split, is_masks
from covidct.data.manifest import UNNAMED, DataPlan, Manifest, Row, read_manifest
from covidct.errors import ManifestError
from covidct.images.files import ENDINGS, find_slices, is_clutter


@dataclass(frozen=True)
class ClassFolder:
    """The slices of one class in one `split`, "" if the folder has no splits."""

    name: str
    split: str
    paths: tuple[Path, ...]


def read_data(path: Path, plan: DataPlan) -> Manifest:
    """Read a manifest CSV, or a folder with one sub-folder a class. Raises ManifestError."""
    return read_folder(path, plan) if path.is_dir() else read_manifest(path)


def read_folder(folder: Path, plan: DataPlan) -> Manifest:
    """Read `folder/CLASS/**` or `folder/SPLIT/CLASS/**` as slices; the folder's own name is their source.

    A sub-folder has the name of a label of the plan, or another clear name; guesses are reported on stderr.
    Raises ManifestError for unclear names, and if there are no slices.
    """
    classes = find_classes(folder)
    if not classes:
        raise ManifestError(
            f"{folder}: no slices in sub-folders named {', '.join(plan.labels)}; put each class in one of "
            "its own"
        )
    labels = to_labels(folder, {one.name for one in classes}, plan)
    source = folder.resolve().name or UNNAMED
    rows = tuple(
        Row(path, labels[one.name], source, patient_id="", split=one.split, note="")
        for one in classes
        for path in one.paths
    )
    listing = "\n".join(str(row.path.relative_to(folder)) for row in rows)
    return Manifest(folder, hashlib.sha256(listing.encode("utf-8", "surrogateescape")).hexdigest(), rows)


def find_classes(folder: Path) -> list[ClassFolder]:
    """The sub-folders that hold slices, each with its split. Raises ManifestError."""
    children = _list_folders(folder)
    splits = [child for child in children if guess_split(child.name)]
    if not splits:
        return _find_in(folder, "")
    if others := sorted({child.name for child in children} - {child.name for child in splits}):
        raise ManifestError(
            f"{folder}: {', '.join(others)} beside {', '.join(child.name for child in splits)}: is it a "
            "class or a split? Keep folders of the one kind only"
        )
    found = [one for child in splits for one in _find_in(child, guess_split(child.name))]
    # Without slices to tune on, some of those to train on have to be spared for that.
    is_tuned = any(one.split == "tune" for one in found)
    return [
        ClassFolder(one.name, one.split if is_tuned or one.split != "train" else "", one.paths)
        for one in found
    ]


def to_labels(folder: Path, names: Iterable[str], plan: DataPlan) -> Mapping[str, str]:
    """The label of each class folder; reports guesses on stderr. Raises ManifestError."""
    names = sorted(names)
    labels = guess_labels(names, plan)
    if not labels:
        strange = [name for name in names if name not in plan.labels]
        raise ManifestError(
            f"{folder}: it is not clear which of the sub-folders {', '.join(names)} show COVID-19 "
            f"({', '.join(strange)}?): say so with --positive NAME and --negative NAME, each as often as "
            f"needed; or call them {plan.positive[0]} and {plan.negative[0]}{_look_deeper(folder, plan)}"
        )
    if guessed := [name for name in names if labels[name] != name]:
        words = (f"{name} = {'' if labels[name] in plan.positive else 'not '}COVID-19" for name in guessed)
        click.echo(
            f"{folder}, by the names of its folders: {', '.join(words)}. If not so, say --positive NAME and "
            "--negative NAME.",
            err=True,
        )
    return labels


def _find_in(folder: Path, split: str) -> list[ClassFolder]:
    """The class folders of a folder that hold slices. Raises ManifestError for slices beside them."""
    found = [ClassFolder(child.name, split, _find_slices(child)) for child in _list_folders(folder)]
    loose = [
        path
        for path in folder.iterdir()
        if path.suffix.lower() in ENDINGS and path.is_file() and not is_clutter(path.name)
    ]
    if loose:
        raise ManifestError(
            f"{folder}: slices outside the class folders ({len(loose)}, such as {min(loose).name}); "
            "move each into the folder of its class"
        )
    return [one for one in found if one.paths]


def _find_slices(folder: Path) -> tuple[Path, ...]:
    """The slices of a class folder; what lies in folders of masks beside them is none, and that is said."""
    paths = find_slices(folder).paths
    masks = {path for path in paths if any(map(is_masks, path.relative_to(folder).parts[:-1]))}
    if not masks or len(masks) == len(paths):
        return paths
    places = sorted({str(path.parent) for path in masks})
    click.echo(f"Read as masks, not as slices: {len(masks)} in {', '.join(places)}", err=True)
    return tuple(path for path in paths if path not in masks)


def _list_folders(folder: Path) -> list[Path]:
    return sorted(child for child in folder.iterdir() if child.is_dir() and not is_clutter(child.name))


def _look_deeper(folder: Path, plan: DataPlan) -> str:
    """Which folder may have been meant: that of an unpacked archive often lies in another."""
    for child in _list_folders(folder):
        names = [sub.name for sub in _list_folders(child)]
        if names and (any(map(guess_split, names)) or guess_labels(names, plan)):
            return f"; or give {child}"
    return ""
