from __future__ import annotations

import base64
import contextlib
import subprocess
import sys
import threading
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from pydicom import dcmread, uid
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate, get_frame

from covidct.errors import ReadError, UnsupportedDicom
from covidct.images.dicom import parse_dicom, parse_dicom_bytes, read_dicom
from covidct.images.hounsfield import to_display
from makers import (
    SERIES_UID,
    ct_dataset,
    dicom_bytes,
    encode,
    phantom_hu,
    signed_dataset,
    transcode,
    write_dicom,
)

HU = phantom_hu()
SHOWN = to_display(HU)
COMPRESSED = ["JPEGLosslessProcess14_1", "JPEGLosslessProcess14", "JPEGLSLossless", "JPEG2000Lossless"]


def show(dataset: Dataset) -> Any:
    return parse_dicom(dataset, name="x.dcm").pixels


def test_reads_a_file(tmp_path: Path) -> None:
    read = read_dicom(write_dicom(tmp_path / "x.dcm", HU), name="given/x.dcm")
    np.testing.assert_array_equal(read.pixels, SHOWN)
    assert read.source.path == "given/x.dcm"
    assert read.source.series_uid == SERIES_UID
    assert read.source.instance_uid == SERIES_UID + ".1"
    assert read.spacing_mm == (0.7, 0.8)


def test_signed_values_and_slopes() -> None:
    np.testing.assert_array_equal(show(signed_dataset(HU)), SHOWN)
    doubled = signed_dataset(HU, RescaleSlope=0.5, PixelData=(HU * 2).astype("<i2").tobytes())
    np.testing.assert_array_equal(show(doubled), SHOWN)


@settings(deadline=None, max_examples=25)
@given(
    rows=st.integers(1, 9),
    columns=st.integers(1, 9),
    slope=st.sampled_from([0.5, 1, 2]),
    intercept=st.integers(-2048, 0),
    signed=st.booleans(),
    seed=st.integers(0, 99),
)
def test_any_rescale(rows: int, columns: int, slope: float, intercept: int, signed: bool, seed: int) -> None:
    low, high = (-2048, 2048) if signed else (0, 4096)
    stored = np.random.default_rng(seed).integers(low, high, (rows, columns))
    tags = {
        "PixelRepresentation": int(signed),
        "RescaleSlope": slope,
        "RescaleIntercept": intercept,
        "PixelData": stored.astype("<i2").tobytes(),
    }
    np.testing.assert_array_equal(show(ct_dataset(stored, **tags)), to_display(stored * slope + intercept))


def test_monochrome1_does_not_change_hounsfield_units() -> None:
    np.testing.assert_array_equal(show(ct_dataset(HU, PhotometricInterpretation="MONOCHROME1")), SHOWN)


@pytest.mark.parametrize(("vr", "padding"), [("SS", -2000), ("US", 63536)])
def test_padding_is_air(vr: str, padding: int) -> None:
    stored = -HU
    stored[:9] = -2000
    dataset = signed_dataset(stored, RescaleSlope=-1)  # so that padding would be bright
    dataset.add_new("PixelPaddingValue", vr, padding)
    shown = show(dataset)
    assert (shown[:9] == to_display(np.array(-1024))).all()
    np.testing.assert_array_equal(shown[9:], to_display(HU[9:]))


def test_padding_outside_of_the_stored_bits() -> None:
    stored = np.clip(HU.astype(int) + 1024, 0, 4095).astype("<u2")
    stored[:9] = 63536  # 0xF830: without its upper bits 2096, or 1072 HU
    shown = show(ct_dataset(HU, PixelData=stored.tobytes(), PixelPaddingValue=63536))
    assert (shown[:9] == to_display(np.array(-1024))).all()
    np.testing.assert_array_equal(shown[9:], SHOWN[9:])


def test_overlays_in_unused_bits_are_dropped() -> None:
    stored = np.clip(HU.astype(int) + 1024, 0, 4095).astype("<u2")
    stored[::2] |= 0x8000
    np.testing.assert_array_equal(show(ct_dataset(HU, PixelData=stored.tobytes())), SHOWN)


