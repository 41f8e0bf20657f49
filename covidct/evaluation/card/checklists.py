"""The checklists for reports on medical AI: whole for docs/reference/checklists.md, short for the model card.

Knows how lists are written out, and how their rows were compared with the papers. Knows no item: those are in
`claim` and `tripod`.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from covidct.evaluation.card.checklist_item import Item, State
from covidct.evaluation.card.claim import CLAIM
from covidct.evaluation.card.tripod import TRIPOD
from covidct.evaluation.markdown import to_markdown_table

UNMEASURED = "not measured for this card"
CHECKLISTS = {"CLAIM (2024 update)": CLAIM, "TRIPOD+AI": TRIPOD}
INTRODUCTION = """\
# Checklists

Made by `scripts/docs` from `covidct/evaluation/card/checklists.py`; a test compares. *Card* is the
model card of the bundle (`covidct info --card`). What each item asks for is put briefly, in our own
words.

*Answered* means that something is reported, not that it is good: both are lists for reports, so
"none was done" is an answer where the list allows it. **Open** means that a main part is missing,
and says which. **Not applicable** means that there is nothing to report.
"""
CHECKED = """\
## Compared with what was published

- CLAIM, 2024 update (Tejani et al., Radiology: Artificial Intelligence 2024;6(4):e240300): number,
  title and text of all 44 items, as its society explains them (https://github.com/RSNA/CLAIM, a
  draft).
- TRIPOD+AI (Collins et al., BMJ 2024;385:e078378, table 2): number and text of all 27 items in 52
  rows, in two reproductions that agree. Not looked up: the list for abstracts (item 2) and
  TRIPOD-Cluster (12d, 23b).

Compared on 2026-11-24, without access to the journals' own pages. Where this page and a paper
differ, the paper is right.
"""


def sum_up(*, without: Collection[str] = ()) -> str:
    """The card's section: how many items of each list are answered, and those that are open, with why.

    `without` is what was not measured for this card: items that need it are open.
    """
    parts = [
        "## Checklists\n",
        "All items with their answers: docs/reference/checklists.md of the project.\n",
    ]
    for name, listed in CHECKLISTS.items():
        items = [
            replace(item, answer=UNMEASURED, state=State.OPEN) if item.needs in without else item
            for item in listed
        ]
        unanswered = [item for item in items if item.state is State.OPEN]
        rows = [[f"{item.number}: {item.asks}", item.answer] for item in unanswered]
        parts += [
            f"{name}: {_count(items)}. Open:\n",
            to_markdown_table(("Open item", "Why"), rows, words=True),
            "",
        ]
    return "\n".join(parts)


def _count(items: Collection[Item]) -> str:
    states = [item.state for item in items]
    return (
        f"{states.count(State.ANSWERED)} of {len(items)} items answered, "
        f"{states.count(State.INAPPLICABLE)} not applicable"
    )


def to_markdown() -> str:
    """Both lists in full, and how they were compared with the papers."""
    parts = [INTRODUCTION]
    for name, items in CHECKLISTS.items():
        rows = [[item.number, item.asks, _to_answer(item)] for item in items]
        parts += [
            f"## {name}\n",
            f"{_count(items)}, once all is measured that a card can hold.\n",
            to_markdown_table(("Item", "Asks for", "Where answered"), rows, words=True),
            "",
        ]
    return "\n".join([*parts, CHECKED])


def _to_answer(item: Item) -> str:
    return item.answer if item.state is State.ANSWERED else f"**{item.state}**: {item.answer}"
