from __future__ import annotations

import json
from dataclasses import asdict, replace

from covidct.evaluation.calibration.left_out import SERIES
from covidct.evaluation.calibration.series import fit_series
from covidct.evaluation.calibration.tally import CLEAR, COVID, OTHER, tally
from figures.left_out import make_left_out


def test_each_source_is_counted_by_group() -> None:
    found = tally(make_left_out(kind=SERIES))
    assert [(one.source, one.group) for one in found] == [
        (source, group) for source in "abc" for group in (CLEAR, OTHER, COVID)
    ]
    for one in found:
        assert (one.kind, one.count, one.patients) == ("series", 40, 40)
        assert sum(one.decisions.values()) == sum(one.findings.values()) == 40
    assert max(found[2].decisions, key=found[2].decisions.__getitem__) == "positive"
    assert max(found[0].findings, key=found[0].findings.__getitem__) == "negative"


def test_counts_are_kept_as_json() -> None:
    (first, *_) = tally(make_left_out())
    kept = json.loads(json.dumps(asdict(first), allow_nan=False))
    assert kept["decisions"] == first.decisions
    assert kept["findings"] == first.findings


def test_a_source_is_judged_by_the_others() -> None:
    pool = make_left_out()
    shifted = replace(pool, answers=replace(pool.answers, logits=pool.answers.logits.copy()))
    shifted.answers.logits[:120] += 9.0
    assert tally(shifted)[0].decisions == {"positive": 40}


def test_two_sources_leave_too_few() -> None:
    assert tally(make_left_out(sources=("a", "b"))) == ()


def test_a_graph_of_one_question_has_no_findings() -> None:
    found = tally(replace(make_left_out(), opacities=()))
    assert {len(one.findings) for one in found} == {0}
    assert sum(found[0].decisions.values()) == 40


def test_series_are_calibrated_as_slices_are() -> None:
    fitted = fit_series(make_left_out(kind=SERIES))
    assert fitted is not None
    assert [point.name for point in fitted.operating_points] == ["balanced", "high_sensitivity"]
    assert fitted.operating_points[0].coverage[0] >= 0.9
    assert fitted.findings is not None
    assert fit_series(make_left_out(sources=("a",))) is None