def test_eight_and_thirty_two_bits() -> None:
    stored = np.arange(256, dtype=np.uint8).reshape(16, 16)
    eight = {"BitsAllocated": 8, "BitsStored": 8, "HighBit": 7, "RescaleSlope": 6, "RescaleIntercept": -1350}
    shown = show(ct_dataset(stored, PixelData=stored.tobytes(), **eight))
    np.testing.assert_array_equal(shown, to_display(stored * 6.0 - 1350))
    wide = {"BitsAllocated": 32, "BitsStored": 32, "HighBit": 31}
    np.testing.assert_array_equal(
        show(signed_dataset(HU, PixelData=HU.astype("<i4").tobytes(), **wide)), SHOWN
    )


def test_bytes_after_the_last_pixel_are_harmless() -> None:
    dataset = ct_dataset(HU)
    dataset.PixelData += bytes(len(dataset.PixelData) + 6)
    np.testing.assert_array_equal(show(dataset), SHOWN)


@pytest.mark.parametrize(
    ("syntax", "implicit", "little"),
    [
        (uid.ImplicitVRLittleEndian, True, True),
        (uid.ExplicitVRLittleEndian, False, True),
        (uid.ExplicitVRBigEndian, False, False),
    ],
)
@pytest.mark.parametrize("preamble", [True, False])
def test_byte_orders_with_and_without_preamble(
    syntax: uid.UID, implicit: bool, little: bool, preamble: bool
) -> None:
    dataset = ct_dataset(HU)
    if not little:
        dataset.PixelData = np.frombuffer(dataset.PixelData, "<u2").astype(">u2").tobytes()
    dataset.file_meta.TransferSyntaxUID = syntax
    buffer = BytesIO()
    if not preamble:
        del dataset.file_meta
    dataset.save_as(buffer, implicit_vr=implicit, little_endian=little, enforce_file_format=preamble)
    assert (b"DICM" in buffer.getvalue()) == preamble
    np.testing.assert_array_equal(parse_dicom_bytes(buffer.getvalue(), name="x").pixels, SHOWN)


def test_rle() -> None:
    dataset = ct_dataset(HU)
    dataset.compress(uid.RLELossless)
    np.testing.assert_array_equal(parse_dicom_bytes(dicom_bytes(dataset), name="x").pixels, SHOWN)


@pytest.mark.parametrize("syntax", COMPRESSED)
def test_lossless_compression(tmp_path: Path, syntax: str) -> None:
    path = transcode(write_dicom(tmp_path / "raw.dcm", HU), tmp_path / "x.dcm", syntax)
    np.testing.assert_array_equal(read_dicom(path, name="x").pixels, SHOWN)


@pytest.mark.parametrize("syntax", ["JPEGLSLossless", "JPEG2000Lossless"])
def test_signed_lossless_compression(tmp_path: Path, syntax: str) -> None:
    (tmp_path / "raw.dcm").write_bytes(dicom_bytes(signed_dataset(HU)))
    path = transcode(tmp_path / "raw.dcm", tmp_path / "x.dcm", syntax)
    np.testing.assert_array_equal(read_dicom(path, name="x").pixels, SHOWN)


def test_jpeg_baseline() -> None:
    dataset = ct_dataset(SHOWN, BitsAllocated=8, BitsStored=8, HighBit=7, RescaleSlope=1500 / 255)
    dataset.RescaleIntercept = -1350
    dataset.PixelData = encapsulate([encode(Image.fromarray(SHOWN), "JPEG", quality=95)])
    dataset["PixelData"].is_undefined_length = True
    dataset.file_meta.TransferSyntaxUID = uid.JPEGBaseline8Bit
    shown = parse_dicom_bytes(dicom_bytes(dataset), name="x").pixels
    assert np.abs(shown.astype(int) - SHOWN).mean() < 3


@pytest.mark.parametrize("share", [0.0, 0.1, 0.9])
@pytest.mark.parametrize("syntax", [*COMPRESSED, "RLELossless"])
def test_cut_codestreams(tmp_path: Path, syntax: str, share: float) -> None:
    path = transcode(write_dicom(tmp_path / "raw.dcm", HU), tmp_path / "x.dcm", syntax)
    dataset = dcmread(path)
    stream = get_frame(dataset.PixelData, 0, number_of_frames=1)
    dataset.PixelData = encapsulate([stream[: int(len(stream) * share)] or b"\0\0"])
    with pytest.raises(
        ReadError, match=r"^x\.dcm: the pixel data \(.*\) cannot be decoded: damaged, cut off"
    ):
        show(dataset)


