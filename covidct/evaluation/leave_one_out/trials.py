"""What a benchmark keeps: a folder a trial, with logits at home and on the external source, and the floors.

Knows the files and how they are read. Knows nothing of what they mean, nor of torch.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
from numpy.typing import NDArray

from covidct.errors import ManifestError
from covidct.stats.resampling import Floats
from covidct.types import Estimate, Opacity

SCORES, HOME, TRIAL, GRAPH = "scores.csv", "home.csv", "trial.json", "model.onnx"
FLOOR = "floor.json"
COLUMNS = ("path", "label", "patient", "logit")
# Of a graph that asks two questions.
MORE_COLUMNS = ("opacity", "typical", "extent")
HOME_COLUMNS = ("path", "label", "source", "split", "patient", "logit")
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Logits:
    """Slices (n,) of one file: `labels` int64, 1 is COVID-19, `logits` float64, and the rest text.

    `extents` (n,) float64 are shares of the lungs that are opaque, 0 where there are no lungs; 1 of a graph
    that does not say, and then there are no `opacities`.
    """

    paths: tuple[str, ...]
    labels: Ints
    patients: tuple[str, ...]
    logits: Floats
    sources: tuple[str, ...] = ()
    splits: tuple[str, ...] = ()
    extents: Floats = field(default_factory=lambda: np.zeros(0))
    opacities: tuple[Opacity, ...] = ()


@dataclass(frozen=True)
class Kept:
    """A finished trial as it was read: external slices (the source left out) and at home, in file order."""

    left_out: str
    recipe: str
    seed: int
    record: Mapping[str, Any]
    external: Logits
    home: Logits


def to_folder(name: str) -> str:
    """A name as the name of one folder, whatever it holds."""
    quoted = quote(name, safe=" ")
    return quoted.replace(".", "%2E") if set(name) <= {"."} else quoted


def read_trials(out: Path) -> tuple[Kept, ...]:
    """All finished trials under `out`, by source, recipe and seed. Raises ManifestError without any."""
    folders = [path.parent for path in sorted(out.glob(f"*/*/*/{SCORES}"))]
    if not folders:
        raise ManifestError(f"{out}: holds no finished trial of a benchmark; run one without --table-only")
    kept = [_read_trial(folder) for folder in folders]
    if len(digests := {one.record["manifest_sha256"] for one in kept}) > 1:
        raise ManifestError(
            f"{out}: its trials are of {len(digests)} different manifests; keep each benchmark in a "
            "folder of its own"
        )
    return tuple(sorted(kept, key=lambda one: (one.left_out, one.recipe, one.seed)))


def read_floors(out: Path, kept: Sequence[Kept]) -> dict[str, dict[str, Estimate]]:
    """Source left out -> probe -> AUC, of the sources whose floor was measured."""
    found = {}
    for name in sorted({one.left_out for one in kept}):
        path = out / to_folder(name) / FLOOR
        if path.is_file():
            table = json.loads(path.read_text(encoding="utf-8"))
            found[name] = {key: Estimate(**value) for key, value in table.items()}
    return found


def _read_trial(folder: Path) -> Kept:
    try:
        record = json.loads((folder / TRIAL).read_text(encoding="utf-8"))
        recipe = record["recipe"]
        external, home = read_logits(folder / SCORES), read_logits(folder / HOME)
        return Kept(record["left_out"], recipe["name"], int(recipe["seed"]), record, external, home)
    except (OSError, KeyError, ValueError, TypeError) as error:
        raise ManifestError(
            f"{folder}: holds no trial that can be read ({error!r}); remove it and run the benchmark again"
        ) from error


def read_logits(path: Path) -> Logits:
    """Read a file of logits. Raises OSError, KeyError and ValueError for anything else."""
    with path.open(newline="", encoding="utf-8", errors="surrogateescape") as file:
        lines = list(csv.DictReader(file))
    if not lines:
        raise ValueError(f"{path.name} holds no slices")
    logits = np.array([float(line["logit"]) for line in lines])
    if not np.isfinite(logits).all():
        raise ValueError(f"{path.name} holds a logit that is not finite")
    return Logits(
        paths=tuple(line["path"] for line in lines),
        labels=np.array([int(line["label"]) for line in lines], np.int64),
        patients=tuple(line["patient"] for line in lines),
        logits=logits,
        sources=tuple(line.get("source", "") for line in lines),
        splits=tuple(line.get("split", "") for line in lines),
        extents=np.array([float(line.get("extent", "1")) for line in lines]),
        opacities=tuple(map(_to_opacity, lines)) if set(MORE_COLUMNS) <= set(lines[0]) else (),
    )


def _to_opacity(line: Mapping[str, str]) -> Opacity:
    logit, typical, extent = (float(line[name]) for name in MORE_COLUMNS)
    return Opacity(logit, typical, extent)
