from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from covidct.data.manifest import SPLITS, DataPlan, Row, read_manifest, select_rows
from covidct.data.split import assign_splits, count_splits, divide_groups, fit_block, join_groups, to_groups


def make_row(
    name: str, label: str = "covid", *, source: str = "here", patient: str = "", split: str = ""
) -> Row:
    return Row(Path(name), label, source, patient, split, "")


def make_patients(
    count: int, label: str, *, source: str = "here", slices: int = 4, split: str = ""
) -> list[Row]:
    return [
        make_row(
            f"{source}/{label}/{patient}-{number}.png",
            label,
            source=source,
            patient=f"{label}-{patient}",
            split=split,
        )
        for patient in range(count)
        for number in range(slices)
    ]


def to_shares(rows: Iterable[Row]) -> dict[str, float]:
    counts = Counter(row.split for row in rows)
    return {split: count / counts.total() for split, count in counts.items()}


def to_answer(rows: Iterable[Row]) -> dict[Path, str]:
    return {row.path: row.split for row in rows}


@st.composite
def row_sets(draw: st.DrawFn, *, given: Sequence[str] = ("",)) -> tuple[Row, ...]:
    """Rows of up to three sources; a patient's slices may differ in label, but not in split."""
    splits: dict[tuple[str, str], str] = {}
    rows = []
    for number in range(draw(st.integers(1, 60))):
        source, patient = draw(st.sampled_from("abc")), draw(st.sampled_from(("", "1", "2", "3", "10", "x")))
        label = draw(st.sampled_from(("covid", "non-covid", "no-lesion")))
        split = splits.setdefault((source, patient or f"{number}"), draw(st.sampled_from(tuple(given))))
        rows.append(
            make_row(f"{source}/slice{number}.png", label, source=source, patient=patient, split=split)
        )
    return tuple(rows)


PLANS = st.builds(
    DataPlan,
    tune=st.sampled_from((0.0, 0.15, 0.5)),
    calibrate=st.sampled_from((0.0, 0.1, 0.4)),
    block=st.integers(1, 9),
    seed=st.integers(0, 99),
)


@settings(deadline=None, max_examples=25)
@given(rows=row_sets(given=("", "", "train", "tune", "test")), plan=PLANS)
def test_no_patient_is_in_two_splits(rows: tuple[Row, ...], plan: DataPlan) -> None:
    patients = defaultdict(set)
    for row in assign_splits(rows, plan):
        assert row.split in SPLITS
        if row.patient_id:
            patients[row.source, row.patient_id].add(row.split)
    assert all(len(splits) == 1 for splits in patients.values())


@settings(deadline=None, max_examples=25)
@given(rows=row_sets(), plan=PLANS)
def test_no_group_is_in_two_splits(rows: tuple[Row, ...], plan: DataPlan) -> None:
    splits = defaultdict(set)
    groups = to_groups(rows, block=fit_block(rows, plan))
    for row, group in zip(assign_splits(rows, plan), groups, strict=True):
        splits[group].add(row.split)
    assert all(len(some) == 1 for some in splits.values())


@settings(deadline=None, max_examples=25)
@given(rows=row_sets(given=("", "train", "tune", "test", "external", "calibrate")), plan=PLANS)
def test_given_splits_are_kept(rows: tuple[Row, ...], plan: DataPlan) -> None:
    for before, after in zip(rows, assign_splits(rows, plan), strict=True):
        if before.split == "train":
            assert after.split in ("train", "calibrate")
        elif before.split:
            assert after == before
        assert (before.path, before.label, before.note) == (after.path, after.label, after.note)


@settings(deadline=None, max_examples=25)
@given(rows=row_sets(given=("", "train", "tune")), plan=PLANS, seed=st.integers(0, 99))
def test_the_order_of_rows_does_not_matter(rows: tuple[Row, ...], plan: DataPlan, seed: int) -> None:
    shuffled = list(rows)
    random.Random(seed).shuffle(shuffled)
    assert to_answer(assign_splits(shuffled, plan)) == to_answer(assign_splits(rows, plan))


@settings(deadline=None, max_examples=25)
@given(rows=row_sets(), plan=PLANS)
def test_each_source_and_label_stays_in_train(rows: tuple[Row, ...], plan: DataPlan) -> None:
    cells = {(row.source, row.label) for row in rows}
    answer = assign_splits(rows, plan)
    assert {(row.source, row.label) for row in answer if row.split == "train"} == cells


def test_the_last_patient_stays_in_train() -> None:
    rows = [*make_patients(1, "covid"), *make_patients(2, "non-covid")]
    answer = assign_splits(rows, DataPlan(tune=0.5, calibrate=0.49))
    assert {row.label for row in answer if row.split == "train"} == {"covid", "non-covid"}