@pytest.mark.parametrize(
    ("syntax", "at"), [("JPEGLosslessProcess14_1", 6), ("JPEGLSLossless", 6), ("JPEG2000Lossless", 42)]
)
def test_absurd_codestreams_do_not_reach_the_decoder(tmp_path: Path, syntax: str, at: int) -> None:
    """gdcm ends the program over such a precision or size, so that no test would report it."""
    path = transcode(write_dicom(tmp_path / "raw.dcm", HU), tmp_path / "x.dcm", syntax)
    dataset = dcmread(path)
    stream = bytearray(get_frame(dataset.PixelData, 0, number_of_frames=1))
    stream[at] = 60
    dataset.PixelData = encapsulate([bytes(stream)])
    with pytest.raises(ReadError, match="cannot be decoded"):
        show(dataset)
    larger = dcmread(path)
    larger.Rows = 128
    with pytest.raises(ReadError, match="cannot be decoded"):
        show(larger)


@pytest.mark.parametrize(
    ("syntax", "message"),
    [
        (uid.JPEGExtended12Bit, r"JPEG Extended .* cannot be decoded"),
        (uid.MPEG2MPML, "MPEG2 .* cannot be decoded"),
        (uid.UID("1.2.3.4"), "1.2.3.4.* cannot be decoded.*gdcmconv --raw"),
    ],
)
def test_unknown_transfer_syntax(syntax: uid.UID, message: str) -> None:
    dataset = ct_dataset(HU)
    dataset.file_meta.TransferSyntaxUID = syntax
    dataset.PixelData = encapsulate([b"\xff\xd8\xff\xd9"])
    with pytest.raises(ReadError, match=f"^x.dcm: .*{message}"):
        show(dataset)


def test_cut_off_pixel_data() -> None:
    dataset = ct_dataset(HU)
    dataset.PixelData = dataset.PixelData[:-100]
    with pytest.raises(ReadError, match=r"^x\.dcm: the pixel data is cut off \(8092 of 8192 bytes\); copy"):
        show(dataset)


@pytest.mark.filterwarnings("ignore:End of file:UserWarning")
@pytest.mark.parametrize("kept", [0.05, 0.3, 0.9, 0.999])
@pytest.mark.parametrize("compressed", [True, False])
def test_cut_off_files(kept: float, compressed: bool) -> None:
    dataset = ct_dataset(HU)
    if compressed:
        dataset.compress(uid.RLELossless)
    data = dicom_bytes(dataset)
    with pytest.raises(ReadError, match=r"^x: .*(cut off|damaged)"):
        parse_dicom_bytes(data[: int(len(data) * kept)], name="x")


def test_no_rescale_but_air() -> None:
    bare = {"RescaleSlope": None, "RescaleIntercept": None}
    np.testing.assert_array_equal(show(signed_dataset(HU, **bare)), SHOWN)
    np.testing.assert_array_equal(show(signed_dataset(HU, **bare, Modality=None)), SHOWN)
    message = "lacks RescaleSlope and RescaleIntercept, and its values do not look like Hounsfield units"
    for dataset in (ct_dataset(HU, **bare), signed_dataset(np.abs(HU), **bare)):
        with pytest.raises(UnsupportedDicom, match=message):
            show(dataset)


@pytest.mark.parametrize("tags", [{"Modality": None}, {"SOPClassUID": uid.SecondaryCaptureImageStorage}])
def test_what_does_not_call_itself_ct_must_show_air(tags: dict[str, Any]) -> None:
    np.testing.assert_array_equal(show(ct_dataset(HU, **tags)), SHOWN)
    screenshot = ct_dataset(HU, **tags, RescaleIntercept=0)
    with pytest.raises(UnsupportedDicom, match="lacks Modality CT or CT Image Storage, and its values"):
        show(screenshot)


