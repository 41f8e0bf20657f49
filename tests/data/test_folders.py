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


@pytest.mark.parametrize("name", ["Covid", "COVID", "covid ", "covid19", "normal"])
def test_unknown_names_are_listed(tmp_path: Path, name: str) -> None:
    put(tmp_path, "covid/a.png", f"{name}/b.png", "zebra/c.png")
    with pytest.raises(ManifestError, match=f"{name}, zebra") as caught:
        read_folder(tmp_path, PLAN)
    assert "--positive" in str(caught.value)


def test_names_of_ones_own_are_declared(tmp_path: Path) -> None:
    put(tmp_path, "CT_COVID/a.png", "CT_NonCOVID/b.png")
    plan = DataPlan(positive=("CT_COVID",), negative=("CT_NonCOVID",))
    assert [row.label for row in read_folder(tmp_path, plan).rows] == ["CT_COVID", "CT_NonCOVID"]


def test_loose_slices_are_told(tmp_path: Path) -> None:
    put(tmp_path, "covid/a.png", "loose.png")
    with pytest.raises(ManifestError, match=r"1 slices? lies? outside of the class folders.*loose\.png"):
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
