"""Which files are answered together: whatever `covidct predict` would look at together."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from covidct.apps.archive.grouping import Group, find_groups, pack, read_index
from covidct.apps.archive.index import IndexJob, to_job
from covidct.apps.archive.listing import list_inputs
from covidct.apps.archive.table import Table
from makers import write_png
from stacks import save, stack, volume

NONE = np.zeros(0, np.int32)


def group(folder: Path, out: Path) -> list[Group]:
    files = list(list_inputs([str(folder)]))
    IndexJob(str(out), 0).start()(to_job(files))
    return list(find_groups(read_index(Table(str(out)))))


def count(folder: Path, out: Path) -> list[int]:
    return sorted(len(one.row) for one in group(folder, out))


def test_series_of_one_study_go_together_and_others_do_not(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    save(folder / "a", stack(volume(3)))
    save(folder / "b", stack(volume(4), series="1.2.9"))
    save(folder / "c", stack(volume(2), series="1.2.8", StudyInstanceUID="1.2.7"))
    write_png(folder / "d.png", np.zeros((64, 64), np.uint8))
    write_png(folder / "e.png", np.zeros((64, 64), np.uint8))
    assert count(folder, tmp_path / "out") == [1, 1, 2, 7]


def test_a_series_of_two_studies_joins_them(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    save(folder / "a", stack(volume(2)))
    save(folder / "b", stack(volume(2), StudyInstanceUID="1.2.7"))
    save(folder / "c", stack(volume(2), series="1.2.8", StudyInstanceUID="1.2.7"))
    assert count(folder, tmp_path / "out") == [6]


@pytest.mark.parametrize("bond", [{"FrameOfReferenceUID": "1.2.5"}, {"PatientID": "P1"}])
def test_slices_with_uids_of_their_own_go_together_where_something_binds_them(
    tmp_path: Path, bond: dict[str, str]
) -> None:
    datasets = stack(volume(4))
    for at, dataset in enumerate(datasets):
        dataset.StudyInstanceUID, dataset.SeriesInstanceUID = f"1.2.{at + 1}", f"1.3.{at + 1}"
    save(tmp_path / "free", datasets)
    assert count(tmp_path / "free", tmp_path / "one") == [1, 1, 1, 1]
    for dataset in datasets:
        for keyword, value in bond.items():
            setattr(dataset, keyword, value)
    save(tmp_path / "bound", datasets)
    assert count(tmp_path / "bound", tmp_path / "two") == [4]


def test_whole_series_are_no_lone_slices(tmp_path: Path) -> None:
    """One patient's studies are groups of their own, or an archive of one `anonymous` would be one group."""
    save(tmp_path / "in" / "a", stack(volume(2), PatientID="P", FrameOfReferenceUID="1.2.5"))
    other = stack(volume(2), series="1.9", StudyInstanceUID="1.8", PatientID="P", FrameOfReferenceUID="1.2.5")
    save(tmp_path / "in" / "b", other)
    assert count(tmp_path / "in", tmp_path / "out") == [2, 2]


def test_a_groups_name_depends_on_its_files_alone(tmp_path: Path) -> None:
    save(tmp_path / "in", stack(volume(3)))
    (first,), (again,) = group(tmp_path / "in", tmp_path / "one"), group(tmp_path / "in", tmp_path / "two")
    assert first.name == again.name
    (tmp_path / "in" / "IM0003").touch()
    (changed,) = group(tmp_path / "in", tmp_path / "three")
    assert changed.name != first.name


def test_an_empty_folder_has_no_groups(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    assert group(tmp_path / "in", tmp_path / "out") == []


def test_units_hold_whole_groups() -> None:
    groups = [Group(str(at), at, NONE, NONE, instances) for at, instances in enumerate((3, 3, 9, 1))]
    assert [[one.name for one in unit] for unit in pack(groups, instances=5)] == [["0", "1"], ["2"], ["3"]]
