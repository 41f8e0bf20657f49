from __future__ import annotations

import re

import pytest

from covidct.evaluation.card.checklist_item import EXAMINED, EXTERNAL, FAILURES, Item, State
from covidct.evaluation.card.checklists import CHECKLISTS, UNMEASURED, sum_up, to_markdown
from covidct.evaluation.card.claim import CLAIM
from covidct.evaluation.card.tripod import TRIPOD
from places import ROOT

# TRIPOD+AI, table 2: the items that have letters, and their last one. All others stand alone.
LETTERS = {3: "c", 5: "b", 6: "c", 8: "c", 9: "c", 12: "g", 18: "f", 20: "c", 23: "b", 27: "c"}
FILE = re.compile(r"\b(?:docs|covidct)/[\w./]+\w|constraints\.txt|README\b")


def in_state(items: tuple[Item, ...], state: State) -> list[Item]:
    return [item for item in items if item.state is state]


def test_claim_has_the_items_of_the_2024_update() -> None:
    assert [item.number for item in CLAIM] == [str(number) for number in range(1, 45)]


def test_tripod_has_the_items_of_its_table() -> None:
    expected = [
        f"{number}{letter}"
        for number in range(1, 28)
        for letter in ("abcdefg"[: "abcdefg".index(LETTERS[number]) + 1] if number in LETTERS else [""])
    ]
    assert [item.number for item in TRIPOD] == expected
    assert len(TRIPOD) == 52


@pytest.mark.parametrize("name", CHECKLISTS)
def test_every_item_says_where_or_why(name: str) -> None:
    for item in CHECKLISTS[name]:
        assert item.asks, item
        assert item.answer, item
        assert item.needs in ("", EXTERNAL, EXAMINED, FAILURES)


@pytest.mark.parametrize("name", CHECKLISTS)
def test_every_file_that_an_answer_names_is_there(name: str) -> None:
    for item in CHECKLISTS[name]:
        for file in FILE.findall(item.answer):
            assert (ROOT / ("README.md" if file == "README" else file)).exists(), f"{item.number}: {file}"


@pytest.mark.parametrize("name", CHECKLISTS)
def test_every_section_that_an_answer_names_is_there(name: str) -> None:
    for item in CHECKLISTS[name]:
        for page, section in re.findall(r"(card|docs/[\w/]+\.md), ([A-Z][a-z]+)", item.answer):
            paths = [ROOT / "covidct" / "evaluation" / "card" / part for part in ("card.py", "provenance.py")]
            text = "".join(path.read_text() for path in (paths if page == "card" else [ROOT / page]))
            assert f"## {section}" in text, f"{item.number}: {page}, {section}"


@pytest.mark.parametrize("name", CHECKLISTS)
def test_no_answer_holds_a_figure_of_a_model(name: str) -> None:
    for item in CHECKLISTS[name]:
        assert not re.search(r"\d\.\d\d", item.answer), item


def test_the_card_counts_what_is_answered_and_lists_what_is_open() -> None:
    text = sum_up()
    for name, items in CHECKLISTS.items():
        counts = {state: len(in_state(items, state)) for state in State}
        assert (
            f"{name}: {counts[State.ANSWERED]} of {len(items)} items answered, "
            f"{counts[State.INAPPLICABLE]} not applicable. Open:" in text
        )
        for item in items:
            assert (f"| {item.number}: {item.asks} | {item.answer} |" in text) == (item.state is State.OPEN)


def test_what_was_not_measured_is_open_on_the_card() -> None:
    text = sum_up(without={EXTERNAL, FAILURES})
    assert f"| 33: external test | {UNMEASURED} |" in text
    assert f"| 39: analysis of failures | {UNMEASURED} |" in text
    assert "| 30: robustness" not in text


def test_the_page_shows_every_state() -> None:
    text = to_markdown()
    assert "| 22 | the model, in full | docs/reference/architecture.md" in text
    assert "| 44 | funding, and the role of funders | **open**: " in text
    assert "| 34 | registration of a clinical trial | **not applicable**: " in text
    assert "## Compared with what was published" in text
