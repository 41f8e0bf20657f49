from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from covidct.data.folders import read_data, read_folder
from covidct.data.manifest import DataPlan
from covidct.errors import ManifestError
from makers import write_png

PLAN = DataPlan()
BLACK = np.zeros((32, 32), np.uint8)


def put(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        write_png(folder / name, BLACK)
    return folder


def test_the_label_is_the_folders_exact_name_never_part_of_the_path(tmp_path: Path) -> None:
    folder = put(
        tmp_path / "covid_data", "covid/a.png", "non-covid/covid-1.png", "non-covid/deeper/covid/b.png"
    )
    manifest = read_folder(folder, PLAN)
    assert {manifest.name(row): row.label for row in manifest.rows} == {
        "covid/a.png": "covid",
        "non-covid/covid-1.png": "non-covid",
        "non-covid/deeper/covid/b.png": "non-covid",
    }
    assert {row.source for row in manifest.rows} == {"covid_data"}


@pytest.mark.parametrize(
    ("positive", "negative"),
    [
        ("COVID", "NonCOVID"),
        ("Covid", "Non-Covid"),
        ("CT_COVID", "CT_NonCOVID"),
        ("covid19", "normal"),
        ("COVID-19", "Healthy"),
        ("positive", "negative"),
        ("1", "0"),
        ("covid", "Normal"),
    ],
)
def test_the_names_people_use_are_guessed_and_said(
    tmp_path: Path, positive: str, negative: str, capsys: pytest.CaptureFixture[str]
) -> None:
    put(tmp_path, f"{positive}/a.png", f"{negative}/b.png")
    labels = {row.path.name: row.label for row in read_folder(tmp_path, PLAN).rows}
    assert labels == {"a.png": "covid", "b.png": "non-covid"}
    said = capsys.readouterr().err
    assert f"{negative} = not COVID-19" in said
    assert (f"{positive} = COVID-19" in said) == (positive != "covid")


@pytest.mark.parametrize(
    "names",
    [
        ("COVID", "Normal", "Viral Pneumonia"),
        ("COVID", "Normal", "NonCOVID"),
        ("covid", "positive"),
        ("CovidStudyPatients", "normal"),
        ("Covid_suspected", "no suspicion of covid"),
        ("1", "2"),
    ],
)
def test_what_could_mean_anything_is_asked_about(tmp_path: Path, names: tuple[str, ...]) -> None:
    put(tmp_path, *(f"{name}/{at}.png" for at, name in enumerate(names)))
    with pytest.raises(ManifestError, match="it is not clear which") as caught:
        read_folder(tmp_path, PLAN)
    assert all(name in str(caught.value) for name in names)
    assert "--positive NAME and --negative NAME" in str(caught.value)


def test_three_classes_are_read_once_their_meaning_is_said(tmp_path: Path) -> None:
    put(tmp_path, "COVID/a.png", "Normal/b.png", "Viral Pneumonia/c.png")
    plan = PLAN.with_labels(["COVID"], ["Normal", "Viral Pneumonia"])
    assert [row.label for row in read_folder(tmp_path, plan).rows] == ["COVID", "Normal", "Viral Pneumonia"]


def test_one_name_of_ones_own_is_enough_where_the_other_can_be_told(tmp_path: Path) -> None:
    put(tmp_path, "krank/a.png", "normal/b.png")
    plan = PLAN.with_labels(["krank"], [])
    assert [row.label for row in read_folder(tmp_path, plan).rows] == ["krank", "non-covid"]


def test_train_val_and_test_are_splits(tmp_path: Path) -> None:
    put(tmp_path, *(f"{split}/{name}/{split}.png" for split in ("train", "val", "test") for name in "10"))
    splits = {(row.path.stem, row.label): row.split for row in read_folder(tmp_path, PLAN).rows}
    assert splits == {
        (name, label): split
        for name, split in (("train", "train"), ("val", "tune"), ("test", "test"))
        for label in ("covid", "non-covid")
    }


def test_without_val_some_of_train_is_spared_to_tune_on(tmp_path: Path) -> None:
    put(
        tmp_path,
        *(f"{split}/{name}/a.png" for split in ("Training", "Testing") for name in ("COVID", "normal")),
    )
    assert {row.split for row in read_folder(tmp_path, PLAN).rows} == {"", "test"}


def test_a_class_beside_a_split_is_told(tmp_path: Path) -> None:
    put(tmp_path, "train/covid/a.png", "covid/b.png")
    with pytest.raises(ManifestError, match="covid beside train: is it a class or a split"):
        read_folder(tmp_path, PLAN)


def test_clutter_is_passed_over(tmp_path: Path) -> None:
    put(tmp_path, "covid/a.png", "__MACOSX/covid/._a.png", ".ipynb_checkpoints/x.png", "covid/.DS_Store.png")
    (tmp_path / "notes").mkdir()
    (tmp_path / ".DS_Store").touch()
    assert [row.path.name for row in read_folder(tmp_path, PLAN).rows] == ["a.png"]


@pytest.mark.parametrize(
    "names", [("data/train/a/a.png", "data/val/a/b.png"), ("data/COVID/a.png", "data/Normal/b.png")]
)
def test_the_folder_inside_an_archives_own_is_named(tmp_path: Path, names: tuple[str, ...]) -> None:
    put(tmp_path, *names)
    with pytest.raises(ManifestError, match=f"it is not clear which.*or give {tmp_path / 'data'}$"):
        read_folder(tmp_path, PLAN)


def test_names_of_ones_own_are_declared(tmp_path: Path) -> None:
    put(tmp_path, "CT_COVID/a.png", "CT_NonCOVID/b.png")
    plan = DataPlan(positive=("CT_COVID",), negative=("CT_NonCOVID",))
    assert [row.label for row in read_folder(tmp_path, plan).rows] == ["CT_COVID", "CT_NonCOVID"]


def test_loose_slices_are_told(tmp_path: Path) -> None:
    put(tmp_path, "covid/a.png", "loose.png")
    with pytest.raises(ManifestError, match=r"slices outside the class folders \(1, such as loose\.png"):
        read_folder(tmp_path, PLAN)


@pytest.mark.parametrize("names", [(), ("covid/readme.txt",), (".hidden/a.png",)])
def test_a_folder_without_slices_is_told(tmp_path: Path, names: tuple[str, ...]) -> None:
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("no slice")
    with pytest.raises(ManifestError, match="no slices in sub-folders named covid, non-covid, no-lesion"):
        read_folder(tmp_path, PLAN)


def test_the_digest_follows_what_is_listed(tmp_path: Path) -> None:
    first = read_folder(put(tmp_path, "covid/a.png"), PLAN).digest
    assert read_folder(tmp_path, PLAN).digest == first
    assert read_folder(put(tmp_path, "covid/b.png"), PLAN).digest != first


def test_read_data_takes_either(tmp_path: Path) -> None:
    put(tmp_path, "covid/a.png")
    (tmp_path / "data.csv").write_text("path,label\ncovid/a.png,covid\n")
    for data in (tmp_path, tmp_path / "data.csv"):
        assert [row.label for row in read_data(data, PLAN).rows] == ["covid"]


def test_masks_inside_a_class_folder_are_no_slices(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("COVID/images/1.png", "COVID/masks/1.png", "Normal/2.png", "Normal/Lung_Masks/2.png"):
        put(tmp_path, name)
    rows = read_folder(tmp_path, PLAN).rows
    assert [row.path.relative_to(tmp_path).as_posix() for row in rows] == [
        "COVID/images/1.png",
        "Normal/2.png",
    ]
    told = capsys.readouterr().err
    assert "Read as masks, not as slices: 1 in " in told
    assert str(Path("COVID") / "masks") in told


def test_a_class_of_nothing_but_a_folder_called_as_masks_keeps_its_slices(tmp_path: Path) -> None:
    for name in ("COVID/lung/1.png", "Normal/lung/2.png"):
        put(tmp_path, name)
    assert len(read_folder(tmp_path, PLAN).rows) == 2


def test_of_two_classes_the_one_that_is_not_said_to_be_positive_is_negative(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    put(tmp_path, "新冠/a.png", "正常/b.png")
    said = DataPlan().with_labels(("新冠",), ())
    assert [row.label for row in read_folder(tmp_path, said).rows] == ["新冠", "non-covid"]
    assert "正常 = not COVID-19" in capsys.readouterr().err
    put(tmp_path, "肺炎/c.png")
    with pytest.raises(ManifestError, match="it is not clear"):
        read_folder(tmp_path, said)
