from __future__ import annotations

import pytest

from covidct.results.finding_words import CAPTIONS, WORDS, to_finding_sentence
from covidct.types import Decision, Finding, Opacity


def test_every_finding_has_words() -> None:
    assert set(WORDS) == set(CAPTIONS) == set(Finding)


def test_captions_are_told_from_decisions() -> None:
    assert not {*CAPTIONS.values()} & {decision.value for decision in Decision}


@pytest.mark.parametrize(
    ("finding", "sentence"),
    [
        (Finding.NEGATIVE, "Negative for pneumonia: no opacity seen."),
        (Finding.TYPICAL, "Typical appearance: opacities in 12% of the lungs."),
        (None, ""),
    ],
)
def test_a_finding_in_a_sentence(finding: Finding | None, sentence: str) -> None:
    assert to_finding_sentence(Opacity(1.0, 1.0, 0.121, finding=finding)) == sentence


def test_a_model_of_one_question_says_nothing() -> None:
    assert to_finding_sentence(None) == ""