@pytest.mark.parametrize("seed", range(5))
def test_shares_by_source_and_label(seed: int) -> None:
    rows = [
        row
        for source in "ab"
        for label in ("covid", "non-covid")
        for row in make_patients(60, label, source=source)
    ]
    answer = assign_splits(rows, DataPlan(tune=0.15, calibrate=0.1, seed=seed))
    for cell in {(row.source, row.label) for row in rows}:
        shares = to_shares(row for row in answer if (row.source, row.label) == cell)
        assert shares["tune"] == pytest.approx(0.15, abs=0.02)
        assert shares["calibrate"] == pytest.approx(0.1 * 0.85, abs=0.02)  # of what tune leaves
    assert to_answer(assign_splits(rows, DataPlan(seed=seed + 1))) != to_answer(answer)


def test_no_share_takes_nothing() -> None:
    answer = assign_splits(make_patients(20, "covid"), DataPlan(tune=0, calibrate=0))
    assert to_shares(answer) == {"train": 1.0}


def test_calibrate_comes_from_train_alone() -> None:
    rows = [row for split in ("train", "tune", "test") for row in make_patients(20, split, split=split)]
    answer = assign_splits(rows, DataPlan(tune=0.5, calibrate=0.2))
    assert {row.label for row in answer if row.split == "calibrate"} == {"train"}
    # Nothing is without a split, so nothing new is set aside for tune.
    assert Counter(row.split for row in answer if row.label != "train") == {"tune": 80, "test": 80}


def test_a_patient_that_the_manifest_divides_stays_as_it_is() -> None:
    rows = [
        make_row(f"{split}{i}.png", patient="p", split=split)
        for split in ("train", "test", "")
        for i in range(2)
    ]
    rows += make_patients(9, "covid")
    answer = assign_splits(rows, DataPlan(tune=0.3, calibrate=0.3))
    # What has no split joins the part that nothing is learned from.
    assert [row.split for row in answer[:6]] == ["train", "train", "test", "test", "test", "test"]


def test_a_patient_with_several_labels_stays_together() -> None:
    rows = [
        make_row(f"{patient}-{label}.png", label, patient=f"{patient}")
        for patient in range(30)
        for label in ("covid", "no-lesion")
    ]
    answer = assign_splits(rows, DataPlan(tune=0.3, calibrate=0.3))
    assert {row.split for row in answer} == {"train", "tune", "calibrate"}
    assert all(first.split == second.split for first, second in zip(answer[::2], answer[1::2], strict=True))


def test_neighbours_in_number_stand_in_for_a_patient() -> None:
    rows = [make_row(f"slice{number}.png") for number in (10, 2, 1, 30, 20, 3)]
    groups = to_groups(rows, block=3)
    assert [groups.index(group) for group in groups] == [0, 1, 1, 0, 0, 1]


def test_the_same_number_in_two_spellings() -> None:
    rows = [make_row(name) for name in ("a02.png", "a2.png", "a1.png", "A2.png")]
    groups = dict(zip((row.path for row in rows), to_groups(rows, block=2), strict=True))
    assert dict(zip((row.path for row in rows[::-1]), to_groups(rows[::-1], block=2), strict=True)) == groups


def test_neighbours_are_of_one_source_and_label() -> None:
    rows = [make_row(f"{i}.png", label, source=source) for i in range(3) for label in "xy" for source in "ab"]
    groups = to_groups(rows, block=50)
    assert len(set(groups)) == 4
    assert len({(row.source, row.label, group) for row, group in zip(rows, groups, strict=True)}) == 4


def test_patients_of_two_sources_are_two() -> None:
    groups = to_groups(
        [make_row("1", source="a", patient="7"), make_row("2", source="b", patient="7")], block=9
    )
    assert len(set(groups)) == 2


def test_counts() -> None:
    rows = [
        make_row("1", split="train"),
        make_row("2", "non-covid", split="train"),
        make_row("3", "no-lesion", split="train"),
        make_row("4", source="there", split="tune"),
    ]
    assert count_splits(rows, DataPlan()) == {"train": {"here": (1, 2)}, "tune": {"there": (1, 0)}}


def test_development_data(shared_data: Path) -> None:
    plan = DataPlan(sources=("covid-ct", "sarscov2-ct", "luna16", "medseg"))
    rows = select_rows(read_manifest(shared_data / "manifest.csv"), plan)
    counts = count_splits(assign_splits(rows, plan), plan)
    assert set(counts["train"]) == set(plan.sources)
    # 1,220 slices without patient ids, in blocks of neighbours: both labels everywhere all the same.
    assert all(min(counts[split]["sarscov2-ct"]) >= 50 for split in ("train", "tune", "calibrate"))


