"""What was left out of a training, by name: one source, or several with + between.

Knows names alone.
"""

from __future__ import annotations


def to_sources(left_out: str) -> tuple[str, ...]:
    """The sources that a name stands for."""
    return tuple(left_out.split("+"))
