from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from covidct.evaluation.calibration.findings import CLEAR, MISSED, fit_cutoffs
from covidct.inference.finding import name_finding
from covidct.types import Finding
from figures.left_out import GROUPS, make_left_out


def test_each_group_gets_its_word() -> None:
    known = make_left_out()
    cutoffs = fit_cutoffs(known)
    assert cutoffs is not None
    found = np.array([name_finding(one, cutoffs).finding for one in known.opacities])
    groups = np.tile(np.repeat(GROUPS, 40), 3)
    assert (found[groups == "clear"] == Finding.NEGATIVE).mean() == pytest.approx(CLEAR, abs=0.01)
    assert (found[groups == "other"] == Finding.ATYPICAL).mean() >= 1 - MISSED
    assert (found[groups == "covid"] == Finding.TYPICAL).mean() >= 1 - MISSED


def test_kinds_that_look_alike_leave_most_between() -> None:
    known = make_left_out()
    alike = replace(
        known, opacities=tuple(replace(one, typical=at % 7) for at, one in enumerate(known.opacities))
    )
    cutoffs = fit_cutoffs(alike)
    assert cutoffs is not None
    assert cutoffs.typical[0] < 3 < cutoffs.typical[1]


def test_what_other_diseases_show_says_nothing_of_where_an_opacity_begins() -> None:
    known = make_left_out()
    other = (known.answers.labels == 0) & ~known.clear
    faint = tuple(
        replace(one, logit=one.logit - 0.5) if is_other else one
        for one, is_other in zip(known.opacities, other, strict=True)
    )
    before, after = fit_cutoffs(known), fit_cutoffs(replace(known, opacities=faint))
    assert before is not None
    assert after is not None
    assert (before.opacity, before.temperature, before.shift) == (
        after.opacity,
        after.temperature,
        after.shift,
    )


@pytest.mark.parametrize("lacking", ["clear", "other", "covid", "opacities"])
def test_without_a_group_there_are_no_cutoffs(lacking: str) -> None:
    known = make_left_out()
    if lacking == "opacities":
        assert fit_cutoffs(replace(known, opacities=())) is None
    else:
        assert fit_cutoffs(known.choose(np.tile(np.repeat(GROUPS, 40), 3) != lacking)) is None
