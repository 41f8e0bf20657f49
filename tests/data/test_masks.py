from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from covidct.data.manifest import Row
from covidct.data.masks import Mask, find_mask, find_turns, has_mask, read_mask, to_turn
from covidct.errors import ManifestError
from covidct.images.hounsfield import to_display
from covidct.images.phantoms.slice import Phantom, draw_slice
from makers import write_png


def write_slices(folder: Path, *, turn: int = 0, count: int = 3) -> list[Row]:
    """Phantoms with masks beside them, those of lesions turned clockwise by quarter turns."""
    for name in ("image", *Mask):
        (folder / name).mkdir(parents=True)
    rows = []
    for seed in range(count):
        drawn = draw_slice(Phantom.LESIONS, seed=seed, size=96)
        path = write_png(folder / "image" / f"{seed}.png", to_display(drawn.hu))
        write_png(folder / Mask.LUNG / path.name, drawn.lung_mask * np.uint8(255))
        lesions = np.ascontiguousarray(np.rot90(drawn.lesion_mask, -turn))
        write_png(folder / Mask.LESION / path.name, lesions * np.uint8(255))
        rows.append(Row(path, "covid", "drawn", f"{seed}", "tune", ""))
    return rows


def test_masks_lie_beside_their_slices(tmp_path: Path) -> None:
    rows = write_slices(tmp_path)
    assert find_mask(rows[0], Mask.LUNG) == tmp_path / "lung" / "0.png"
    (tmp_path / "infection" / "1.png").unlink()
    assert has_mask(rows, Mask.LESION) == [rows[0], rows[2]]


@pytest.mark.parametrize("turn", range(4))
def test_lesions_are_turned_into_the_lungs(tmp_path: Path, turn: int) -> None:
    rows = write_slices(tmp_path, turn=turn)
    turns = find_turns(rows)
    assert turns == {tmp_path / "infection": turn}
    path = tmp_path / "infection" / "0.png"
    wanted = draw_slice(Phantom.LESIONS, seed=0, size=96).lesion_mask
    given = read_mask(path, side=96, turn=to_turn(path, turns))
    assert ((given > 127) == wanted).all()


def test_without_lungs_nobody_can_tell(tmp_path: Path) -> None:
    rows = write_slices(tmp_path, turn=1)
    for path in (tmp_path / "lung").iterdir():
        path.unlink()
    assert find_turns(rows) == {}
    assert to_turn(tmp_path / "infection" / "0.png", {}) == 0


def test_empty_masks_stay_as_they_are(tmp_path: Path) -> None:
    rows = write_slices(tmp_path)
    for path in (tmp_path / "infection").iterdir():
        write_png(path, np.zeros((96, 96), np.uint8))
    assert find_turns(rows) == {tmp_path / "infection": 0}


def test_a_broken_mask_is_named(tmp_path: Path) -> None:
    rows = write_slices(tmp_path)
    (tmp_path / "infection" / "1.png").write_bytes(b"no picture")
    with pytest.raises(ManifestError, match=r"1\.png.*repair the mask, or remove it"):
        find_turns(rows)
