from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from covidct.data.manifest import Row
from covidct.errors import ManifestError
from covidct.evaluation.calibration.copies import join_copies
from figures.hospitals import to_slice


@pytest.fixture
def rows(tmp_path: Path) -> list[Row]:
    """Three pictures, and the first one again, enlarged and as JPEG."""
    random = np.random.default_rng(1)
    for number in range(3):
        Image.fromarray(to_slice(60, random)).save(tmp_path / f"{number}.png")
    with Image.open(tmp_path / "0.png") as picture:
        picture.resize((96, 96)).save(tmp_path / "3.jpg", quality=95)
    names = ("0.png", "1.png", "2.png", "3.jpg")
    return [Row(tmp_path / name, "covid", "ward", f"p{at}", "", "") for at, name in enumerate(names)]


def test_copies_without_ids_count_as_one_patient(rows: list[Row]) -> None:
    nameless = [replace(row, patient_id="") for row in rows]
    assert join_copies(nameless, ("a", "b", "c", "d")) == ("a", "b", "c", "a")


def test_a_copy_under_another_id_is_named(rows: list[Row]) -> None:
    with pytest.raises(ManifestError, match=r"3\.jpg: is a copy of .*0\.png, under another patient"):
        join_copies(rows, ("p0", "p1", "p2", "p3"))


def test_copies_of_one_patient_are_none_of_its_business(rows: list[Row]) -> None:
    assert join_copies(rows, ("p0", "p1", "p2", "p0")) == ("p0", "p1", "p2", "p0")


def test_one_file_listed_under_two_patients_is_named(rows: list[Row]) -> None:
    with pytest.raises(ManifestError, match="under another patient"):
        join_copies([rows[0], replace(rows[0], patient_id="p9")], ("p0", "p9"))
