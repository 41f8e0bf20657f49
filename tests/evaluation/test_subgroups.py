from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from covidct.data.manifest import Row
from covidct.evaluation.sections import Scored
from covidct.evaluation.subgroups import UNKNOWN, describe_file, measure_subgroups, to_age_group, to_sex
from makers import write_png


def row(path: Path, **columns: str) -> Row:
    return Row(path, "covid", "north", "", "", "", **columns)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("age", "group"),
    [("64", "below 65 years"), ("065Y", "65 years and over"), ("", UNKNOWN), ("old", UNKNOWN)],
)
def test_ages(age: str, group: str) -> None:
    assert to_age_group(row(Path("x"), age=age)) == group


@pytest.mark.parametrize(
    ("sex", "group"), [("f", "F"), ("Male", "M"), ("", UNKNOWN), ("O", UNKNOWN), ("1", UNKNOWN)]
)
def test_sexes(sex: str, group: str) -> None:
    assert to_sex(row(Path("x"), sex=sex)) == group


def test_what_a_file_gives_away(tmp_path: Path) -> None:
    full = np.zeros((300, 200), np.uint8)
    full[100:200, 50:150] = 120
    write_png(tmp_path / "full.png", full)
    Image.fromarray(np.full((299, 299), 90, np.uint8)).save(tmp_path / "cropped.jpg")
    assert describe_file(tmp_path / "full.png") == {
        "Longer side": "300 pixels or more",
        "Format": "PNG",
        "Border": "mostly black (full field)",
    }
    assert describe_file(tmp_path / "cropped.jpg") == {
        "Longer side": "below 300 pixels",
        "Format": "JPEG",
        "Border": "not black (cropped)",
    }
    (tmp_path / "broken.png").write_bytes(b"nothing")
    assert set(describe_file(tmp_path / "broken.png").values()) == {UNKNOWN}


def test_groupings_that_divide_the_slices_are_measured(tmp_path: Path) -> None:
    rows, scored = [], []
    for number in range(8):
        path = tmp_path / f"{number}.png"
        write_png(path, np.full((40, 40), 100, np.uint8))
        rows.append(row(path, sex="FM"[number % 2], age="50"))
        # Right for women, the other way round for men.
        label = number // 2 % 2
        probability = 0.9 if label == 1 - number % 2 else 0.1
        scored.append(Scored(str(path), label, "north", f"patient {number}", probability))
    found = measure_subgroups(scored, rows, threshold=0.5)
    assert set(found) == {"Sex"}
    women, men = found["Sex"]
    assert (women.name, women.evaluation.n, men.name, men.evaluation.n) == ("F", 4, "M", 4)
    assert (women.evaluation.metrics["auc"].value, men.evaluation.metrics["auc"].value) == (1.0, 0.0)
