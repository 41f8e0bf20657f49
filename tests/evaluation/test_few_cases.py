from __future__ import annotations

import json
from pathlib import Path

import pytest

from covidct.evaluation.card.card import to_card
from covidct.evaluation.card.record import parse_record
from covidct.evaluation.few_cases import tell_few
from covidct.evaluation.report import Protocol, Report, to_report
from covidct.evaluation.sections import Scored
from covidct.inference.config import CONFIG
from figures.cards import bundle as bundle  # a fixture


def measured(cases: int, *, band: tuple[float, float] = (0.4, 0.6)) -> Report:
    rows = [Scored(f"{at}.png", at % 2, "ward", f"p{at}", 0.2 + 0.6 * (at % 2)) for at in range(cases)]
    return to_report(rows, Protocol("tiny", "1", "ab" * 32, "tune", 0.5, band))


def test_few_cases_are_marked_with_what_they_could_prove() -> None:
    mark = tell_few(measured(12))
    assert mark.startswith("Few cases: measured on 12 independent ones")
    assert "no more than 74 % right" in mark  # Clopper & Pearson: 0.7354
    assert "scores" not in mark


def test_without_a_calibration_probabilities_are_called_scores() -> None:
    assert "probabilities are no more than scores" in tell_few(measured(12, band=(0.0, 1.0)))


def test_enough_cases_are_not_marked() -> None:
    assert tell_few(measured(30)) == ""


@pytest.mark.parametrize(
    ("block", "said"),
    [
        (1, "without ids, each slice stands for one, which holds only where no two are of one patient."),
        (6, "without ids, 6 neighbours in number stand in for one."),
        (None, "without ids, 50 neighbours in number stand in for one."),
    ],
)
def test_the_card_says_what_stood_in_for_a_patient(block: int | None, said: str, bundle: Path) -> None:
    table = json.loads((bundle / CONFIG).read_text())
    table["training"] |= {} if block is None else {"block": block}
    card = to_card(parse_record(json.dumps(table).encode()))
    assert said in card
    assert "**Few cases: measured on 24 independent ones" in card
