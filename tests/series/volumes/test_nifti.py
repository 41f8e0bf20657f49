from __future__ import annotations

import gzip
import struct
import sys
import tracemalloc
from itertools import product
from pathlib import Path

import nibabel
import numpy as np
import pytest

from covidct.errors import ReadError
from covidct.images.hounsfield import to_display
from covidct.series.slices import read_instance
from covidct.series.study import read_study
from covidct.series.volumes import read
from covidct.series.volumes.nifti import parse_nifti
from stacks import volume

SLICES = volume(4)
# Axes to the right, the front and the head, as NIfTI counts them.
RAS = np.stack([hu[::-1, ::-1].T for hu in SLICES], axis=-1)
AFFINE = np.diag([0.7, 0.8, 5.0, 1.0])


def save(
    path: Path, values: np.ndarray[tuple[int, ...], np.dtype[np.generic]] = RAS, affine: object = AFFINE
) -> Path:
    nibabel.save(nibabel.Nifti1Image(values, affine), path)  # type: ignore[no-untyped-call]
    return path


def turned(axes: tuple[int, ...], signs: tuple[int, ...]) -> tuple[object, object]:
    """The same volume stored along other axes."""
    values = RAS[tuple(slice(None, None, sign) for sign in signs)].transpose(axes)
    affine = np.eye(4)
    affine[:3, :3] = (np.diag([0.7, 0.8, 5.0]) * signs)[:, axes]
    return values, affine


@pytest.mark.parametrize("name", ["v.nii", "v.nii.gz"])
def test_a_volume_is_a_series(tmp_path: Path, name: str) -> None:
    path = save(tmp_path / name)
    for given in ([path], [tmp_path], [(name, path.read_bytes())]):
        study = read_study(given)
        (series,) = study.series
        assert (study.loose, study.refused, study.skipped, series.notes) == ((), (), (), ())
        assert series.acquisition.spacing_mm == pytest.approx(5)
        assert series.acquisition.pixel_spacing_mm == pytest.approx((0.8, 0.7))
        assert series.acquisition.series_uid is None
        for instance, hu in zip(series.instances, SLICES, strict=True):
            assert np.array_equal(read_instance(instance).pixels, to_display(hu))
            assert read_instance(instance).source.path == instance.path


def test_voxels_are_in_memory_once() -> None:
    data = nibabel.Nifti1Image(np.zeros((256, 256, 64), np.int16), AFFINE).to_bytes()  # type: ignore[no-untyped-call]
    parse_nifti(data, name="v.nii")  # what is imported then does not count
    tracemalloc.start()
    try:
        volume = parse_nifti(data, name="v.nii")
        assert tracemalloc.get_traced_memory()[1] < len(data) / 10
    finally:
        tracemalloc.stop()
    assert volume.values.shape == (256, 256, 64)


@pytest.mark.parametrize("signs", list(product((1, -1), repeat=3)))
@pytest.mark.parametrize("axes", [(0, 1, 2), (2, 1, 0), (1, 2, 0)])
def test_any_orientation_is_the_same_series(
    tmp_path: Path, axes: tuple[int, ...], signs: tuple[int, ...]
) -> None:
    values, affine = turned(axes, signs)
    (series,) = read_study([save(tmp_path / "v.nii", values, affine)]).series  # type: ignore[arg-type]
    for instance, hu in zip(series.instances, SLICES, strict=True):
        assert np.array_equal(read_instance(instance).pixels, to_display(hu))


def test_a_scale_is_applied(tmp_path: Path) -> None:
    image = nibabel.Nifti1Image((RAS + 1024).astype(np.uint16), AFFINE)  # type: ignore[no-untyped-call]
    image.header.set_slope_inter(1, -1024)  # type: ignore[no-untyped-call]
    nibabel.save(image, tmp_path / "v.nii")
    (series,) = read_study([tmp_path]).series
    assert np.array_equal(read_instance(series.instances[0]).pixels, to_display(SLICES[0]))


