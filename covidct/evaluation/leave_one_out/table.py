"""The table of a benchmark: for the terminal, as Markdown, and as JSON that a model card is made from.

Knows rows and floors; a row can be read back from the JSON. Knows nothing of how they were measured.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from covidct.errors import ManifestError
from covidct.evaluation.leave_one_out.figures import MEASURED, Gain, Standing
from covidct.evaluation.leave_one_out.trials import Kept
from covidct.evaluation.markdown import to_markdown_table
from covidct.types import Estimate

SCHEMA = 2
Floor = Mapping[str, Estimate]
INTERVALS = (
    "95 %: percentiles over resampled patients (ten neighbours in number where there are no ids), the same "
    "for all seeds, of the mean of the seeds' figures; for the ECE as far as its bins move in 95 % of the "
    "resamples"
)
HEAD = (
    "Left out",
    "Recipe",
    "Slices",
    "COVID-19",
    "AUC by seed",
    "Mean AUC",
    "Averaged logits",
    "Sensitivity",
    "Specificity",
    "ECE",
    "Covered, COVID-19",
    "Covered, other",
    "Indeterminate",
)
GAIN_HEAD = ("Left out", "Recipe", "Above", "by AUC")
FLOOR_HEAD = ("Left out", "Shortcut probe", "AUC")


@dataclass(frozen=True)
class Standings:
    """Rows of a benchmark, the shortcut floor by source left out, and the manifest's SHA-256.

    `gains` are the differences between recipes.
    """

    manifest_digest: str
    rows: tuple[Standing, ...]
    floors: Mapping[str, Floor]
    accepted: str = ""
    gains: tuple[Gain, ...] = ()


def to_summary(
    kept: Sequence[Kept], rows: Sequence[Standing], floors: Mapping[str, Floor], gains: Sequence[Gain] = ()
) -> Standings:
    """Join what was measured with what it was measured on."""
    record = kept[0].record
    reasons = sorted({one.record.get("accepted", "") for one in kept} - {""})
    return Standings(record["manifest_sha256"], tuple(rows), floors, "; ".join(reasons), tuple(gains))


def to_json(standings: Standings) -> dict[str, Any]:
    """Plain values; undefined figures are None, with their reason."""
    return {
        "schema": SCHEMA,
        "protocol": {
            "what": "trained on all other sources, exported, and every labelled slice of the source scored",
            "manifest_sha256": standings.manifest_digest,
            "intervals": INTERVALS,
            "accepted": standings.accepted,
        },
        "rows": [asdict(row) for row in standings.rows],
        "gains": [asdict(gain) for gain in standings.gains],
        "floors": {
            name: {probe: asdict(auc) for probe, auc in floor.items()}
            for name, floor in standings.floors.items()
        },
    }


def read_standings(path: Path) -> Standings:
    """A `benchmark.json` read back. Raises ManifestError for any other file."""
    try:
        return parse_standings(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ManifestError(
            f"{path}: cannot be read as a benchmark ({error!r}); make it with covidct benchmark"
        ) from error


def parse_standings(table: Mapping[str, Any]) -> Standings:
    """What `to_json` gave. Raises KeyError, TypeError and ValueError for other values."""
    if table["schema"] != SCHEMA:
        raise ValueError(f"schema {table['schema']}, not {SCHEMA}")
    protocol = table["protocol"]
    return Standings(
        manifest_digest=protocol["manifest_sha256"],
        rows=tuple(_from_entry(entry) for entry in table["rows"]),
        floors={
            name: {probe: Estimate(**auc) for probe, auc in floor.items()}
            for name, floor in table["floors"].items()
        },
        accepted=protocol["accepted"],
        gains=tuple(Gain(**{**entry, "auc": Estimate(**entry["auc"])}) for entry in table.get("gains", ())),
    )


def to_markdown(standings: Standings) -> str:
    """Tables: what models reach on a source they never saw, how far apart, and what shortcuts reach there."""
    rows = [[row.left_out, row.recipe, *_cells(row)] for row in standings.rows]
    parts = [to_markdown_table(HEAD, rows)]
    if standings.gains:
        gains = [[gain.left_out, gain.recipe, gain.over, gain.auc.to_text(3)] for gain in standings.gains]
        parts.append(to_markdown_table(GAIN_HEAD, gains))
    if standings.floors:
        floors = [
            [name, probe, auc.to_text()]
            for name, floor in standings.floors.items()
            for probe, auc in by_height(floor).items()
        ]
        parts.append(to_markdown_table(FLOOR_HEAD, floors))
    return "\n\n".join(parts) + "\n"


def to_table(standings: Standings) -> str:
    """The same for a terminal: a block for each source left out."""
    lines: list[str] = []
    for name in dict.fromkeys(row.left_out for row in standings.rows):
        rows = [row for row in standings.rows if row.left_out == name]
        lines += [f"Without {name}: {rows[0].slices} slices, {rows[0].positives} with COVID-19"]
        for row in rows:
            found = row.metrics
            lines += [
                f"  {row.recipe:<20}  AUC {found['auc'].to_text():<18} seeds {_seeds(row)}; "
                f"averaged logits {row.together.to_text()}",
                f"  {'':<20}  sensitivity {found['sensitivity'].to_text()}, "
                f"specificity {found['specificity'].to_text()}, ECE {found['ece'].to_text()}",
                f"  {'':<20}  sets hold COVID-19 {found['coverage_positive'].to_text()}, other "
                f"{found['coverage_negative'].to_text()}, both {found['indeterminate'].to_text()}",
            ]
        lines += [
            f"  {f'{gain.recipe} above {gain.over}':<20}  AUC by {gain.auc.to_text(3)}"
            for gain in standings.gains
            if gain.left_out == name
        ]
        lines += [
            f"  {probe:<20}  AUC {auc.to_text()}" for probe, auc in by_height(_floor(standings, name)).items()
        ]
        lines += [""]
    return "\n".join(lines)


def by_height(floor: Floor) -> dict[str, Estimate]:
    """Probes, the highest first."""
    return dict(sorted(floor.items(), key=lambda item: -(item[1].value or 0.0)))


def _floor(standings: Standings, name: str) -> Floor:
    return standings.floors.get(name, {})


def _cells(row: Standing) -> list[str]:
    found = row.metrics
    figures = [found["auc"], row.together, *(found[name] for name in MEASURED if name != "auc")]
    return [f"{row.slices}", f"{row.positives}", _seeds(row), *(one.to_text() for one in figures)]


def _seeds(row: Standing) -> str:
    return ", ".join("–" if auc is None else f"{auc:.2f}" for auc in row.aucs.values())


def _from_entry(entry: Mapping[str, Any]) -> Standing:
    metrics = {name: Estimate(**values) for name, values in entry["metrics"].items()}
    aucs = {int(seed): auc for seed, auc in entry["aucs"].items()}
    return Standing(**{**entry, "metrics": metrics, "aucs": aucs, "together": Estimate(**entry["together"])})
