"""An `examination.json` (schema 1) as Markdown for the model card: made from the file alone.

Knows the keys of `covidct examine`'s file. Knows nothing of how things were examined.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from covidct.errors import ManifestError
from covidct.evaluation.markdown import to_markdown_table
from covidct.stats.estimate import Estimate

SCHEMA = 1
EVIDENCE = {
    "hit": "peak in a lesion",
    "near": "peak in a lesion, or within 3 % of one",
    "inside": "share of the evidence in the lungs",
    "iou": "overlap (IoU) with lesions",
    "correlation": "correlation with the map as it is",
}
SHUFFLED = (
    "Shuffled: the weights of the layers named, each in another order. A map that stayed as it is would show "
    "the slice and not what was learnt."
)
STEADY = (
    "The same slice shown otherwise",
    "Source",
    "Renders",
    "Median change",
    "Decisions flipped",
    "Into or out of doubt",
)
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
        yield _explanation(one)
    if any(one["shuffled"] for one in table["explanations"]):
        yield SHUFFLED
    yield from _blackouts(table["blackouts"])
    yield from _stability([one for one in table["stabilities"] if not one["render"]])


def _explanation(one: Mapping[str, Any]) -> str:
    """What evidence hits, by chance, and with weights of the last layers each in another order."""
    size = f"{one['source']}: {one['with_lesions']} slices with lesions, {one['groups']} patients"
    head = (size, "Measured", "By chance", *(f"Shuffled: {depth}" for depth in one["shuffled"]))
    rows = []
    for name, title in EVIDENCE.items():
        figures = [one["figures"], one["chances"], *one["shuffled"].values()]
        if any(name in table for table in figures):
            n = (one["figures"].get(name) or {}).get("n", one["with_lesions"])
            fewer = f", {n} slices" if n < one["with_lesions"] else ""
            rows.append([f"{title}{fewer}", *(_text(table.get(name)) for table in figures)])
    return to_markdown_table(head, rows)


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
        rows = [
            [one["kind"], one["source"], str(one["n"]), _text(one["change"], 3)]
            + [_text(one[name], 3) for name in ("flips", "doubts")]
            for one in entries
        ]
        yield to_markdown_table(STEADY, rows)


def _text(values: Mapping[str, Any] | None, digits: int = 2) -> str:
    return "–" if values is None else Estimate(**values).to_text(digits)


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"
