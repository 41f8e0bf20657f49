"""Cells as a Markdown table: a row a stage, a column a fault."""

from __future__ import annotations

from collections.abc import Sequence

from faults.control import Kind
from faults.run import AGAIN, DONE, ONCE_MORE, Cell

HEADS = {
    Kind.KILL: "kill -9",
    Kind.NO_SPACE: "Disk full",
    Kind.READ_ONLY: "Read-only",
    Kind.CLOCK: "Clock set back",
    Kind.MEMORY: "No memory",
}
# What results are called in the table, which explains them below; `scenarios` tell stages by their files.
WORDS = {AGAIN: "same"}


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
        if stage == ONCE_MORE:  # (after a fault that did not matter there is nothing to do again)
            results = [" " if result == DONE else result for result in results]
        shown = "*the same once more*" if stage == ONCE_MORE else stage if " " in stage else f"`{stage}`"
        lines.append(f"| {scenario} | {shown} | {' | '.join(WORDS.get(one, one) for one in results)} |")
    return "\n".join(lines)
