"""Cells as a Markdown table: a row a stage, a column a fault."""

from __future__ import annotations

from collections.abc import Sequence

from faults.control import Kind
from faults.run import Cell

HEADS = {
    Kind.KILL: "kill -9",
    Kind.NO_SPACE: "disk full",
    Kind.READ_ONLY: "read-only",
    Kind.CLOCK: "clock set back",
    Kind.MEMORY: "no memory",
}


def to_table(cells: Sequence[Cell]) -> str:
    """All that was tried."""
    found = {(cell.scenario, cell.stage, cell.kind): cell.result for cell in cells}
    rows = dict.fromkeys((cell.scenario, cell.stage) for cell in cells)
    lines = [
        f"| Command | While it writes | {' | '.join(HEADS.values())} |",
        f"|---|---|{'---|' * len(HEADS)}",
    ]
    for scenario, stage in rows:
        results = [found.get((scenario, stage, kind.name), "") for kind in HEADS]
        lines.append(f"| {scenario} | `{stage}` | {' | '.join(results)} |")
    return "\n".join(lines)
