"""One item of a checklist for reports: what it asks for, and where the answer is, or why there is none.

Knows nothing of which items there are.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    """Whether the whole of an item is answered; both lists know items that do not apply."""

    ANSWERED = "answered"
    OPEN = "open"
    INAPPLICABLE = "not applicable"


@dataclass(frozen=True)
class Item:
    """One item: its `number`, what it `asks` for, and where the `answer` is; or why there is none.

    `needs` is what has to be measured after a bundle was made, before the item is answered.
    """

    number: str
    asks: str
    answer: str
    state: State = State.ANSWERED
    needs: str = ""


EXTERNAL, EXAMINED, FAILURES = "sources left out", "an examination", "synthetic failures"


def answered(number: str, asks: str, answer: str, *, needs: str = "") -> Item:
    """An item whose answer is there, once what it `needs` was measured."""
    return Item(number, asks, answer, needs=needs)


def left_open(number: str, asks: str, why: str) -> Item:
    """An item of which a main part is missing."""
    return Item(number, asks, why, State.OPEN)


def inapplicable(number: str, asks: str, why: str) -> Item:
    """An item that has nothing to report."""
    return Item(number, asks, why, State.INAPPLICABLE)
