from __future__ import annotations

import zlib
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from pydicom import uid

from covidct.errors import ReadError, UnsupportedDicom
from covidct.images.dicom import parse_dicom_bytes
from covidct.images.dicom_deflated import inflate
from makers import ct_dataset, dicom_bytes, phantom_hu

HU = phantom_hu()
PLAIN = dicom_bytes(ct_dataset(HU))


def deflated() -> bytes:
    dataset = ct_dataset(HU)
    dataset.file_meta.TransferSyntaxUID = uid.DeflatedExplicitVRLittleEndian
    return dicom_bytes(dataset)


def test_a_deflated_object_is_read() -> None:
    expected, read = (parse_dicom_bytes(data, name="x") for data in (PLAIN, deflated()))
    assert np.array_equal(expected.pixels, read.pixels)
    assert read.source == expected.source


@pytest.mark.parametrize("data", [b"", b"short", PLAIN, PLAIN[:140], bytes(128) + b"DICM" + bytes(8)])
def test_all_else_is_given_back(data: bytes) -> None:
    assert inflate(data, name="x") == data


def test_a_bomb_is_not_inflated() -> None:
    with pytest.raises(UnsupportedDicom, match="x: deflated, and longer than 1,000 bytes"):
        inflate(deflated(), name="x", limit=1000)


def test_damage_is_told() -> None:
    data = deflated()
    with pytest.raises(ReadError, match="cut off"):
        inflate(data[:-50], name="x")
    start = len(data) - len(zlib.compress(b"")) - 400
    with pytest.raises(ReadError, match="x: "):
        inflate(data[:start] + b"\xff" * (len(data) - start), name="x")


def test_what_is_cut_off_in_its_file_meta_is_damaged(tmp_path: Path) -> None:
    for length in range(132, 400, 9):
        with pytest.raises(ReadError, match="x: "):
            parse_dicom_bytes(BytesIO(deflated()).read(length), name="x")
