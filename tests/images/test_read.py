from __future__ import annotations

import gzip
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image
from pydicom import uid

from covidct.errors import ReadError, UnsupportedDicom, UnsupportedImage
from covidct.images.hounsfield import to_display
from covidct.images.phantoms.landscape import draw_picture
from covidct.images.read import parse_slice, read_array, read_slice
from covidct.types import Source
from makers import SERIES_UID, ct_dataset, dicom_bytes, encode, phantom_hu, png_bytes, write_dicom, write_png

HU = phantom_hu()
SHOWN = to_display(HU)


def test_png_and_dicom_show_the_same(tmp_path: Path) -> None:
    from_png = read_slice(write_png(tmp_path / "x.png", SHOWN))
    from_dicom = read_slice(write_dicom(tmp_path / "x.dcm", HU))
    np.testing.assert_array_equal(from_png.pixels, SHOWN)
    np.testing.assert_array_equal(from_dicom.pixels, SHOWN)
    assert from_png.source == Source(path=str(tmp_path / "x.png"))
    assert from_dicom.source == Source(
        path=str(tmp_path / "x.dcm"), series_uid=SERIES_UID, instance_uid=ct_dataset(HU).SOPInstanceUID
    )
    assert from_png.spacing_mm is None
    assert from_dicom.spacing_mm == (0.7, 0.8)


def test_the_name_is_as_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_png(tmp_path / "x.png", SHOWN)
    assert read_slice(tmp_path / "x.png", name="upload 1").source.path == "upload 1"
    monkeypatch.chdir(tmp_path)
    assert read_slice(Path("x.png")).source.path == "x.png"


def test_content_counts_not_the_ending(tmp_path: Path) -> None:
    data = {
        "jpeg.png": encode(Image.fromarray(SHOWN), "JPEG", quality=95),
        "png.dcm": png_bytes(SHOWN),
        "dicom.png": dicom_bytes(ct_dataset(HU)),
        "none": dicom_bytes(ct_dataset(HU)),
    }
    for name, content in data.items():
        (tmp_path / name).write_bytes(content)
        assert np.abs(read_slice(tmp_path / name).pixels.astype(int) - SHOWN).mean() < 4


def test_dicom_that_is_a_tiff_too() -> None:
    """Pathology and some scanners put a TIFF header into the preamble (PS3.10 7.1)."""
    data = b"II*\0" + dicom_bytes(ct_dataset(HU))[4:]
    np.testing.assert_array_equal(parse_slice(data, name="x").pixels, SHOWN)


def test_bare_dicom() -> None:
    data = dicom_bytes(ct_dataset(HU))[132:]  # file meta first
    np.testing.assert_array_equal(parse_slice(data, name="x").pixels, SHOWN)


def test_errors_of_both_kinds_pass_through() -> None:
    with pytest.raises(UnsupportedDicom, match=r"^x: not a CT \(Modality MR"):
        parse_slice(dicom_bytes(ct_dataset(HU, Modality="MR", SOPClassUID=uid.MRImageStorage)), name="x")
    frames = [Image.fromarray(draw_picture(seed=seed, size=20)) for seed in range(3)]
    with pytest.raises(UnsupportedImage, match=r"^x: 3 frames or pages"):
        parse_slice(encode(frames[0], "GIF", save_all=True, append_images=frames[1:]), name="x")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "the file is empty; copy it again"),
        (b"this is no picture", "neither DICOM nor a PNG, JPEG, .*export the slice as DICOM or PNG"),
        (b"%PDF-1.7 ...", "a PDF; export the slice in it as PNG"),
        (b"PK\x03\x04....", "a ZIP archive; unpack it"),
        (b"\x1f\x8b\x08", "gzip-compressed, and in it: neither DICOM nor"),
        (gzip.compress(b"%PDF-1.7 ...", mtime=0), "gzip-compressed, and in it: a PDF; export"),
        (b"version https://git-lfs.github.com/spec/v1\n", "a Git LFS pointer, .*run `git lfs pull`"),
        (b"\x5c\x01\x00\x00" + bytes(348), "a NIfTI volume; read it as a series .*export single slices"),
        (b"ObjectType = Image\nNDims = 3\n", "a MetaImage volume; read it as a series"),
        (b"NRRD0004\ntype: short\n", "an NRRD volume; read it as a series"),
        (b"\x93NUMPY\x01\x00", "a damaged NumPy file"),
        (b"<svg></svg>", "text .*export the slice as PNG"),
        (b"\0\0\0\x18ftypheic", "a HEIC or AVIF picture, or a video; export the slice as PNG or JPEG"),
        (b"\x08\x00\x08\x00CS\x0a\x00not really", "not DICOM"),
        (b"\x89PNG\r\n\x1a\nnot really", "a PNG that is damaged"),
        (b"BMI and age of 40 patients", "a BMP that is damaged"),
    ],
)
def test_other_files(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "scan.png").write_bytes(content)
    with pytest.raises(ReadError, match=f"^scan.png: {message}"):
        read_slice(tmp_path / "scan.png", name="scan.png")


