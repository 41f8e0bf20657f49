from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom import uid
from pydicom.dataelem import RawDataElement
from pydicom.tag import Tag

from covidct.errors import ForeignDicom, ReadError
from covidct.images import limits
from covidct.images.blob import FileBlob
from covidct.images.hounsfield import to_display
from covidct.series.headers import describe
from covidct.series.slices import read_instance
from covidct.series.study import read_study
from covidct.series.types import Series
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


def test_what_is_no_ct_is_refused_as_what_it_is(tmp_path: Path) -> None:
    dataset = enhanced(SLICES)
    dataset.Modality, dataset.SOPClassUID = "SEG", uid.SegmentationStorage
    path = tmp_path / "seg.dcm"
    path.write_bytes(dicom_bytes(dataset))
    for instance in read_study([path]).loose:
        with pytest.raises(ForeignDicom, match=r"not a CT \(Modality SEG, Segmentation Storage\)"):
            read_instance(instance)
    assert read_study([path]).refused[0].reason is Reason.NOT_CT


def test_pixels_are_not_in_memory(tmp_path: Path) -> None:
    path = write(tmp_path / "volume")
    described = describe(FileBlob(path, "v"), given="v")
    assert all(len(str(item)) < 3000 for item in described)
    path.unlink()
    with pytest.raises(ReadError, match=r"v: frame 1: .*No such file"):
        read_instance(described[0].instance)


@pytest.mark.filterwarnings("ignore")
def test_changed_bytes_are_an_error_if_anything() -> None:
    whole = dicom_bytes(enhanced(SLICES))
    rng = np.random.default_rng(22)
    for _ in range(150):
        data = bytearray(whole)
        for at in rng.integers(132, 2600, 8):  # the header, where everything is decided
            data[at] = int(rng.integers(256))
        study = read_study([("v.dcm", bytes(data))])
        instances = [item for series in study.series for item in series.instances]
        for instance in (*instances, *study.loose):
            with contextlib.suppress(ReadError):  # and nothing else
                read_instance(instance)


def test_a_syntax_that_is_none_is_one_error() -> None:
    data = dicom_bytes(enhanced(SLICES)).replace(b"1.2.840.10008.1.2.1", b"1.2.840.10008.9.9.9", 1)
    (loose,) = read_study([("v.dcm", data)]).loose
    with pytest.raises(
        ReadError, match=r"v\.dcm: damaged multi-frame DICOM \(TransferSyntaxUID .* is none\)"
    ):
        read_instance(loose)


def test_more_items_than_any_volume_has_are_not_parsed(monkeypatch: pytest.MonkeyPatch) -> None:
    """pydicom takes some microseconds for each, and a file of 256 MB may hold thirty million."""
    monkeypatch.setattr(limits, "MAX_ITEMS", 4)
    study = read_study([("volume", dicom_bytes(enhanced(SLICES)))])
    assert not study.series
    with pytest.raises(ReadError, match=r"volume: damaged DICOM \(far too many items\)"):
        read_instance(study.loose[0])


@pytest.mark.parametrize("keyword", ["PerFrameFunctionalGroupsSequence", "PlanePositionSequence"])
def test_zeros_in_functional_groups_are_not_all_parsed(keyword: str) -> None:
    """pydicom parses a sequence of known length where it is looked at, and takes zeros for items."""
    dataset = enhanced(SLICES)
    target = dataset if keyword.startswith("PerFrame") else dataset.PerFrameFunctionalGroupsSequence[0]
    zeros = bytes(400_000)
    target[keyword] = RawDataElement(Tag(keyword), "SQ", len(zeros), zeros, 0, False, True)
    (loose,) = read_study([("volume", dicom_bytes(dataset))]).loose
    with pytest.raises(ReadError, match=r"volume: damaged DICOM \(far too many items\)"):
        read_instance(loose)
