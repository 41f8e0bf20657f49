"""The bytes of a PNG, JPEG, BMP, TIFF, WEBP or GIF -> grey levels.

Knows colour modes, transparency, depth and orientation, and what a single slice may not be: animated, of
several pages, raw 12-bit values. Knows nothing of what is pictured, nor of Hounsfield units.

Pillow's plugins are called directly, not through `Image.open`: so only these six formats are ever tried, and
the size is checked here, from the header, before `Image.open` would warn of it. (To mute that warning
would act on every thread of the program.) Other warnings of Pillow's, as of odd TIFF tags, pass through.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import BytesIO
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image
from PIL.BmpImagePlugin import BmpImageFile
from PIL.GifImagePlugin import GifImageFile
from PIL.ImageFile import ImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.TiffImagePlugin import TiffImageFile
from PIL.WebPImagePlugin import WebPImageFile

from covidct.errors import ReadError, UnsupportedImage
from covidct.images.file_type import PICTURES, FileType, sniff
from covidct.images.library_errors import damage_as, read_or_none
from covidct.images.limits import check_pixels
from covidct.types import Pixels

# A windowed 16-bit picture fills its range. Raw CT values fill 12 or 13 bits of it, at whatever offset.
_NARROW = 8192
_INSTEAD = "window it to 8 bits first (lung: centre -600, width 1500 HU), or give the DICOM"
_WHITE_IS_ZERO = 0  # PhotometricInterpretation; Pillow inverts 8 bits, and leaves 16 as they are
_IMAGEJ_STACK = re.compile(r"ImageJ=.*?^images=(\d+)", re.DOTALL | re.MULTILINE)
# EXIF orientation -> what sets the picture upright (CIPA DC-008, tag 0x0112).
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def parse_raster(data: bytes, *, name: str) -> Pixels:
    """Decode a picture to grey levels (H, W) uint8 as stored: luma (ITU-R 601), upright, over black.

    16-bit grey is scaled from its full range. Raises UnsupportedImage for what is no single slice of grey
    levels, ReadError for damage.
    """
    kind = sniff(data)
    if kind not in PICTURES:
        raise ReadError(f"{name}: no PNG, JPEG, BMP, TIFF, WEBP or GIF; export the slice as PNG")
    with _damage_is_an_error(name, kind):
        image = _open(data, kind, name)
        _check_is_single(image, name)
        is_deep = ";16" in str(image.tile[:1])
        is_negative = is_deep and _tiff_tag(image, ExifTags.Base.PhotometricInterpretation) == _WHITE_IS_ZERO
        image.load()
        grey = np.array(_to_grey(_set_upright(image), is_deep=is_deep, name=name))
        return 255 - grey if is_negative else grey


@contextmanager
def _damage_is_an_error(name: str, kind: str) -> Iterator[None]:
    """Turn whatever Pillow's plugins throw at damaged bytes into ReadError."""
    advice = "copy it again, or export it again"
    with damage_as(
        lambda cause: ReadError(f"{name}: a {kind} that is damaged or cut off ({cause}); {advice}")
    ):
        try:
            yield
        except Image.DecompressionBombError as error:
            message = f"{name}: far too many pixels; give the slice at its own size"
            raise UnsupportedImage(message) from error


def _open(data: bytes, kind: FileType, name: str) -> ImageFile:
    """Parse the header, and check the size."""
    if kind is FileType.GIF:
        check_pixels(*_gif_size(data), name=name)
    # JpegImageFile reads the first picture of an MPO (phones), which is the photo itself.
    plugins: dict[FileType, Callable[[BytesIO], ImageFile]] = {
        FileType.PNG: PngImageFile,
        FileType.JPEG: JpegImageFile,
        FileType.BMP: BmpImageFile,
        FileType.TIFF: TiffImageFile,
        FileType.WEBP: WebPImageFile,
        FileType.GIF: GifImageFile,
    }
    image = plugins[kind](BytesIO(data))
    check_pixels(image.height, image.width, name=name)
    return image


def _gif_size(data: bytes) -> tuple[int, int]:
    """Give the rows and columns of a GIF: of its screen, or of its first frame where that is larger."""
    at = 13 + (3 << (data[10] & 7) + 1 if data[10] & 0x80 else 0)
    while data[at] == 0x21:  # an extension: introducer, label, sub-blocks that end with an empty one
        at += 2
        while data[at]:
            at += data[at] + 1
        at += 1
    words = np.frombuffer(data, "<u2", count=2, offset=6).tolist()
    frame = np.frombuffer(data, "<u2", count=4, offset=at + 1).tolist()
    return max(words[1], frame[1] + frame[3]), max(words[0], frame[0] + frame[2])


def _check_is_single(image: ImageFile, name: str) -> None:
    frames = getattr(image, "n_frames", 1)
    if frames > 1:
        raise UnsupportedImage(
            f"{name}: {frames} frames or pages in one file; export the slice as a single image"
        )

    stack = _IMAGEJ_STACK.match(str(_tiff_tag(image, ExifTags.Base.ImageDescription)))
    if stack and int(stack[1]) > 1:
        # (ImageJ writes one directory alone for stacks above 4 GB.)
        raise UnsupportedImage(
            f"{name}: an ImageJ stack of {stack[1]} images; save the slice as a single image"
        )


def _tiff_tag(image: ImageFile, tag: int) -> object:
    """A tag of a TIFF's first directory; None where it lacks, or the picture is none."""
    tags = getattr(image, "tag_v2", {})
    return tags.get(tag)


def _set_upright(image: Image.Image) -> Image.Image:
    # Broken EXIF says nothing of the orientation; the pixels are fine.
    orientation = read_or_none(lambda: int(image.getexif().get(ExifTags.Base.Orientation, 1)))
    turn = _UPRIGHT.get(orientation or 1)
    return image if turn is None else image.transpose(turn)


def _to_grey(image: Image.Image, *, is_deep: bool, name: str) -> NDArray[Any]:
    """Give grey levels (H, W) uint8. `is_deep`: stored with 16 bits a channel."""
    if image.mode == "F":
        raise UnsupportedImage(f"{name}: 32-bit float values, whose window is not known; {_INSTEAD}")
    if image.mode.startswith("I"):
        return _scale_deep(np.asarray(image), name)
    if image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "black"), image)
    elif image.mode == "CMYK":
        image = image.convert("RGB")
    grey = np.asarray(image.convert("L"))
    if is_deep:
        # Pillow has dropped the lower byte of colour with 16 bits a channel.
        _check_fills_range(int(grey.min()) * 257, int(grey.max()) * 257, name)
    return grey


def _scale_deep(values: NDArray[Any], name: str) -> NDArray[np.uint8]:
    low, high = int(values.min()), int(values.max())
    if low < 0 or high > 65535:
        raise UnsupportedImage(f"{name}: values from {low} to {high} are not 16-bit grey levels; {_INSTEAD}")
    _check_fills_range(low, high, name)
    return np.rint(values / 257).astype(np.uint8)


def _check_fills_range(low: int, high: int, name: str) -> None:
    if high - low < _NARROW:
        raise UnsupportedImage(
            f"{name}: 16-bit, but only values from {low} to {high}: probably raw CT values, whose window is "
            f"not known; {_INSTEAD}"
        )
