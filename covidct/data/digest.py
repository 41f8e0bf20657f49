"""Which data a run's folder belongs to: recorded when a run starts, checked when it continues.

Lung finder, gate and checkpoint in a folder were made from its data. With other labels or splits in the
manifest, a finished run would train nothing, and would measure slices that it was trained on as if they were
new.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from covidct.data.manifest import DataPlan, Row, to_label
from covidct.errors import ManifestError
from covidct.images.files import write_beside

DIGEST = "data.json"
WORDS = {"rows": "slices, labels or splits", "files": "pictures", "pretrained": "pretrained weights"}


def digest_data(rows: Sequence[Row], plan: DataPlan, *, pretrained: str = "") -> dict[str, str]:
    """SHA-256 of the rows and of the bytes of their files, beside that of the `pretrained` weights."""
    return {
        "rows": _digest(f"{row.path.resolve()}\0{to_label(row, plan)}\0{row.split}" for row in rows),
        "files": _digest(hashlib.sha256(row.path.read_bytes()).hexdigest() for row in rows),
        "pretrained": pretrained,
    }


def check_digest(out: Path, data: Mapping[str, str], *, begun: bool) -> None:
    """Raise ManifestError where the folder `out` holds a run on other data, and say what differs.

    `begun` is whether it holds a run at all.
    """
    place = out / DIGEST
    if not place.is_file():
        if begun:
            raise ManifestError(
                f"{out}: holds a run, but no {DIGEST} that names its data; choose another --out"
            )
        return
    known = _read_digest(place)
    if other := [WORDS[name] for name in data if data[name] != known.get(name)]:
        raise ManifestError(
            f"{out}: holds a run on other {' and other '.join(other)}; choose another --out, or remove it"
        )


def write_digest(out: Path, data: Mapping[str, str]) -> None:
    """Bind the folder `out` to data."""
    text = json.dumps(data, indent=2) + "\n"
    write_beside(out / DIGEST, lambda partial: partial.write_text(text, encoding="utf-8"))


def _read_digest(place: Path) -> Mapping[str, str]:
    try:
        known: Mapping[str, str] = dict(json.loads(place.read_bytes()))
    except (TypeError, ValueError) as error:
        raise ManifestError(
            f"{place}: is damaged, so the data of this run are unknown; choose another --out"
        ) from error
    return known


def _digest(parts: Iterable[str]) -> str:
    return hashlib.sha256("\n".join(parts).encode("utf-8", "surrogateescape")).hexdigest()
