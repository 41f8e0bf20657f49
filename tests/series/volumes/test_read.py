"""MetaImage, NRRD and NumPy files, alone and with their voxels beside them."""

from __future__ import annotations

import gzip
import io
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from itertools import permutations, product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from covidct.errors import ReadError
from covidct.images.hounsfield import to_display
from covidct.images.numpy_file import parse_numpy
from covidct.series.slices import read_instance
from covidct.series.study import read_study
from covidct.series.types import Series, Study
from stacks import volume

SLICES = volume(4)
EXPECTED = [to_display(hu) for hu in SLICES]
# Axes to the left, the back and the head (LPS), as MetaImage counts them and as rows and columns run.
LPS = np.stack([hu.T for hu in SLICES], axis=-1)
ZOOMS = (0.7, 0.8, 5.0)
UNTURNED = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))


def metaimage(
    values: NDArray[Any] = LPS, *, axes: Sequence[Sequence[float]] = UNTURNED, **changes: str | None
) -> bytes:
    """An `.mha`; `axes` are the directions of the stored axes."""
    fields = {
        "ObjectType": "Image",
        "NDims": "3",
        "BinaryData": "True",
        "BinaryDataByteOrderMSB": "False",
        "CompressedData": "False",
        "TransformMatrix": " ".join(f"{part:g}" for axis in axes for part in axis),
        "ElementSpacing": " ".join(f"{part:g}" for part in np.abs(np.array(axes)) @ ZOOMS),
        "DimSize": " ".join(map(str, values.shape)),
        "ElementType": {"i": "MET_SHORT", "u": "MET_USHORT", "f": "MET_FLOAT"}[values.dtype.kind],
        **{key: value for key, value in changes.items() if key != "ElementDataFile"},
        "ElementDataFile": changes.get("ElementDataFile", "LOCAL"),
    }
    voxels = values.tobytes(order="F")
    if fields["CompressedData"] == "True":
        voxels = zlib.compress(voxels)
    header = "".join(f"{key} = {value}\n" for key, value in fields.items() if value is not None)
    return header.encode() + (voxels if fields["ElementDataFile"] == "LOCAL" else b"")


def nrrd(
    values: NDArray[Any] = LPS, *, axes: Sequence[Sequence[float]] = UNTURNED, **changes: str | None
) -> bytes:
    directions = [
        f"({','.join(f'{part:g}' for part in np.array(axis) * (np.abs(axis) @ ZOOMS))})" for axis in axes
    ]
    fields = {
        "type": {"i": "short", "u": "unsigned short", "f": "float"}[values.dtype.kind],
        "dimension": "3",
        "space": "left-posterior-superior",
        "sizes": " ".join(map(str, values.shape)),
        "space directions": " ".join(directions),
        "kinds": "domain domain domain",
        "endian": "little",
        "encoding": "raw",
        **{key.replace("_", " "): value for key, value in changes.items()},
    }
    voxels = values.tobytes(order="F")
    if fields["encoding"] == "gzip":
        voxels = gzip.compress(voxels)
    header = "".join(f"{key}: {value}\n" for key, value in fields.items() if value is not None)
    return b"NRRD0004\n# made by a test\n" + header.encode() + b"\n" + voxels


def npy(values: NDArray[Any]) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, values)
    return buffer.getvalue()


def npz(**arrays: Any) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()


def only(study: Study) -> Series:
    assert (len(study.series), study.refused, study.loose, study.skipped) == (1, (), (), ())
    return study.series[0]


def check(series: Series) -> None:
    for instance, pixels in zip(series.instances, EXPECTED, strict=True):
        assert np.array_equal(read_instance(instance).pixels, pixels)


def error_of(name: str, data: bytes) -> str:
    study = read_study([(name, data)])
    assert (study.series, study.refused, len(study.loose)) == ((), (), 1)
    with pytest.raises(ReadError) as caught:
        read_instance(study.loose[0])
    return str(caught.value)


WHOLE: Mapping[str, bytes] = {
    "v.mha": metaimage(),
    "deflated.mha": metaimage(CompressedData="True"),
    "big.mha": metaimage(LPS.astype(">i2"), BinaryDataByteOrderMSB="True"),
    "float.mha": metaimage(LPS.astype("<f4")),
    "v.nrrd": nrrd(),
    "v.nrrd.gz": gzip.compress(nrrd()),
    "packed.nrrd": nrrd(encoding="gzip"),
    "big.nrrd": nrrd(LPS.astype(">i2"), endian="big"),
    "float.nrrd": nrrd(LPS.astype("<f4"), type="float"),
    "int16.nrrd": nrrd(type="int16_t"),
}


