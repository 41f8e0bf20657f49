from __future__ import annotations

import pytest

from covidct.train.checklist import CHECKLISTS, CLAIM, TRIPOD, sum_up, to_markdown


def test_the_lists_are_whole() -> None:
    assert [item.number for item in CLAIM] == [str(number) for number in range(1, 45)]
    assert {item.number.rstrip("abcdefg") for item in TRIPOD} == {str(number) for number in range(1, 28)}
    assert len(TRIPOD) == len({item.number for item in TRIPOD}) == 52


@pytest.mark.parametrize("name", CHECKLISTS)
def test_every_item_says_where_or_why(name: str) -> None:
    for item in CHECKLISTS[name]:
        assert item.asks, item
        assert item.answer, item


def test_the_card_counts_what_is_answered_and_lists_what_is_open() -> None:
    text = sum_up()
    for name, items in CHECKLISTS.items():
        unanswered = [item for item in items if item.is_open]
        assert f"{name}: {len(items) - len(unanswered)} of {len(items)} items answered." in text
        assert all(f"| {item.number}: {item.asks} | {item.answer} |" in text for item in unanswered)
    assert "| 22: the model, in full" not in text
    assert "| 22 | the model, in full | recipe" in to_markdown()
    assert "| 44 | funding, and its role | **open**: " in to_markdown()
