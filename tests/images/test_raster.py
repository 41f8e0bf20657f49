from __future__ import annotations

import struct
import threading
import zlib
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from covidct.errors import ReadError, UnsupportedImage
from covidct.images.file_type import FileType, sniff
from covidct.images.limits import MAX_PIXELS
from covidct.images.phantoms.landscape import draw_picture
from covidct.images.raster import parse_picture, parse_raster
from makers import encode, encode_photograph, png_bytes

GREY = draw_picture(seed=1, size=24)[:, :18]
IMAGE = Image.fromarray(GREY)
LOSSLESS = ["PNG", "BMP", "TIFF", "GIF"]


def parse(data: bytes) -> Any:
    return parse_raster(data, name="scan")


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png(width: int, height: int, *chunks: bytes) -> bytes:
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    return b"".join((b"\x89PNG\r\n\x1a\n", header, *chunks, chunk(b"IDAT", zlib.compress(b"\0" * 99))))


@settings(deadline=None, max_examples=25)
@given(st.sampled_from(LOSSLESS), st.integers(1, 40), st.integers(1, 40), st.integers(0, 9))
def test_lossless_formats_keep_every_level(kind: str, rows: int, columns: int, seed: int) -> None:
    pixels = np.random.default_rng(seed).integers(0, 256, (rows, columns), dtype=np.uint8)
    data = encode(Image.fromarray(pixels), kind)
    assert sniff(data) == kind
    read = parse(data)
    np.testing.assert_array_equal(read, pixels)
    assert read.flags.writeable
    assert read.flags.c_contiguous


@pytest.mark.parametrize("kind", ["JPEG", "WEBP"])
def test_lossy_formats(kind: str) -> None:
    read = parse(encode(IMAGE, kind, quality=95))
    assert read.shape == (24, 18)
    assert np.abs(read.astype(int) - GREY).mean() < 4


def test_webp_lossless_and_tiff_compressions() -> None:
    np.testing.assert_array_equal(parse(encode(IMAGE.convert("RGB"), "WEBP", lossless=True)), GREY)
    for compression in ("tiff_lzw", "tiff_deflate", "packbits"):
        np.testing.assert_array_equal(parse(encode(IMAGE, "TIFF", compression=compression)), GREY)


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "LA", "P"])
def test_colour_modes_of_grey_pictures(mode: str) -> None:
    np.testing.assert_array_equal(parse(encode(IMAGE.convert(mode))), GREY)


def test_colours_by_luma() -> None:
    colours = np.array([[[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 255]]], dtype=np.uint8)
    assert parse(png_bytes(colours)).tolist() == [[76, 150, 29, 255]]
    palette = Image.fromarray(colours).convert("P", palette=Image.Palette.ADAPTIVE)
    np.testing.assert_allclose(parse(encode(palette)), [[76, 150, 29, 255]], atol=1)


def test_one_bit() -> None:
    bits = Image.fromarray(np.array([[True, False], [False, True]]))
    for kind in ("PNG", "BMP", "TIFF"):
        assert parse(encode(bits, kind)).tolist() == [[255, 0], [0, 255]]


def test_transparency_lies_over_black() -> None:
    pixels = np.array([[[200, 200, 200, 255], [200, 200, 200, 0], [200, 200, 200, 128]]], dtype=np.uint8)
    expected = [[200, 0, 100]]
    np.testing.assert_allclose(parse(png_bytes(pixels)), expected, atol=1)
    np.testing.assert_allclose(parse(encode(Image.fromarray(pixels), "TIFF")), expected, atol=1)
    np.testing.assert_allclose(parse(encode(Image.fromarray(pixels).convert("LA"))), expected, atol=1)


def test_transparent_palette_entries_and_keys() -> None:
    indexed = Image.fromarray(np.array([[0, 1, 2]], dtype=np.uint8), mode="P")
    indexed.putpalette([10, 10, 10, 120, 120, 120, 250, 250, 250])
    assert parse(encode(indexed, transparency=bytes([255, 0, 255]))).tolist() == [[10, 0, 250]]
    assert parse(encode(indexed, transparency=2)).tolist() == [[10, 120, 0]]
    assert parse(encode(indexed, "GIF", transparency=2)).tolist() == [[10, 120, 0]]
    assert parse(encode(Image.fromarray(np.array([[7, 9]], dtype=np.uint8)), transparency=9)).tolist() == [
        [7, 0]
    ]