@pytest.mark.parametrize("name", list(WHOLE))
def test_a_volume_is_a_series(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(WHOLE[name])
    for given in ([tmp_path / name], [tmp_path], [(name, WHOLE[name])]):
        series = only(read_study(given))
        check(series)
        assert series.notes == ()
        assert series.acquisition.spacing_mm == pytest.approx(5)
        assert series.acquisition.pixel_spacing_mm == pytest.approx((0.8, 0.7))


@pytest.mark.parametrize("signs", list(product((1, -1), repeat=3)))
@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_any_orientation_is_the_same_series(order: tuple[int, ...], signs: tuple[int, ...]) -> None:
    values = LPS.transpose(order)[tuple(slice(None, None, sign) for sign in signs)]
    axes = (np.eye(3)[list(order)] * np.array(signs)[:, None]).tolist()
    check(only(read_study([("v.mha", metaimage(values, axes=axes))])))
    check(only(read_study([("v.nrrd", nrrd(values, axes=axes))])))


def test_other_spaces_of_an_nrrd() -> None:
    for space, signs in (("right-anterior-superior", (-1, -1, 1)), ("LAS", (1, -1, 1))):
        check(only(read_study([("v.nrrd", nrrd(axes=np.diag(signs).tolist(), space=space))])))


def test_voxels_beside_a_header(tmp_path: Path) -> None:
    headers = {
        "a.mhd": metaimage(ElementDataFile="a.raw"),
        "b.mhd": metaimage(ElementDataFile="b.raw", HeaderSize="-1"),
        "c.mhd": metaimage(ElementDataFile="b.raw", HeaderSize="3"),
        "d.nhdr": nrrd(data_file="a.raw"),
    }
    voxels = LPS.tobytes(order="F")
    (tmp_path / "a.raw").write_bytes(voxels)
    (tmp_path / "b.raw").write_bytes(b"abc" + voxels)
    for name, data in headers.items():
        (tmp_path / name).write_bytes(data)
        check(only(read_study([tmp_path / name])))
        assert "its voxels are in another file" in error_of(name, data)
    assert len(read_study([tmp_path], all_series=True).series) == len(headers)


@pytest.mark.parametrize("where", ["../a.raw", "/etc/passwd", "LIST", "slice%03d.raw 1 4 1"])
def test_voxels_lie_beside_the_header_or_nowhere(tmp_path: Path, where: str) -> None:
    (tmp_path / "a.raw").write_bytes(LPS.tobytes(order="F"))
    (tmp_path / "f").mkdir()
    (tmp_path / "f" / "v.mhd").write_bytes(metaimage(ElementDataFile=where))
    (instance,) = read_study([tmp_path / "f" / "v.mhd"]).loose
    with pytest.raises(ReadError, match="its voxels are in another file"):
        read_instance(instance)


def test_voxels_that_are_not_there(tmp_path: Path) -> None:
    (tmp_path / "v.mhd").write_bytes(metaimage(ElementDataFile="a.raw"))
    (instance,) = read_study([tmp_path / "v.mhd"]).loose
    with pytest.raises(ReadError, match=r"a\.raw, which holds its voxels, is not beside it"):
        read_instance(instance)


OBLIQUE = [[1.0, 0.0, 0.0], [0.0, 0.7, -0.71], [0.0, 0.71, 0.7]]
CUT = nrrd().partition(b"\n\n")[0]


@pytest.mark.parametrize(
    ("name", "data", "words"),
    [
        ("mask.mha", metaimage((LPS > 0).astype("<i2")), "do not look like Hounsfield units"),
        ("raw.nrrd", nrrd((LPS + 1024).astype("<u2")), "do not look like Hounsfield units"),
        ("cut.mha", metaimage()[:-100], "the header claims 32,768 bytes of voxels, and 32,668 are there"),
        ("cut.nrrd", nrrd()[:-100], "the header claims 32,768 bytes of voxels, and 32,668 are there"),
        ("huge.mha", metaimage(DimSize="9000 9000 9000"), "the header claims 1,458,000,000,000 bytes"),
        ("huge.nrrd", nrrd(sizes="9000 9000 9000"), "the header claims 1,458,000,000,000 bytes"),
        ("huge.mha", metaimage(DimSize="900 900 900", CompressedData="True"), "claims 1,458,000,000 bytes"),
        ("short.mha", metaimage(HeaderSize="-1")[:-100], "32,668 are there"),
        ("word.mha", metaimage(HeaderSize="all"), "a MetaImage header that cannot be read (invalid literal"),
        ("minus.mha", metaimage(DimSize="-64 -64 4"), "give one grey volume of three dimensions"),
        ("zero.nrrd", nrrd(sizes="0 64 4"), "give one grey volume of three dimensions"),
        ("four.nrrd", nrrd(sizes="64 64 2 2"), "give one grey volume of three dimensions"),
        ("rgb.mha", metaimage(ElementNumberOfChannels="3"), "give one grey volume of three dimensions"),
        ("text.mha", metaimage(BinaryData="False"), "as text or of another kind"),
        ("type.mha", metaimage(ElementType="MET_LONG_LONG"), "a MetaImage of MET_LONG_LONG"),
        ("no.mha", metaimage(DimSize=None), r"a MetaImage header that cannot be read ('DimSize')"),
        ("no.mha", b"NDims = 3\nDimSize = 1 1 1\n", "no ElementDataFile"),
        ("plane.mha", metaimage(axes=OBLIQUE), "an oblique volume"),
        ("plane.nrrd", nrrd(axes=OBLIQUE), "an oblique volume"),
        ("flat.mha", metaimage(TransformMatrix="0 0 0 0 0 0 0 0 0"), "an affine without directions"),
        ("space.nrrd", nrrd(space=None), "an affine without directions"),
        ("directions.nrrd", nrrd(space_directions="none (1,0,0) (0,1,0)"), "an affine without directions"),
        ("nan.nrrd", nrrd(space_directions="(nan,0,0) (0,1,0) (0,0,1)"), "an affine without directions"),
        ("text.nrrd", nrrd(encoding="ascii"), "encoding ascii, or with data skipped, which is not read"),
        ("skip.nrrd", nrrd(byte_skip="-1"), "with data skipped, which is not read"),
        ("block.nrrd", nrrd(type="block"), "an NRRD of type block"),
        ("word.nrrd", nrrd(sizes="many"), "an NRRD header that cannot be read (invalid literal"),
        ("head.nrrd", CUT, "the header claims 32,768 bytes of voxels, and 0 are there"),
        ("bad.mha", metaimage(CompressedData="true"), "damaged zlib data"),
        ("bad.nrrd", nrrd(encoding="gz"), "the header claims 32,768 bytes of voxels, and 0 are there"),
    ],
)
def test_what_is_no_ct_is_an_error(name: str, data: bytes, words: str) -> None:
    message = error_of(name, data)
    assert message.startswith(f"{name}: ")
    assert words in message


STACK = np.stack(SLICES)


def test_an_array_is_a_series_that_says_what_is_not_known(tmp_path: Path) -> None:
    for at, values in enumerate((STACK, STACK.astype("<f4"), np.asfortranarray(STACK), STACK.astype(">i2"))):
        series = only(read_study([(f"{at}.npy", npy(values))]))
        check(series)
        assert [note.code for note in series.notes] == ["unplaced"]
        assert series.acquisition.pixel_spacing_mm is None
        assert read_instance(series.instances[0]).spacing_mm is None
    (tmp_path / "scan.npz").write_bytes(npz(ct=STACK))
    check(only(read_study([tmp_path])))


def test_an_array_of_one_slice_is_a_slice() -> None:
    (instance,) = read_study([("s.npy", npy(SLICES[0]))]).loose
    assert np.array_equal(read_instance(instance).pixels, EXPECTED[0])
    (instance,) = read_study([("s.npz", npz(shown=EXPECTED[1]))]).loose
    assert np.array_equal(read_instance(instance).pixels, EXPECTED[1])


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (npy(STACK.transpose(1, 2, 0)), "save the volume as (slices, rows, columns)"),
        (npy(STACK[None]), "save the volume as (slices, rows, columns)"),
        (npy(STACK[:0]), "save the volume as (slices, rows, columns)"),
        (npy(STACK.astype(np.float32) / 4096), "do not look like Hounsfield units"),
        (npy((STACK > 0)[0]), "a NumPy array of bool"),
        (npy(np.array([[{}]], object)), "a NumPy array of object"),
        (npy(STACK)[:-4], "the header claims 32,768 bytes, but there are 32,764"),
        (npy(STACK).replace(b"(4, 64, 64)", b"(4, 9*9,9)"), "a damaged NumPy file"),
        (npy(STACK)[:30], "a damaged NumPy file"),
        (npy(SLICES[0][0]), "save the volume as (slices, rows, columns)"),
    ],
)
def test_arrays_that_are_no_ct(data: bytes, words: str) -> None:
    message = error_of("v.npy", data)
    assert message.startswith("v.npy: ")
    assert words in message


def test_a_zip_of_arrays_is_named_as_one() -> None:
    with zipfile.ZipFile(io.BytesIO(npz(a=STACK))) as archive:
        assert archive.namelist() == ["a.npy"]
    study = read_study([("both.npz", npz(a=STACK, mask=(STACK > 0).astype(np.uint8)))])
    assert (len(study.series), len(study.loose)) == (1, 1)


def test_a_shape_with_a_side_below_nought_is_damage() -> None:
    stream = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        stream, {"descr": "<i2", "fortran_order": False, "shape": (3, 16, -1)}
    )
    with pytest.raises(ReadError, match="damaged NumPy file"):
        parse_numpy(stream.getvalue() + bytes(4096), name="x.npy")
