from __future__ import annotations

import pytest

from covidct.evaluation.sections import Scored, Section, Tally, to_groups, to_sections
from covidct.stats.resampling import Resampling

POSITIVE, NEGATIVE, INDETERMINATE = "positive", "negative", "indeterminate"


def make_row(
    label: int, probability: float, *, source: str = "one", patient: str = "p", decision: str | None = None
) -> Scored:
    return Scored("a.png", label, source, patient, probability, decision)


def measure(rows: list[Scored]) -> tuple[Section, ...]:
    return to_sections(rows, threshold=0.5, resampling=Resampling(50))


def test_groups_are_patients_within_their_source() -> None:
    rows = [
        make_row(1, 0.5, patient="p1", source="one"),
        make_row(1, 0.5, patient="p1", source="two"),
        make_row(1, 0.5, patient="", source="one"),
        make_row(1, 0.5, patient="", source="one"),
        make_row(1, 0.5, patient="p1", source="one"),
    ]
    assert to_groups(rows).tolist() == [0, 1, 2, 3, 0]
    overall = measure(rows)[0]
    assert (overall.evaluation.patients, overall.patients, overall.unidentified) == (4, 2, 2)


def test_neighbours_that_stand_in_for_a_patient_are_not_called_one() -> None:
    groups = ["one/covid/neighbours-0000", "one/covid/neighbours-0000", "one/non-covid/neighbours-0000"]
    rows = [make_row(y, 0.5, patient=name) for y, name in zip((1, 1, 0), groups, strict=True)]
    overall = measure([*rows, make_row(0, 0.1, patient="one/p1")])[0]
    assert (overall.patients, overall.unidentified, overall.stand_ins) == (1, 3, 2)
    expected = "no patient ids for 3 of 4 slices: neighbours in number count as one patient, 2 in all"
    assert overall.notes == (expected,)


def test_sections_are_all_then_each_source() -> None:
    rows = [make_row(i % 2, 0.1 * i, patient=f"p{i}", source="ba"[i % 2]) for i in range(6)]
    sections = measure(rows)
    assert [section.name for section in sections] == ["overall", "a", "b"]
    assert [section.evaluation.n for section in sections] == [6, 3, 3]
    assert sections[0].labels.tolist() == [0, 1, 0, 1, 0, 1]
    assert sections[0].probabilities.tolist() == [row.probability for row in rows]


def test_a_source_may_be_called_overall() -> None:
    sections = measure([make_row(1, 0.9, source="overall"), make_row(0, 0.1, source="other")])
    assert [section.name for section in sections] == ["overall", "other", "overall"]


def test_decisions_are_counted_and_the_decided_measured() -> None:
    rows = [
        make_row(1, 0.9, decision=POSITIVE, patient="a"),
        make_row(1, 0.8, decision=POSITIVE, patient="b"),
        make_row(1, 0.4, decision=INDETERMINATE, patient="c"),
        make_row(0, 0.55, decision=INDETERMINATE, patient="d"),
        make_row(0, 0.1, decision=NEGATIVE, patient="e"),
        make_row(0, 0.9, decision=POSITIVE, patient="f"),
    ]
    decisions = measure(rows)[0].decisions
    assert decisions is not None
    assert (decisions.positive, decisions.negative) == (Tally(2, 1), Tally(0, 1))
    assert decisions.indeterminate == Tally(1, 1)
    assert decisions.indeterminate_share == pytest.approx(2 / 6)
    assert decisions.decided.n == 4
    assert decisions.decided.metrics["sensitivity"].value == 1
    assert decisions.decided.metrics["specificity"].value == 0.5
    assert "auc" not in decisions.decided.metrics


def test_no_decisions() -> None:
    assert measure([make_row(1, 0.9), make_row(0, 0.1)])[0].decisions is None


def test_all_indeterminate() -> None:
    decisions = measure([make_row(y, 0.5, decision=INDETERMINATE) for y in (0, 1)])[0].decisions
    assert decisions is not None
    assert decisions.indeterminate_share == 1
    assert decisions.decided.metrics["accuracy"].reason == "undefined: no slices"


@pytest.mark.parametrize(
    ("patients", "labels", "notes"),
    [
        ("ab", (1, 0), ()),
        (("", ""), (1, 0), ("no patient ids: intervals over slices, too narrow",)),
        (
            ("one/covid/neighbours-0000",) * 2,
            (1, 1),
            (
                "COVID-19 slices only: sensitivity only, AUC is undefined",
                "no patient ids: neighbours in number count as one patient, 1 in all",
            ),
        ),
        (("a", ""), (1, 0), ("no patient ids for 1 of 2 slices: intervals too narrow",)),
        ("ab", (0, 0), ("no COVID-19 slices: specificity only, AUC is undefined",)),
        ("ab", (1, 1), ("COVID-19 slices only: sensitivity only, AUC is undefined",)),
    ],
)
def test_notes(patients: tuple[str, str], labels: tuple[int, int], notes: tuple[str, ...]) -> None:
    rows = [make_row(y, 0.5, patient=patient) for patient, y in zip(patients, labels, strict=True)]
    section = measure(rows)[0]
    assert section.notes == notes
    assert section.has_both_classes == (labels == (1, 0))


def test_wrong_rows() -> None:
    with pytest.raises(ValueError, match="no scored slices"):
        measure([])
    with pytest.raises(ValueError, match=r"a\.png: decision 'maybe' is not one of positive"):
        measure([make_row(1, 0.5, decision="maybe")])
    with pytest.raises(ValueError, match="probability nan"):
        measure([make_row(1, float("nan"))])
    with pytest.raises(ValueError, match="labels must be"):
        measure([make_row(2, 0.5)])
