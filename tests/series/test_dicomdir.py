from __future__ import annotations

from pathlib import Path

import pytest

from covidct.errors import ReadError
from covidct.series.dicomdir import read_dicomdir
from covidct.series.slices import read_instance
from covidct.series.study import read_study
from stacks import contents, save, stack, volume

SLICES = volume(4)


def write_medium(folder: Path, listed: list[list[str]]) -> Path:
    (folder / "DICOMDIR").write_bytes(contents(listed))
    return folder / "DICOMDIR"


@pytest.fixture
def medium(tmp_path: Path) -> Path:
    """A medium with one series, its files named as the standard wants."""
    names = [f"IM{at}" for at in range(4)]
    save(tmp_path / "m" / "DICOM" / "ST1", stack(SLICES), names)
    return write_medium(tmp_path / "m", [["DICOM", "ST1", name] for name in names])


def test_a_medium_is_read(medium: Path) -> None:
    study = read_study([medium])
    (series,) = study.series
    assert (len(series.instances), series.path, study.loose) == (4, str(medium), ())
    assert all(item.path.startswith(str(medium.parent)) for item in series.instances)
    assert read_study([medium.parent]).series[0].uid == series.uid


@pytest.mark.parametrize("rename", ["{}.dcm", "{}.IMA", "{};1", "{}.;1", "{}."])
def test_names_with_endings_and_versions_are_found(medium: Path, rename: str) -> None:
    folder = medium.parent / "DICOM"
    folder.rename(folder.with_name("Dicom"))
    for path in sorted((medium.parent / "Dicom" / "ST1").iterdir()):
        path.rename(path.with_name(rename.format(path.name.title())))
    (series,) = read_study([medium]).series
    assert len(series.instances) == 4
    contents = medium.rename(medium.with_name("dicomdir.;1"))
    assert len(read_study([contents]).series[0].instances) == 4
    assert read_study([medium.parent]).skipped == (str(contents),)


def test_names_in_small_letters_are_found(medium: Path) -> None:
    for path in sorted(medium.parent.rglob("*"), reverse=True):
        if path != medium:
            path.rename(path.with_name(path.name.lower()))
    assert len(read_study([medium]).series[0].instances) == 4


def test_a_missing_file_is_an_error(medium: Path) -> None:
    next(path for path in medium.parent.rglob("IM*") if path.is_file()).unlink()
    study = read_study([medium])
    assert len(study.series[0].instances) == 3
    with pytest.raises(ReadError, match="no such file"):
        read_instance(study.loose[0])


@pytest.mark.parametrize("parts", [["..", "OUTSIDE"], [".", "A"], ["/ETC/PASSWD"]])
def test_it_may_not_point_elsewhere(tmp_path: Path, parts: list[str]) -> None:
    medium = write_medium(tmp_path, [parts])
    with pytest.raises(ReadError, match="points out of its folder"):
        read_dicomdir(medium, name="DICOMDIR")


def test_one_that_lists_nothing(tmp_path: Path) -> None:
    with pytest.raises(ReadError, match="lists no images"):
        read_dicomdir(write_medium(tmp_path, []), name="DICOMDIR")


@pytest.mark.parametrize("data", [b"x" * 200, bytes(128) + b"DICM", b""])
def test_damage_is_told(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "DICOMDIR").write_bytes(data)
    study = read_study([tmp_path / "DICOMDIR"])
    with pytest.raises(ReadError, match="DICOMDIR"):
        read_instance(study.loose[0])


def test_a_nul_in_a_name_is_told_when_the_file_is_read(tmp_path: Path) -> None:
    """Of a folder, too, in which neighbours are then looked for."""
    study = read_study([write_medium(tmp_path, [["DI\0COM", "IM1"], ["IM\0"]])])
    assert len(study.loose) == 2
    for instance in study.loose:
        with pytest.raises(ReadError):
            read_instance(instance)