def test_cmyk() -> None:
    cmyk = Image.new("CMYK", (8, 8), (0, 0, 0, 55))
    for kind in ("JPEG", "TIFF"):  # Pillow writes JPEG as Adobe does, inverted
        np.testing.assert_allclose(parse(encode(cmyk, kind)), 200, atol=2)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF", "WEBP"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_is_set_upright(kind: str, orientation: int) -> None:
    upright = np.zeros((32, 16), dtype=np.uint8)
    upright[:8] = 250
    upright[:, :4] = 120
    turns = {
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.T,
        6: upright.T[::-1],
        7: upright.T[::-1, ::-1],
        8: upright.T[:, ::-1],
    }
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = Image.fromarray(np.ascontiguousarray(turns[orientation])).convert("RGB")
    options = {"lossless": True} if kind == "WEBP" else {"quality": 95} if kind == "JPEG" else {}
    read = parse(encode(stored, kind, exif=exif, **options))
    np.testing.assert_allclose(read.astype(int), upright, atol=12)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
@pytest.mark.parametrize("exposure", [{"ExposureTime": 0.01}, {"FNumber": 1.8}])
def test_the_camera_of_a_photograph_is_named(kind: str, exposure: dict[str, Any]) -> None:
    assert parse_picture(encode_photograph(IMAGE, kind, **exposure), name="x").camera == "Acme Phone 3"


def test_a_scanner_or_a_screenshot_is_no_camera() -> None:
    """They name make and model, but no exposure."""
    assert parse_picture(encode_photograph(IMAGE, "JPEG"), name="x").camera == ""
    assert parse_picture(encode(IMAGE, "JPEG"), name="x").camera == ""


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_broken_exif_names_no_camera() -> None:
    for exif in (b"Exif\0\0II*\0\xff\xff\xff\x7f", b"Exif\0\0junk", b"Exif\0\0MM\0*\0\0\0\x08\0\x01\1\x12"):
        assert parse_picture(encode(IMAGE, "JPEG", exif=exif), name="x").camera == ""


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_broken_exif_is_no_reason_to_refuse() -> None:
    for exif in (b"Exif\0\0II*\0\xff\xff\xff\x7f", b"Exif\0\0junk", b"Exif\0\0MM\0*\0\0\0\x08\0\x01\1\x12"):
        assert parse(encode(IMAGE, "JPEG", exif=exif)).shape == (24, 18)


def test_sixteen_bits_from_the_full_range() -> None:
    deep = GREY.astype(np.uint16) * 257
    deep[0, :2] = 0, 65535
    expected = GREY.copy()
    expected[0, :2] = 0, 255
    np.testing.assert_array_equal(parse(png_bytes(deep)), expected)
    np.testing.assert_array_equal(parse(encode(Image.fromarray(deep), "TIFF")), expected)
    big_endian = Image.frombytes("I;16B", (18, 24), deep.astype(">u2").tobytes())
    np.testing.assert_array_equal(parse(encode(big_endian, "TIFF")), expected)
    np.testing.assert_array_equal(parse(encode(Image.fromarray(deep.astype(np.int32)), "TIFF")), expected)


@pytest.mark.parametrize(("low", "high"), [(0, 4095), (0, 8191), (31744, 36863), (0, 0)])
def test_raw_values_in_sixteen_bits_are_refused(low: int, high: int) -> None:
    deep = np.linspace(low, high, 64).astype(np.uint16).reshape(8, 8)
    message = (
        f"^scan: 16-bit, but only values from {low} to {high}: probably raw CT values.*window it to 8 bits"
    )
    with pytest.raises(UnsupportedImage, match=message):
        parse(png_bytes(deep))


def test_dark_colour_of_sixteen_bits_is_refused_too() -> None:
    row = np.array([[0, 3000, 4000] * 4], dtype=">u2").tobytes()
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 4, 1, 16, 2, 0, 0, 0))
    data = b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(b"\0" + row)) + chunk(b"IEND", b"")
    with pytest.raises(UnsupportedImage, match="16-bit, but only values from"):
        parse(data)