@pytest.mark.parametrize(
    ("values", "affine", "words"),
    [
        ((RAS > 0).astype(np.uint8), AFFINE, "do not look like Hounsfield units"),
        ((RAS + 1024).astype(np.int16), AFFINE, "do not look like Hounsfield units"),
        (np.full((4, 4, 4), np.nan, np.float32), AFFINE, "do not look like Hounsfield units"),
        (np.stack([RAS, RAS], axis=-1), AFFINE, "give one grey volume of three dimensions"),
        (RAS, None, "an affine without directions"),
        (RAS, [[0.7, 0, 0, 0], [0, 0.6, 3, 0], [0, -0.6, 4, 0], [0, 0, 0, 1]], None),
        (RAS, [[0.7, 0, 0, 0], [0, 0.5, 3.6, 0], [0, -0.5, 3.5, 0], [0, 0, 0, 1]], "an oblique volume"),
    ],
)
def test_what_is_no_ct_is_an_error(
    tmp_path: Path,
    values: np.ndarray[tuple[int, ...], np.dtype[np.generic]],
    affine: object,
    words: str | None,
) -> None:
    study = read_study(
        [save(tmp_path / "v.nii.gz", values, affine if affine is None else np.asarray(affine, float))]
    )
    if words is None:
        assert len(study.series) == 1
        return
    assert study.series == ()
    with pytest.raises(ReadError, match=words):
        read_instance(study.loose[0])


def test_damage_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole, packed = save(tmp_path / "v.nii").read_bytes(), save(tmp_path / "v.nii.gz").read_bytes()
    for name, data, words in (
        ("v.nii", whole[:5000], "cut off: the header claims 32,768 bytes of voxels, and 4,648 are there"),
        ("v.nii.gz", packed[:5000], "gzip that is cut off"),
        ("v.nii.gz", packed[:200] + b"\xff" * 400 + packed[600:], "damaged"),
        ("v.nii.gz", gzip.compress(b"text"), "gzip-compressed, and in it: neither"),
    ):
        study = read_study([(name, data)])
        with pytest.raises(ReadError, match=words):
            read_instance(study.loose[0])
    monkeypatch.setattr(read, "MAX_VOLUME", 10_000)
    with pytest.raises(ReadError, match="more than 10,000 bytes"):
        read_instance(read_study([("v.nii.gz", packed)]).loose[0])


def test_without_the_extra_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = save(tmp_path / "v.nii.gz")
    monkeypatch.delitem(sys.modules, "covidct.series.volumes.nifti")
    monkeypatch.setitem(sys.modules, "nibabel", None)
    with pytest.raises(ReadError, match=r"a NIfTI volume .*pip install '\.\[nifti\]'"):
        read_instance(read_study([path]).loose[0])


def test_a_header_that_claims_more_than_there_is_fills_no_memory(tmp_path: Path) -> None:
    data = bytearray(save(tmp_path / "v.nii").read_bytes())
    struct.pack_into("<4h", data, 40, 3, 2000, 2000, 1500)
    for name, content in (("v.nii", bytes(data)), ("v.nii.gz", gzip.compress(bytes(data)))):
        with pytest.raises(ReadError, match="cut off: the header claims 12,000,000,000 bytes"):
            read_instance(read_study([(name, content)]).loose[0])


def test_members_of_gzip_and_gzip_under_another_name(tmp_path: Path) -> None:
    whole = save(tmp_path / "v.nii").read_bytes()
    for name in ("v.nii.gz", "v.nii", "v"):
        packed = gzip.compress(whole[:9000]) + gzip.compress(whole[9000:])
        (series,) = read_study([(name, packed)]).series
        assert np.array_equal(read_instance(series.instances[0]).pixels, to_display(SLICES[0]))


def test_nan_is_air(tmp_path: Path) -> None:
    values = RAS.astype(np.float32)
    values[:3] = np.nan
    path = save(tmp_path / "v.nii", values)
    (series,) = read_study([path]).series
    hu = SLICES[0].copy()
    hu[:, -3:] = -1024
    assert np.array_equal(read_instance(series.instances[0]).pixels, to_display(hu))
    empty = save(tmp_path / "nan.nii", np.full_like(values, np.nan))
    with pytest.raises(ReadError, match="values from nan to nan do not look like Hounsfield units"):
        read_instance(read_study([empty]).loose[0])