SHARES = {"test": 0.2, "tune": 0.15, "calibrate": 0.1}


def test_groups_are_divided_by_share_in_every_source_and_label() -> None:
    rows = [
        row
        for source in ("north", "south")
        for label in ("covid", "non-covid")
        for row in make_patients(60, label, source=source)
    ]
    divided = divide_groups(rows, to_groups(rows, block=1), SHARES, seed=0)
    for source in ("north", "south"):
        for label in ("covid", "non-covid"):
            shares = to_shares(row for row in divided if (row.source, row.label) == (source, label))
            assert shares == pytest.approx({"train": 0.55} | SHARES, abs=0.02)


@settings(deadline=None, max_examples=25)
@given(rows=row_sets(given=("", "", "train", "tune", "test")), seed=st.integers(0, 9))
def test_divided_groups_stay_whole_and_keep_what_was_given(rows: tuple[Row, ...], seed: int) -> None:
    groups = to_groups(rows, block=3)
    divided = divide_groups(rows, groups, SHARES, seed=seed)
    assert divide_groups(rows, groups, SHARES, seed=seed) == divided
    splits = defaultdict(set)
    for old, new, group in zip(rows, divided, groups, strict=True):
        assert new.split in SPLITS
        assert not old.split or new.split == old.split
        splits[group].add(new.split)
    for group, found in splits.items():
        brought = {row.split for row, name in zip(rows, groups, strict=True) if name == group} - {""}
        assert len(found) == 1 or found <= brought


@pytest.mark.parametrize("shares", [{"test": 1.0}, {"test": 0.6, "tune": 0.5}, {"tune": -0.1}])
def test_shares_must_leave_something_to_train_on(shares: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="leave something for train"):
        divide_groups([], [], shares, seed=0)


def test_groups_that_share_a_picture_become_one() -> None:
    groups = ("b", "a", "c", "d", "e")
    assert join_groups(groups, []) == groups
    assert join_groups(groups, [(0, 1), (3, 2), (2, 3)]) == ("a", "a", "c", "c", "e")
    assert join_groups(groups, [(0, 3), (3, 4), (4, 1)]) == ("a", "a", "c", "a", "a")


def test_copies_stay_with_the_picture_they_were_made_from() -> None:
    originals = [make_row(f"{number}.png") for number in range(6)]
    copies = [
        replace(make_row(f"copies/{number}-{copy}.png"), parent=Path(f"{number}.png"))
        for copy in range(3)
        for number in range(6)
    ]
    groups = to_groups([*originals, *copies], block=1)
    assert groups == groups[:6] * 4
    assert len(set(groups)) == 6
    # Three pictures and all their copies, not three rows, are a block of three.
    assert len(set(to_groups([*originals, *copies], block=3))) == 2


def small_set(each: int, **fields: str) -> list[Row]:
    return [
        make_row(f"{label}/{number}.png", label, **fields)
        for label in ("covid", "non-covid")
        for number in range(each)
    ]


@pytest.mark.parametrize("each", [10, 15, 25, 40, 60, 200])
@pytest.mark.parametrize("plan", [DataPlan(), DataPlan(tune=0.2, test=0.2, calibrate=0)])
def test_both_classes_of_a_small_set_stand_in_every_split(each: int, plan: DataPlan) -> None:
    rows = small_set(each)
    counts = Counter((row.split, row.label) for row in assign_splits(rows, plan))
    wanted = {"train", "tune", "test" if plan.test else "calibrate"}
    assert {split for split, _ in counts} == wanted
    assert all(counts[split, label] for split in wanted for label in ("covid", "non-covid"))
    assert counts["train", "covid"] >= each / 2


def test_blocks_shrink_no_further_than_they_must() -> None:
    plan = DataPlan(tune=0.2, test=0.2, calibrate=0)
    assert fit_block(small_set(25), plan) == 6
    assert fit_block(small_set(1000), plan) == plan.block
    named = [replace(row, patient_id=f"{row.path}") for row in small_set(25)]
    assert fit_block(named, plan) == plan.block


def test_a_test_split_is_drawn_only_where_none_is_brought() -> None:
    plan = DataPlan(tune=0.2, test=0.3, calibrate=0)
    patients = [*make_patients(40, "covid"), *make_patients(40, "non-covid")]
    drawn = to_shares(assign_splits(patients, plan))
    assert drawn["test"] == pytest.approx(0.3, abs=0.03)
    assert drawn["tune"] == pytest.approx(0.2, abs=0.03)
    brought = [*patients, make_row("x.png", patient="x", split="test")]
    assert Counter(row.split for row in assign_splits(brought, plan))["test"] == 1
