"""An `examination.json` (schema 1) as Markdown for the model card: made from the file alone.

Knows the keys of `covidct examine`'s file. Knows nothing of how things were examined.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from covidct.errors import ManifestError
from covidct.metrics import Estimate
from covidct.train.tables import to_markdown_table

SCHEMA = 1
EVIDENCE = {
    "hit": "peak in a lesion",
    "near": "peak in a lesion, or within 3 % of one",
    "inside": "share of the evidence in the lungs",
    "iou": "overlap (IoU) with lesions",
}
REACHED = {True: "yes", False: "no", None: "not measured"}


def read_examination(path: Path) -> str:
    """The examination as Markdown; a file that ends in .md is taken as it is. Raises ManifestError."""
    try:
        text = path.read_text(encoding="utf-8")
        if path.suffix == ".md":
            return text.rstrip() + "\n"
        table = json.loads(text)
        if table["schema"] != SCHEMA:
            raise ValueError(f"schema {table['schema']}, not {SCHEMA}")
        return "\n\n".join(_parts(table)) + "\n"
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ManifestError(
            f"{path}: is no examination that can be read ({error!r}); make it with covidct examine"
        ) from error


def _parts(table: Mapping[str, Any]) -> Iterator[str]:
    protocol = table["protocol"]
    yield (
        f"{protocol['precision']} graph of {protocol['bundle']} {protocol['version']}, "
        f"split `{protocol['split']}`. {protocol['intervals']}."
    )
    if table["targets"]:
        rows = [
            [one["name"], one["target"], _number(one["value"]), REACHED[one["reached"]]]
            for one in table["targets"]
        ]
        yield to_markdown_table(("Target", "Asked", "Measured", "Reached"), rows)
    for one in table["explanations"]:
        rows = [
            [title, _text(one["figures"].get(name)), _text(one["chances"].get(name))]
            for name, title in EVIDENCE.items()
        ]
        size = f"{one['with_lesions']} slices with lesions, {one['groups']} patients"
        yield to_markdown_table((f"{one['source']}: {size}", "Measured", "By chance"), rows)
    yield from _blackouts(table["blackouts"])
    yield from _stability([one for one in table["stabilities"] if not one["render"]])


def _blackouts(entries: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    if entries:
        views = list(dict.fromkeys(view for one in entries for view in one["aucs"]))
        rows = [
            [one["source"], str(one["n"]), *(_text(one["aucs"].get(view)) for view in views)]
            for one in entries
        ]
        yield to_markdown_table(("AUC by what is left of the slice", "Slices", *views), rows)


def _stability(entries: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    if entries:
        head = ("The same slice shown otherwise", "Source", "Renders", "Median change", "Decisions flipped")
        rows = [
            [one["kind"], one["source"], str(one["n"]), _text(one["change"], 3), _text(one["flips"], 3)]
            for one in entries
        ]
        yield to_markdown_table(head, rows)


def _text(values: Mapping[str, Any] | None, digits: int = 2) -> str:
    return "–" if values is None else Estimate(**values).to_text(digits)


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"
