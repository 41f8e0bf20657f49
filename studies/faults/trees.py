"""What lies in a folder: whether each file is whole, and whether two runs left the same."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator, Mapping
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from zipfile import ZipFile

import pyarrow.parquet as pq
import torch
from PIL import Image
from pydicom import dcmread
from safetensors.numpy import load_file

from covidct.inference.bundle import load_bundle

Tree = Mapping[str, str]


def read_tree(root: Path) -> Tree:
    """The digest of each file by its relative path; an empty one for folders."""
    return {
        path.relative_to(root).as_posix(): "" if path.is_dir() else digest(path)
        for path in sorted(root.rglob("*"))
        if path.relative_to(root).parts[0] != "tmp"
    }


def digest(path: Path) -> str:
    """The SHA-256 of a file, without the seconds that epochs took: these are not what is compared."""
    data = path.read_bytes()
    match path.name:
        case "metrics.csv":
            rows = csv.DictReader(data.decode().splitlines())
            data = json.dumps([{**row, "seconds": None} for row in rows]).encode()
        case "checkpoint.pt":
            saved = torch.load(path, weights_only=True)
            for record in saved["progress"]["history"]:
                record["seconds"] = 0
            buffer = BytesIO()
            torch.save(saved, buffer)
            data = buffer.getvalue()
    return sha256(data).hexdigest()


def find_differences(found: Tree, first: Tree, second: Tree) -> list[str]:
    """How a tree differs from those of two undisturbed runs; where those differ, anything may be."""
    lost = [f"{path} is missing" for path in first if path not in found]
    more = [f"{path} was left" for path in found if path not in first]
    other = [
        f"{path} is another"
        for path, digest in first.items()
        if second.get(path) == digest and found.get(path, digest) != digest
    ]
    return lost + more + other


def find_broken(root: Path) -> Iterator[str]:
    """Files under their own names that are not whole: what is being written has another name."""
    for path in sorted(root.rglob("*")):
        parts = path.relative_to(root).parts
        is_hidden = any(part.startswith(".") or part.endswith(".partial") for part in parts)
        check = CHECKS.get(path.suffix)
        if check is None or is_hidden or parts[0] == "tmp" or not path.is_file():
            continue
        try:
            check(path)
        except Exception as error:  # broad: whatever a library says of a broken file
            yield f"{'/'.join(parts)} is broken ({type(error).__name__})"


def _check_text(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    if not text.endswith(("\n", "</html>")):
        raise ValueError("cut off")


def _check_json(path: Path) -> None:
    json.loads(path.read_bytes())
    if path.name == "config.json":
        load_bundle(path.parent)


def _check_archive(path: Path) -> None:
    with ZipFile(path) as archive:
        if changed := archive.testzip():
            raise ValueError(changed)


def _check_picture(path: Path) -> None:
    with Image.open(path) as picture:
        picture.load()


CHECKS: Mapping[str, Callable[[Path], object]] = {
    ".json": _check_json,
    ".csv": _check_text,
    ".html": _check_text,
    ".jsonl": lambda path: [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()],
    ".png": _check_picture,
    ".dcm": lambda path: dcmread(path).PixelData if path.name != "sr.dcm" else dcmread(path).ContentSequence,
    ".parquet": pq.read_table,
    ".pt": _check_archive,
    ".safetensors": load_file,
}
