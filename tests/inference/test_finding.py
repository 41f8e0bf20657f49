from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bundles import CONFIG_TABLE, write_tiny_bundle
from covidct.inference.classifier import Classifier
from covidct.inference.config import Cutoffs
from covidct.inference.finding import name_finding, to_finding
from covidct.types import Finding, Opacity
from figures.predictions import predicted

CUTOFFS = Cutoffs(temperature=2.0, shift=1.0, opacity=0.5, typical=(-0.5, 1.5))


@pytest.mark.parametrize(
    ("probability", "typical", "finding"),
    [
        (0.0, 99.0, Finding.NEGATIVE),
        (0.499, 99.0, Finding.NEGATIVE),
        (0.5, -0.51, Finding.ATYPICAL),
        (0.5, -0.5, Finding.INDETERMINATE),
        (1.0, 1.49, Finding.INDETERMINATE),
        (0.5, 1.5, Finding.TYPICAL),
    ],
)
def test_each_word_begins_at_its_cutoff(probability: float, typical: float, finding: Finding) -> None:
    assert to_finding(probability, typical, CUTOFFS) is finding


def test_cutoffs_that_meet_leave_nothing_between() -> None:
    meeting = replace(CUTOFFS, typical=(1.0, 1.0))
    found = {to_finding(1.0, typical, meeting) for typical in np.linspace(-5, 5, 101)}
    assert found == {Finding.ATYPICAL, Finding.TYPICAL}


def test_the_probability_of_an_opacity_is_calibrated() -> None:
    found = name_finding(Opacity(logit=1.0, typical=0.0, extent=0.2), CUTOFFS)
    assert (found.probability, found.finding, found.extent) == (0.5, Finding.INDETERMINATE, 0.2)


def test_a_graph_of_two_questions_answers_both(tmp_path: Path) -> None:
    classifier = Classifier.load(write_tiny_bundle(tmp_path / "two", asks_twice=True), threads=1)
    bright, dark = (np.arange(4096, dtype=np.uint8).reshape(64, 64) % 32 + grey for grey in (200, 20))
    seen = predicted(classifier.predict(bright.astype(np.uint8)))
    assert seen.opacity is not None
    assert seen.opacity.logit == -seen.opacity.typical
    assert seen.logit == pytest.approx(seen.opacity.logit + seen.opacity.extent)
    assert seen.opacity.finding is Finding.ATYPICAL
    assert seen.opacity.probability == pytest.approx(seen.opacity.extent)
    assert classifier.predict(dark.astype(np.uint8)).finding is Finding.NEGATIVE


def test_without_cutoffs_there_is_an_extent_and_no_finding() -> None:
    found = name_finding(Opacity(logit=1.0, typical=2.0, extent=0.25), None)
    assert (found.probability, found.finding, found.extent) == (None, None, 0.25)


def test_a_graph_of_one_question_says_nothing_of_opacities(tiny_bundle: Path) -> None:
    assert "findings" not in CONFIG_TABLE
    result = Classifier.load(tiny_bundle, threads=1).predict(np.arange(4096, dtype=np.uint8).reshape(64, 64))
    assert result.probability is not None
    assert (result.opacity, result.finding) == (None, None)