def test_floats_and_hounsfield_units_in_tiff_are_refused() -> None:
    with pytest.raises(UnsupportedImage, match=r"^scan: 32-bit float values.*; window it to 8 bits"):
        parse(encode(Image.fromarray(GREY.astype(np.float32)), "TIFF"))
    with pytest.raises(UnsupportedImage, match="values from -1024 to 90 are not 16-bit grey levels"):
        parse(encode(Image.fromarray(np.array([[-1024, 90]], dtype=np.int32)), "TIFF"))


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "TIFF", "PNG"])
def test_several_frames_are_refused(kind: str) -> None:
    others = [Image.fromarray(draw_picture(seed=seed, size=24)[:, :18]) for seed in (2, 3)]
    data = encode(IMAGE, kind, save_all=True, append_images=others)
    message = "^scan: 3 frames or pages in one file; export the slice as a single image"
    with pytest.raises(UnsupportedImage, match=message):
        parse(data)


def test_one_frame_is_fine() -> None:
    for kind in ("GIF", "WEBP", "TIFF"):
        assert parse(encode(IMAGE, kind, save_all=True)).shape == (24, 18)


def test_mpo_of_phones_is_its_first_picture() -> None:
    data = encode(IMAGE, "MPO", save_all=True, append_images=[Image.new("L", (18, 24))], quality=95)
    assert np.abs(parse(data).astype(int) - GREY).mean() < 4


@pytest.mark.parametrize("share", [0.02, 0.2, 0.5, 0.95])
@pytest.mark.parametrize("kind", ["PNG", "JPEG", "BMP", "TIFF", "WEBP", "GIF"])
def test_cut_off(kind: str, share: float) -> None:
    data = encode(Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64), dtype=np.uint8)), kind)
    with pytest.raises(ReadError, match=f"^scan: a {kind} that is damaged or cut off .*copy it again"):
        parse(data[: max(12, int(len(data) * share))])


def test_other_content() -> None:
    with pytest.raises(ReadError, match=r"^scan: not a PNG, JPEG, BMP, TIFF, WEBP or GIF"):
        parse(b"P5 2 2 255 abcd")


@pytest.mark.parametrize(
    ("width", "height"), [(60_000, 60_000), (10_000, 10_000), (MAX_PIXELS + 1, 1), (9000, 9000)]
)
def test_huge_png(width: int, height: int) -> None:
    """9000 x 9000 is under Pillow's warning, 10,000 x 10,000 over it, and 60,000 x 60,000 over its error."""
    with pytest.raises(
        UnsupportedImage, match=f"^scan: {width} x {height} pixels, but at most 50,000,000 are"
    ):
        parse(png(width, height))


def test_huge_headers_of_other_formats() -> None:
    gif = b"GIF89a" + struct.pack("<HHBBB", 10, 10, 0, 0, 0)
    frame = (
        b"\x21\xf9\x04\0\0\0\0\0" + b"," + struct.pack("<HHHHB", 0, 0, 12_000, 10_000, 0) + b"\x08\x01\0\0;"
    )
    bmp = b"BM" + struct.pack("<IHHIIiiHHIIiiII", 99, 0, 0, 54, 40, 12_000, 10_000, 1, 8, 0, 0, 0, 0, 0, 0)
    vp8x = (
        b"VP8X"
        + struct.pack("<I", 10)
        + bytes(4)
        + (11_999).to_bytes(3, "little")
        + (9_999).to_bytes(3, "little")
    )
    webp = b"RIFF" + struct.pack("<I", 4 + len(vp8x)) + b"WEBP" + vp8x
    jpeg = bytearray(encode(IMAGE, "JPEG"))
    at = jpeg.index(b"\xff\xc0") + 5
    jpeg[at : at + 4] = struct.pack(">HH", 10_000, 12_000)
    for data in (gif + frame, bmp, bytes(jpeg)):
        with pytest.raises(UnsupportedImage, match="12000 x 10000 pixels"):
            parse(data)
    with pytest.raises(ReadError, match=r"^scan: a WEBP that is damaged"):
        parse(webp)


