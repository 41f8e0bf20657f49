"""Compressed frames give the words that were compressed, whatever their depth and sign."""

from __future__ import annotations

import base64
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from pydicom import uid
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.pixels import get_encoder  # type: ignore[attr-defined]  # (documented, but not in an __all__)

from covidct.errors import ReadError
from covidct.images.dicom_header import parse_header
from covidct.images.hounsfield import Words
from covidct.images.pixel_data import decode_words
from makers import ct_dataset, encode, phantom_hu

ROWS, COLUMNS = 9, 14
# A ramp in lossy JPEG of 12 bits, as libjpeg-turbo writes it, which Pillow cannot; at most 1 off.
RAMP = np.fromfunction(lambda row, column: 250 * column + 60 * row + 100, (ROWS, COLUMNS))
RAMP_12_BIT = base64.b64decode(
    "/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDAAIBAQEBAQIBAQECAgICAgQDAgICAgUEBAMEBgUGBgYFBgYGBwkIBgcJBwYGCAsICQoKCgoK"
    "BggLDAsKDAkKCgr/wQALDAAJAA4BAREA/8QAFQABAQAAAAAAAAAAAAAAAAAADQz/xAAnEAAAAgYLAQAAAAAAAAAAAAAABQsMDSdFYSo4"
    "OkdIVmRzd4a0w//aAAgBAQAAPwCKDZxmjuqiLjctw7ZkHclSD0d1Q6jVxtwRPDtWXyAzczjPAj1v4h3JUg+x1GvARP6y8f/Z"
)


def compressed(frame: bytes, syntax: str, **elements: Any) -> Dataset:
    dataset = ct_dataset(phantom_hu(size=16), Rows=ROWS, Columns=COLUMNS, **elements)
    dataset.PixelData = encapsulate([frame])
    dataset["PixelData"].VR = "OB"
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = uid.UID(syntax)
    return dataset


def decode(dataset: Dataset) -> Words:
    return decode_words(dataset, parse_header(dataset, name="x"), name="x")[0]


def depth(bits: int, *, signed: bool, allocated: int = 16) -> dict[str, int]:
    return {
        "BitsAllocated": allocated,
        "BitsStored": bits,
        "HighBit": bits - 1,
        "PixelRepresentation": int(signed),
    }


def draw(bits: int, *, signed: bool, seed: int, allocated: int = 16) -> Words:
    low = -(1 << bits - 1) if signed else 0
    values = np.random.default_rng(seed).integers(low, low + (1 << bits), (ROWS, COLUMNS))
    return values.astype(f"{'i' if signed else 'u'}{allocated // 8}")


def with_precision(codestream: bytes, bits: int, *, signed: bool) -> bytes:
    """A JPEG 2000 codestream of 16 bits that says it has another depth or sign."""
    at = codestream.index(b"\xff\x51") + 2 + 38
    return codestream[:at] + bytes([(bits - 1) | (0x80 if signed else 0)]) + codestream[at + 1 :]


@settings(deadline=None, max_examples=15)
@given(st.sampled_from([8, 16]), st.booleans(), st.integers(0, 99))
def test_rle(allocated: int, signed: bool, seed: int) -> None:
    words = draw(allocated, signed=signed, seed=seed, allocated=allocated)
    words[2:5] = words[0, 0]  # runs over the ends of rows
    dataset = compressed(b"\0\0", uid.RLELossless, **depth(allocated, signed=signed, allocated=allocated))
    frame = get_encoder(uid.RLELossless).encode(
        words.tobytes(),
        encoding_plugin="pydicom",
        rows=ROWS,
        columns=COLUMNS,
        number_of_frames=1,
        samples_per_pixel=1,
        bits_allocated=allocated,
        bits_stored=allocated,
        pixel_representation=int(signed),
        photometric_interpretation="MONOCHROME2",
    )
    dataset.PixelData = encapsulate([frame])
    np.testing.assert_array_equal(decode(dataset), words)


@pytest.mark.parametrize(
    "bad", [b"\0\0", b"\x01" + bytes(63), b"\x02" + bytes(63), b"\x02\0\0\0" + b"\xff" * 60]
)
def test_rle_that_is_damaged(bad: bytes) -> None:
    with pytest.raises(ReadError, match=r"^x: the pixel data \(RLE Lossless\) cannot be decoded"):
        decode(compressed(bad, uid.RLELossless, **depth(16, signed=True)))


@settings(deadline=None, max_examples=10)
@given(st.booleans(), st.booleans(), st.integers(0, 99))
def test_jpeg_2000_takes_its_sign_from_the_object(signed: bool, says_signed: bool, seed: int) -> None:
    words = draw(16, signed=signed, seed=seed)
    # A signed codestream has half the range subtracted less; the same words, whatever it says of the sign.
    stored = words.view(np.uint16) ^ np.uint16(0x8000 if says_signed else 0)
    codestream = encode(Image.fromarray(stored), "JPEG2000", no_jp2=True)
    codestream = with_precision(codestream, 16, signed=says_signed)
    dataset = compressed(codestream, uid.JPEG2000Lossless, **depth(16, signed=signed))
    np.testing.assert_array_equal(decode(dataset), words)


@pytest.mark.parametrize("bits", [2, 7, 8])
def test_jpeg_2000_of_few_bits(bits: int) -> None:
    words = draw(bits, signed=False, seed=bits)
    picture = Image.fromarray((words << 8 - bits).astype(np.uint8))
    assert encode(picture, "JPEG2000", no_jp2=True)[:4] == b"\xff\x4f\xff\x51"
    codestream = encode(Image.fromarray(words.astype(np.uint8)), "JPEG2000", no_jp2=True)
    dataset = compressed(codestream, uid.JPEG2000Lossless, **depth(8, signed=False))
    np.testing.assert_array_equal(decode(dataset), words)


@pytest.mark.parametrize("process", ["51", "53", "55"])
def test_lossy_jpeg_of_12_bits(process: str) -> None:
    dataset = compressed(RAMP_12_BIT, f"1.2.840.10008.1.2.4.{process}", **depth(12, signed=False))
    np.testing.assert_allclose(decode(dataset), RAMP, atol=1)
    damaged = compressed(RAMP_12_BIT[:150], f"1.2.840.10008.1.2.4.{process}", **depth(12, signed=False))
    with pytest.raises(ReadError, match=r"^x: the pixel data \(JPEG .*\) cannot be decoded"):
        decode(damaged)


@pytest.mark.parametrize("syntax", [uid.JPEG2000Lossless, uid.JPEGLSLossless, uid.JPEGLosslessSV1, "1.2.3"])
def test_what_is_none_of_these(syntax: str) -> None:
    with pytest.raises(ReadError, match=r"^x: the pixel data \(.*\) cannot be decoded"):
        decode(compressed(b"no codestream", syntax, **depth(16, signed=True)))
