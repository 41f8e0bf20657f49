from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from covidct.data.manifest import DataPlan, Row
from covidct.data.masks import find_turns
from covidct.errors import ManifestError
from covidct.evaluation.examination.examined_slice import (
    PHANTOM,
    draw_examined_slices,
    read_examined_slice,
    stretch,
    to_hu,
)
from covidct.images.hounsfield import to_display
from figures.examined_slices import make_examined_slice, write_masked
from makers import phantom_hu, write_dicom


@pytest.mark.parametrize("turn", [0, 1, 3])
def test_a_row_with_its_masks(tmp_path: Path, turn: int) -> None:
    rows = write_masked(tmp_path, turn=turn, count=1)
    examined = read_examined_slice(rows[0], "masked/0", DataPlan(), turns=find_turns(rows))
    wanted = make_examined_slice(seed=0)
    assert (examined.label, examined.source, examined.is_hu) == (1, "masked", False)
    assert examined.lungs is not None
    assert examined.lesions is not None
    assert (examined.lungs == wanted.lungs).all()
    assert (examined.lesions == wanted.lesions).all()


def test_dicom_brings_hounsfield_units(tmp_path: Path) -> None:
    hu = phantom_hu()
    row = Row(write_dicom(tmp_path / "slice.dcm", hu), "", "dicom", "", "", "")
    examined = read_examined_slice(row, "p", DataPlan(), turns={})
    assert examined.is_hu
    assert examined.label is None
    assert (examined.hu == np.maximum(hu, -1024)).all()
    assert examined.lungs is None


def test_grey_levels_are_taken_for_the_lung_window() -> None:
    greys = np.arange(256, dtype=np.uint8).reshape(16, 16)
    assert (to_display(to_hu(greys)) == greys).all()


def test_a_broken_file_or_mask_is_named(tmp_path: Path) -> None:
    rows = write_masked(tmp_path, count=1)
    (tmp_path / "lung" / rows[0].path.name).write_bytes(b"no picture")
    with pytest.raises(ManifestError, match="repair the mask"):
        read_examined_slice(rows[0], "p", DataPlan(), turns={})
    rows[1].path.write_bytes(b"no picture")
    with pytest.raises(ManifestError, match="remove its line"):
        read_examined_slice(rows[1], "p", DataPlan(), turns={})


def test_drawn_pairs_are_one_patient() -> None:
    sick, well = draw_examined_slices(1)
    assert sick.patient == well.patient
    assert (sick.source, sick.label, well.label) == (PHANTOM, 1, 0)
    assert well.lesions is not None
    assert not well.lesions.any()


def test_stretch_goes_to_the_nearest_pixel() -> None:
    mask = np.array([[True, False], [False, True]])
    assert (stretch(mask, (4, 6)) == np.kron(mask, np.ones((2, 3), bool))).all()
    assert (stretch(stretch(mask, (4, 6)), (2, 2)) == mask).all()
