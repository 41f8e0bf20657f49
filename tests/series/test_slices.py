from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from covidct.errors import ReadError
from covidct.images.blob import MemoryBlob
from covidct.images.hounsfield import to_display
from covidct.series.slices import name_given, read_given, read_hounsfield
from covidct.series.types import Instance
from covidct.types import Slice, Turn
from makers import ct_dataset, dicom_bytes, phantom_hu, png_bytes, write_png

HU = phantom_hu()
SHOWN = to_display(HU)
BLOB = MemoryBlob("b", dicom_bytes(ct_dataset(HU)))


def test_every_kind_is_read(tmp_path: Path) -> None:
    path = write_png(tmp_path / "a.png", SHOWN)
    instance = Instance("b", None, "1.2", 0.0, turn=Turn(True), blob=BLOB)
    item = read_given(instance)
    assert (item.source.path, item.source.instance_uid, item.turn) == ("b", "1.2", Turn(True))
    assert read_given(item) is item
    for given, name in (
        (path, str(path)),
        (str(path), str(path)),
        (HU, "array"),
        (instance, "b"),
        (item, "b"),
    ):
        assert np.array_equal(read_given(given).pixels, SHOWN)
        assert name_given(given) == name


def test_what_is_no_slice() -> None:
    with pytest.raises(TypeError, match="not int"):
        read_given(3)  # type: ignore[arg-type]
    with pytest.raises(ReadError, match="nothing to read pixels from"):
        read_given(Instance("b", None, None, None))
    assert isinstance(read_given(Instance("b", None, None, None, blob=BLOB)), Slice)


def test_hounsfield_units_are_those_of_dicom_alone() -> None:
    hu = read_hounsfield(Instance("b", None, None, None, turn=Turn(True), blob=BLOB))
    assert hu is not None
    assert np.array_equal(hu, HU)
    bare = MemoryBlob("bare", dicom_bytes(ct_dataset(HU))[128 + 4 :])
    assert read_hounsfield(Instance("bare", None, None, None, blob=bare)) is not None
    for data in (png_bytes(SHOWN), b"notes"):
        assert read_hounsfield(Instance("c", None, None, None, blob=MemoryBlob("c", data))) is None
    cut = MemoryBlob("cut", dicom_bytes(ct_dataset(HU))[:2000])
    with pytest.raises(ReadError, match=r"damaged|cut off"):
        read_hounsfield(Instance("cut", None, None, None, blob=cut))
    with pytest.raises(ReadError, match="nothing to read pixels from"):
        read_hounsfield(Instance("d", None, None, None))