def test_padding_is_no_air() -> None:
    stored = np.full((16, 16), 40, dtype="<i2")
    stored[:4] = -2000
    tags = {"RescaleSlope": None, "RescaleIntercept": None, "PixelData": stored.tobytes()}
    dataset = signed_dataset(stored, **tags)
    dataset.add_new("PixelPaddingValue", "SS", -2000)
    with pytest.raises(UnsupportedDicom, match="do not look like Hounsfield units"):
        show(dataset)


@pytest.mark.parametrize(
    "data", [b"hello", bytes(400), b"\x08\x00\x05\x00CS\x0a\x00ISO_IR 100", bytes(128) + b"DICX" + bytes(99)]
)
def test_not_dicom(data: bytes) -> None:
    with pytest.raises(ReadError, match=r"^x: not DICOM \(no DICM at byte 128, no SOPClassUID\)"):
        parse_dicom_bytes(data, name="x")


def test_values_that_are_no_numbers_are_named() -> None:
    dataset = ct_dataset(HU)
    dataset.add_new("RescaleSlope", "LO", "one")
    with pytest.raises(ReadError, match=r"^x\.dcm: RescaleSlope is 'one', not a number; export it again"):
        show(dataset)


@pytest.mark.filterwarnings("ignore")
@settings(deadline=None, max_examples=60)
@given(st.data())
def test_changed_bytes_never_raise_anything_else(data: st.DataObject) -> None:
    content = bytearray(dicom_bytes(ct_dataset(HU[:16, :16])))
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(132, len(content) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(ReadError):
        assert parse_dicom_bytes(bytes(content), name="x").pixels.dtype == np.uint8


def test_reads_in_threads(tmp_path: Path) -> None:
    path = write_dicom(tmp_path / "x.dcm", HU)
    shown: list[Any] = []
    threads = [
        threading.Thread(target=lambda: shown.append(read_dicom(path, name="x").pixels)) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(shown) == 4
    assert all((one == SHOWN).all() for one in shown)


def test_the_dataset_is_left_alone() -> None:
    dataset = ct_dataset(HU, PixelPaddingValue=0)
    before = dicom_bytes(dataset)
    show(dataset)
    assert dicom_bytes(dataset) == before


def test_real_ct(shared_data: Path) -> None:
    files = sorted((shared_data / "dicom").rglob("*.dcm"))
    assert len(files) > 60
    for path in files:
        read = read_dicom(path, name=path.name)
        assert read.pixels.shape == (512, 512)
        assert read.spacing_mm is not None
        assert read.source.series_uid
        assert 40 < read.pixels.mean() < 230


def test_real_series_without_modality(shared_data: Path) -> None:
    read = read_dicom(shared_data / "dicom" / "lungmask-testdata" / "0.dcm", name="0.dcm")
    assert read.spacing_mm == (0.625, 0.625)


@pytest.mark.parametrize(
    ("folder", "message"),
    [("othermri", "Modality MR"), ("ct-nonaxial", "a (coronal|sagittal) image"), ("xray", "Modality CR")],
)
def test_real_strangers(shared_data: Path, folder: str, message: str) -> None:
    files = sorted((shared_data / "ood" / folder).rglob("*.dcm"))
    assert files
    for path in files:
        with pytest.raises(UnsupportedDicom, match=message):
            read_dicom(path, name=path.name)


def test_png_can_be_written_after_dicom_was_loaded_first() -> None:
    """gdcm loaded before Pillow ends the program in the first PNG that is written."""
    code = (
        "import covidct.images.dicom, gdcm, io, numpy\n"
        "from PIL import Image\n"
        "pixels = numpy.random.default_rng(0).integers(0, 255, (300, 300), numpy.uint8)\n"
        "for size in range(64, 264): Image.fromarray(pixels[:size]).save(io.BytesIO(), 'PNG')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


# 64 x 64 values of 12 bits, as OpenJPH writes them: min(20 * row + 7 * column, 4095), 0 in a window of them.
HIGH_THROUGHPUT = (
    "|4;u>04YEK0000$0000$00000000000000$0000$0000000000009pH0sl|{2mk^A000XAQUDA90ssL31q1{@0smY86Cj9?kdTm&"
    "kdTm&kdTmwh=~7W02crOPjF>!N>E53R%LP^FfKASE;BCwkN^q*00002mjD6(lfVEg0O|i}`7!=a`2vBo0Kfnh5C8>C00B}e<^(DL"
    "!n6P!Ao&9e0Hc%uI7Se5{s3W=0KfniqyPbHzyKDQ5N?1Gpj5~NyijJx0K|t702){T2m~z{?1W?38h|Yd*m8ia09zP9x>o=Jh=70r"
    "N&!Om0+7K8YQ``SR{+2O7gGQLU3>rmZU6#$&maZl2MrKo0LBL&0LV~a0008;;D8T4c(7#v!h#V>5DWvDQ{DiIy2}Aj`k0fuwr@IF"
    "2Pr+d62$>6jYgx<Xta<55FY)AKzlCMO5BPDA0aE#)Bz3;zyK{AN{OU9OAfvOKhprL0nI=jfL*i$&;h^z7jpmrUY7s>T>$Rx2sw-t"
    "UI<yh-K%^_a>-0im_&C3MgRa<<?in8{`t`TPft!5PFh+UnLqN8A;Ndz5r!S7!g>J+23Nr?3Vx?>SOw25vLFB;a^Rr>#s-@kb95Lk"
    "n1aPH48t%C!!QiPFzo*>po9;8!Vo?C2tfDjAp_Z91`6Z`J@NxG5Dt9NFajt8NPbWgXC?$FC>+Y0nfm`PfDF#RFa$#fz#Wuf&;h^z"
    "FGhd>UfTcww?HIGk_#M30Z|@ROv1vpXW67#GGKr@kR(ZxBuSF~zaSzU;rLV2)6>(_)6;-c&%{x`Q{S)D_<!QD`kWzsf)}T!r$TuG"
    "OHhF0hmj^!wunjN$%TwzYaTl4uiM@`@yk0{2h$j1j4{R-V~jDz7-Nhv#u#IaG5>m0d>{Z1e!u`d`v3s<>;MDbumBH!zyLk_008&w"
    "00Y@&4dfsj_mF^Z-a%LZ1Pe$&J^LX5_w0bY11|soc9a1CWdC|p{s71D!wfNszyM-5U3Jlibpij`"
)


@pytest.mark.parametrize("syntax", [uid.HTJ2KLossless, uid.HTJ2KLosslessRPCL, uid.HTJ2K])
def test_high_throughput_jpeg_2000(syntax: uid.UID) -> None:
    at = np.arange(64)
    values = np.minimum(np.add.outer(20 * at, 7 * at), 4095)
    values[20:30, 30:50] = 0
    dataset = ct_dataset(values - 1024, PixelData=encapsulate([base64.b85decode(HIGH_THROUGHPUT)]))
    dataset.file_meta.TransferSyntaxUID = syntax
    np.testing.assert_array_equal(show(dataset), to_display(values - 1024))


def test_more_elements_than_any_slice_has_are_not_parsed(monkeypatch: pytest.MonkeyPatch) -> None:
    data = dicom_bytes(ct_dataset(phantom_hu(size=16)))
    assert parse_dicom_bytes(data, name="slice.dcm").pixels.shape == (16, 16)
    monkeypatch.setattr("covidct.images.limits.MAX_READS", 12)
    with pytest.raises(ReadError, match=r"^slice\.dcm: damaged DICOM \(far too many elements and items\)"):
        parse_dicom_bytes(data, name="slice.dcm")


ZEROS = b"\x08\x00\x40\x11SQ\0\0\xff\xff\xff\xff" + bytes(8 * 131_000)


@pytest.mark.parametrize("depth", [1, 24])
def test_zeros_in_a_sequence_are_items_to_pydicom_and_are_not_all_parsed(depth: int) -> None:
    """Found by the fuzzer: a megabyte of zeros, packed a kilobyte, took seven seconds."""
    nested = (ZEROS[:12] + b"\xfe\xff\x00\xe0\xff\xff\xff\xff") * depth
    data = dicom_bytes(ct_dataset(phantom_hu(size=16)))
    at = data.index(b"\x08\x00\x60\x00")
    data = data[:at] + nested + ZEROS + data[at:]
    with pytest.raises(ReadError, match=r"^slice\.dcm: damaged DICOM \(far too many items\)"):
        parse_dicom_bytes(data, name="slice.dcm")
