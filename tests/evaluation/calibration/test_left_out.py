from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np

from covidct.data.manifest import Row
from covidct.data.teaching import Teaching
from covidct.evaluation.calibration.fit import Slices
from covidct.evaluation.calibration.left_out import BLOCK, PSEUDO, SERIES, LeftOut, to_left_out, to_series
from covidct.inference.series_evidence import find_ranked
from covidct.types import Opacity

TEACHING = Teaching(
    normal=(("east", "normal", 1.0), ("east", "likely", 0.5)),
    doubt=(("east", "mild", 0.5), ("east", "moderate", 0.2)),
)


def row(label: str, finding: str = "", patient: str = "", number: int = 0) -> Row:
    return Row(Path(f"/data/{patient}{number}.png"), label, "east", patient, "", "", finding=finding)


def left_out(rows: list[Row]) -> LeftOut:
    """Slices whose logit is their place."""
    answers = Slices(
        np.arange(len(rows), dtype=np.float64),
        np.array([int(one.label == "covid") for one in rows]),
        ["east"] * len(rows),
        [one.patient_id or f"block {at // 10}" for at, one in enumerate(rows)],
    )
    opacities = [Opacity(float(at), 0.0, 0.1) for at in range(len(rows))]
    return to_left_out(answers, opacities, rows, TEACHING)


def test_what_is_known_of_slices() -> None:
    rows = [row("covid", "mild"), row("covid", "moderate"), row("other", "normal"), row("other", "likely")]
    found = left_out(rows)
    assert found.clear.tolist() == [False, False, True, False]
    np.testing.assert_allclose(found.doubt, [0.5, 0.2, 0, 0], atol=1e-6)
    known = found.known
    assert known.answers.logits.tolist() == [1, 2, 3]
    assert [one.logit for one in known.opacities] == [1, 2, 3]


def test_a_whole_series_is_taken_in_several_spacings() -> None:
    rows = [row("covid", "mild", "p", at) for at in range(24)]
    series = to_series(left_out(rows), rows)
    assert set(series.kinds) == {SERIES}
    assert len(series.kinds) == 1 + 2 + 4
    expected = [find_ranked(list(range(24))[start::step]) for step in (1, 2, 4) for start in range(step)]
    assert series.answers.logits.tolist() == expected
    # The label is the patient's, so a series does not share the doubts of its slices.
    assert series.doubt.tolist() == [0] * 7
    assert set(series.answers.patients) == {"p"}


def test_neighbours_without_a_patient_make_no_whole_series() -> None:
    rows = [row("covid", number=at) for at in range(30)]
    series = to_series(left_out(rows), rows)
    assert series.kinds == (PSEUDO,) * 3
    assert series.answers.logits.tolist() == [7, 17, 27]


def test_few_slices_stand_for_a_series_where_their_label_is_their_own() -> None:
    rows = [
        row("covid", "", "figure"),
        row("covid", "moderate", "doubted"),
        *(row("covid", "moderate", "three", at) for at in range(3)),
        *(row("other", "tumour", "pair", at) for at in range(2)),
    ]
    series = to_series(left_out(rows), rows)
    assert dict(zip(series.answers.patients, series.answers.logits.tolist(), strict=True)) == {
        "figure": 0,
        "three": 2,
        "pair": 6,
    }
    assert len(series.opacities) == 3


def test_clear_lungs_of_different_patients_make_one_series() -> None:
    rows = [row("other", "normal", f"p{at}") for at in range(2 * BLOCK + 1)]
    series = to_series(left_out(rows), rows)
    assert Counter(series.kinds) == {PSEUDO: 3}
    assert series.clear.all()
    assert series.answers.logits.tolist() == [BLOCK - 3, 2 * BLOCK - 3, 2 * BLOCK]


def test_no_slices_make_no_series() -> None:
    assert to_series(left_out([]), []).kinds == ()
