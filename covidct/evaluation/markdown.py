"""Tables in Markdown."""

from __future__ import annotations

from collections.abc import Sequence


def to_markdown_table(head: Sequence[str], rows: Sequence[Sequence[str]], *, words: bool = False) -> str:
    """A table, its first column to the left and the others to the right, or all to the left for `words`."""
    lines = [head, ["---"] + ["---" if words else "--:"] * (len(head) - 1), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)