def tiff(**tags: int) -> bytes:
    """An uncompressed 8-bit TIFF with these tags, and nothing at its end."""
    numbers = {
        "width": 256,
        "height": 257,
        "bits": 258,
        "compression": 259,
        "photometric": 262,
        "samples": 277,
    }
    numbers |= {"tile_width": 322, "tile_height": 323, "tile_offset": 324, "tile_bytes": 325}
    entries = b"".join(struct.pack("<HHII", numbers[name], 4, 1, value) for name, value in tags.items())
    return b"II*\0" + struct.pack("<IH", 8, len(tags)) + entries + bytes(4)


@pytest.mark.parametrize("side", [10_000, 60_000])
def test_huge_tiff(side: int) -> None:
    plain = {"bits": 8, "photometric": 1, "samples": 1}
    tile = {"tile_width": side, "tile_height": side, "tile_offset": 8, "tile_bytes": 100}
    for compression in (1, 5, 8):
        with pytest.raises(UnsupportedImage, match=f"^scan: {side} x {side} pixels"):
            parse(tiff(width=side, height=side, compression=compression, **plain, **tile))
        with pytest.raises(ReadError, match="a TIFF that is damaged"):
            parse(tiff(width=100, height=100, compression=compression, **plain, **tile))


def test_text_bombs() -> None:
    bomb = chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(50_000_000)))
    with pytest.raises(ReadError, match=r"^scan: a PNG that is damaged"):
        parse(png(4, 4, bomb))
    info = PngInfo()
    for number in range(80):
        info.add_text(f"key{number}", "x" * 1_000_000, zip=True)
    with pytest.raises(ReadError, match=r"^scan: a PNG that is damaged"):
        parse(encode(IMAGE, pnginfo=info))


def test_ordinary_text_chunks() -> None:
    info = PngInfo()
    info.add_text("Comment", "axial, lung window", zip=True)
    np.testing.assert_array_equal(parse(encode(IMAGE, pnginfo=info)), GREY)


@pytest.mark.filterwarnings("ignore")
@settings(deadline=None, max_examples=100)
@given(st.sampled_from(["PNG", "JPEG", "BMP", "TIFF", "WEBP", "GIF"]), st.data())
def test_changed_bytes_never_raise_anything_else(kind: str, data: st.DataObject) -> None:
    content = bytearray(encode(IMAGE, kind))
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(12, len(content) - 1))] = data.draw(st.integers(0, 255))
    try:
        read = parse(bytes(content))
    except ReadError:
        return
    assert read.dtype == np.uint8
    assert read.ndim == 2


def test_reads_in_threads() -> None:
    huge, fine = png(60_000, 60_000), encode(IMAGE)
    seen: list[Any] = []

    def work() -> None:
        for data in (fine, huge) * 10:
            try:
                seen.append(parse(data).shape)
            except UnsupportedImage:
                seen.append("refused")

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(map(str, seen)) == ["(24, 18)"] * 40 + ["refused"] * 40


def test_the_ending_says_nothing(tmp_path: Path) -> None:
    assert sniff(encode(IMAGE, "JPEG")) == "JPEG"
    assert sniff(b"RIFF0000WAVE") is FileType.UNKNOWN
    assert sniff(b"") is FileType.UNKNOWN
    assert Image.open(BytesIO(encode(IMAGE, "BMP"))).format == sniff(encode(IMAGE, "BMP"))


def test_deep_tiff_with_white_as_zero_is_inverted() -> None:
    deep = np.arange(64 * 64, dtype="<u2").reshape(64, 64) * 16
    black, white = (encode(Image.fromarray(values), "TIFF") for values in (deep, 65535 - deep))
    tag = struct.pack("<HHI", 262, 3, 1)  # PhotometricInterpretation, one short
    assert white.count(tag + b"\1\0") == 1
    np.testing.assert_array_equal(parse(white.replace(tag + b"\1\0", tag + b"\0\0")), parse(black))


def test_an_imagej_stack_in_one_directory_is_refused() -> None:
    text = "ImageJ=1.54f\nimages=3\nslices=3\nloop=false\n"
    with pytest.raises(UnsupportedImage, match="an ImageJ stack of 3 images; save the slice"):
        parse(encode(IMAGE, "TIFF", tiffinfo={270: text}))
    single = encode(IMAGE, "TIFF", tiffinfo={270: text.replace("=3", "=1")})
    np.testing.assert_array_equal(parse(single), GREY)
