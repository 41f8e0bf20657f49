from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom import uid

from covidct.errors import ReadError
from covidct.images.blob import FileBlob
from covidct.images.hounsfield import to_display
from covidct.series.headers import describe
from covidct.series.slices import read_instance
from covidct.series.study import read_study
from covidct.series.values import Series
from covidct.types import Reason
from makers import dicom_bytes, transcode
from stacks import enhanced, volume

SLICES = volume(5)


def write(path: Path, **tags: Any) -> Path:
    path.write_bytes(dicom_bytes(enhanced(SLICES, **tags)))
    return path


def check_pixels(series: Series) -> None:
    for instance, hu in zip(series.instances, SLICES, strict=True):
        assert np.array_equal(read_instance(instance).pixels, to_display(hu))


def test_frames_make_a_series(tmp_path: Path) -> None:
    path = write(tmp_path / "volume")
    for given in (tmp_path, path):
        study = read_study([given])
        (series,) = study.series
        assert (study.loose, study.refused, series.notes, series.path) == ((), (), (), str(given))
        assert [item.frame for item in series.instances] == [5, 4, 3, 2, 1]
        assert {item.sop_class_uid for item in series.instances} == {uid.EnhancedCTImageStorage}
        assert series.acquisition.spacing_mm == 5
        assert series.acquisition.pixel_spacing_mm == (0.7, 0.7)
        check_pixels(series)


@pytest.mark.parametrize(
    "syntax", ["JPEG2000Lossless", "JPEGLSLossless", "JPEGLosslessProcess14_1", "RLELossless"]
)
def test_compressed_frames(tmp_path: Path, syntax: str) -> None:
    path = transcode(write(tmp_path / "raw"), tmp_path / "packed", syntax)
    (series,) = read_study([path]).series
    check_pixels(series)


def test_a_deflated_volume_and_one_in_memory(tmp_path: Path) -> None:
    dataset = enhanced(SLICES)
    (series,) = read_study([("upload", dicom_bytes(dataset))]).series
    check_pixels(series)
    dataset.file_meta.TransferSyntaxUID = uid.DeflatedExplicitVRLittleEndian
    (series,) = read_study([("upload", dicom_bytes(dataset))]).series
    check_pixels(series)


def test_implicit_and_big_endian(tmp_path: Path) -> None:
    dataset = enhanced(SLICES)
    dataset.file_meta.TransferSyntaxUID = uid.ImplicitVRLittleEndian
    (series,) = read_study([("upload", dicom_bytes(dataset))]).series
    check_pixels(series)


def test_a_volume_that_is_cut_off_says_which_frame(tmp_path: Path) -> None:
    path = write(tmp_path / "volume")
    path.write_bytes(path.read_bytes()[:-100])
    (series,) = read_study([path]).series
    with pytest.raises(ReadError, match="frame 5 is cut off"):
        read_instance(series.instances[0])
    assert read_instance(series.instances[-1]).pixels.shape == (64, 64)


def test_a_volume_without_places_is_refused(tmp_path: Path) -> None:
    dataset = enhanced(SLICES)
    for frame in dataset.PerFrameFunctionalGroupsSequence:
        del frame.PlanePositionSequence
    (tmp_path / "v.dcm").write_bytes(dicom_bytes(dataset))
    study = read_study([tmp_path])
    assert study.refused[0].reason is Reason.MIXED_GEOMETRY
    # Its frames may still be slices.
    assert [item.frame for item in study.loose] == [1, 2, 3, 4, 5]
    assert np.array_equal(read_instance(study.loose[0]).pixels, to_display(SLICES[-1]))


def test_pixels_are_not_in_memory(tmp_path: Path) -> None:
    path = write(tmp_path / "volume")
    described = describe(FileBlob(path, "v"), given="v")
    assert all(len(str(item)) < 3000 for item in described)
    path.unlink()
    with pytest.raises(OSError, match="volume"):
        read_instance(described[0].instance)
