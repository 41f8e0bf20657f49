"""Text of unknown origin on a terminal. Knows characters only."""

from __future__ import annotations


def to_printable(text: str) -> str:
    """One line: control characters, in names of files for one, must not move a terminal's cursor."""
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text)