def test_unreadable_paths(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    for path, message in (
        (tmp_path / "missing.png", "no such file; check the path"),
        (tmp_path, "a folder, not a file"),
        (tmp_path / "pipe.png", "not a regular file"),
    ):
        with pytest.raises(ReadError, match=f"^{path}: {message}"):
            read_slice(path)


def test_a_png_costs_no_pydicom(tmp_path: Path) -> None:
    path = write_png(tmp_path / "x.png", SHOWN)
    code = """
import sys; from pathlib import Path; from covidct.images.read import read_slice
read_slice(Path(sys.argv[1]))
print(sorted({"pydicom", "gdcm", "torch", "onnxruntime"} & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", code, path], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_array_of_grey_levels() -> None:
    read = read_array(SHOWN, name="mine")
    np.testing.assert_array_equal(read.pixels, SHOWN)
    assert read.source == Source(path="mine")
    assert read.pixels is not SHOWN
    assert read_array(SHOWN).source.path == "array"


@settings(deadline=None, max_examples=25)
@given(
    st.sampled_from([np.int16, np.int32, np.int64, np.float32, np.float64, ">i2"]),
    hnp.array_shapes(min_dims=2, max_dims=2, max_side=9),
    st.integers(0, 99),
)
def test_array_of_hounsfield_units(kind: Any, shape: tuple[int, ...], seed: int) -> None:
    hu = np.random.default_rng(seed).integers(-1024, 2000, shape)
    hu[0, 0] = -900
    read = read_array(hu.astype(kind))
    np.testing.assert_array_equal(read.pixels, to_display(hu))


def test_arrays_in_any_memory_layout() -> None:
    np.testing.assert_array_equal(read_array(HU[::2, ::-1].T).pixels, SHOWN[::2, ::-1].T)
    np.testing.assert_array_equal(read_array(HU.tolist()).pixels, SHOWN)
    assert read_array(SHOWN.T).pixels.flags.c_contiguous
    assert read_array(HU.T).pixels.flags.c_contiguous


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros((3, 4, 4), np.uint8), r"shape \(3, 4, 4\); give one grey slice \(H, W\) at a time"),
        (np.zeros((4, 4, 1), np.uint8), r"shape \(4, 4, 1\)"),
        (np.zeros(4, np.uint8), r"shape \(4,\)"),
        (np.uint8(3), r"shape \(\)"),
        (np.zeros((0, 4), np.uint8), "4 x 0 pixels: the picture is empty"),
        (np.broadcast_to(np.uint8(0), (60_000, 60_000)), "60000 x 60000 pixels, but at most"),
        (np.zeros((4, 4), np.uint16), "type uint16; give uint8 .* or signed integers or floats"),
        (np.zeros((4, 4), bool), "type bool"),
        (np.zeros((4, 4), complex), "type complex128"),
        (np.array([["a", "b"]]), "type <U1"),
        (np.array([[None, None]]), "type object"),
        ([[1, 2], [3]], "cannot be made into an array"),
        (np.array([[np.nan, -1000.0]]), "holds NaN or infinity"),
        (np.array([[np.inf, -1000.0]]), "holds NaN or infinity"),
        (
            SHOWN.astype(np.int16),
            r"int16 values from \d+ to 255 do not look like Hounsfield units .*as uint8",
        ),
        (SHOWN / 255.0, r"float64 values from .* to 1 do not look like Hounsfield units"),
        ((SHOWN - 120.0) / 60, "float64 values from .* do not look like Hounsfield units"),
    ],
)
def test_other_arrays(array: Any, message: str) -> None:
    with pytest.raises(ReadError, match=f"^mine: {message}"):
        read_array(array, name="mine")


def test_real_figures(shared_data: Path) -> None:
    files = [path for path in sorted((shared_data / "covid-ct").rglob("*")) if path.is_file()]
    assert len(files) == 543
    for path in files:
        pixels = read_slice(path).pixels
        assert pixels.ndim == 2
        assert pixels.dtype == np.uint8
        assert pixels.std() > 5


def test_real_dicom(shared_data: Path) -> None:
    path = sorted((shared_data / "dicom" / "lung-pet-ct-dx").rglob("*.dcm"))[0]
    assert read_slice(path).source.series_uid
