"""The bytes of a PNG, JPEG, BMP, TIFF, WEBP or GIF -> one picture of one channel, by Pillow.

Knows colour modes, transparency and orientation, and what a single slice may not be: animated, of several
pages. Knows nothing of what is pictured, and needs no numpy: see `frames`.

Pillow's plugins are called directly, not through `Image.open`: so only these six formats are ever tried, and
the size is checked here, from the header, before `Image.open` would warn of it. (To mute that warning
would act on every thread of the program.)
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable
from io import BytesIO

from PIL import ExifTags, Image
from PIL.ImageFile import ImageFile

from covidct.errors import UnsupportedImage
from covidct.images.decoding.jobs import Decoded, PictureJob
from covidct.images.file_type import FileType
from covidct.images.library_errors import read_or_none
from covidct.images.limits import check_pixels

_WHITE_IS_ZERO = 0  # PhotometricInterpretation; Pillow inverts 8 bits, and leaves 16 as they are
_IMAGEJ_STACK = re.compile(r"ImageJ=.*?^images=(\d+)", re.DOTALL | re.MULTILINE)
_EXPOSURE = {ExifTags.Base.ExposureTime, ExifTags.Base.FNumber}  # what only a camera has
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


def decode_picture(job: PictureJob, data: bytes) -> Decoded:
    """Decode a picture to one channel, upright, over black: mode "L" (luma, ITU-R 601), or deeper as stored.

    Raises UnsupportedImage for what is no single picture, and whatever Pillow does, for damage.
    """
    try:
        image = _open(data, job.kind, job.name)
        _check_is_single(image, job.name)
        is_deep = ";16" in str(image.tile[:1])
        is_negative = is_deep and _tiff_tag(image, ExifTags.Base.PhotometricInterpretation) == _WHITE_IS_ZERO
        image.load()
    except Image.DecompressionBombError as error:
        raise UnsupportedImage(f"{job.name}: far too many pixels; give the slice at its own size") from error
    grey = _to_one_channel(_set_upright(image))
    return Decoded(
        grey.tobytes(),
        grey.height,
        grey.width,
        mode=grey.mode,
        is_deep=is_deep,
        is_negative=is_negative,
        camera=_find_camera(image),
    )


def _open(data: bytes, kind: FileType, name: str) -> ImageFile:
    """Parse the header, and check the size."""
    if kind is FileType.GIF:
        check_pixels(*_gif_size(data), name=name)
    image = load_plugin(kind)(BytesIO(data))
    check_pixels(image.height, image.width, name=name)
    return image


def load_plugin(kind: FileType) -> Callable[[BytesIO], ImageFile]:
    """What reads pictures of a kind; imported here, as all six take as long as a slice takes to answer."""
    match kind:
        case FileType.PNG:
            from PIL.PngImagePlugin import PngImageFile

            return PngImageFile
        case FileType.JPEG:  # of an MPO (phones) the first picture, which is the photo itself
            from PIL.JpegImagePlugin import JpegImageFile

            return JpegImageFile
        case FileType.BMP:
            from PIL.BmpImagePlugin import BmpImageFile

            return BmpImageFile
        case FileType.TIFF:
            from PIL.TiffImagePlugin import TiffImageFile

            return TiffImageFile
        case FileType.WEBP:
            from PIL.WebPImagePlugin import WebPImageFile

            return WebPImageFile
        case FileType.GIF:
            from PIL.GifImagePlugin import GifImageFile

            return GifImageFile
        case _:
            raise ValueError(f"{kind} is no picture")


def _gif_size(data: bytes) -> tuple[int, int]:
    """Give the rows and columns of a GIF: of its screen, or of its first frame where that is larger."""
    at = 13 + (3 << (data[10] & 7) + 1 if data[10] & 0x80 else 0)
    while data[at] == 0x21:  # an extension: introducer, label, sub-blocks that end with an empty one
        at += 2
        while data[at]:
            at += data[at] + 1
        at += 1
    words = struct.unpack_from("<2H", data, 6)
    frame = struct.unpack_from("<4H", data, at + 1)
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


def _find_camera(image: Image.Image) -> str:
    """The make and model of the camera that took a picture; "" where its EXIF names no exposure.

    Screenshots and scanners of film write no exposure, and programs that strip EXIF leave nothing to find.
    """
    exposure = read_or_none(lambda: image.getexif().get_ifd(ExifTags.IFD.Exif))
    if not exposure or not _EXPOSURE & exposure.keys():
        return ""
    words = (image.getexif().get(tag, "") for tag in (ExifTags.Base.Make, ExifTags.Base.Model))
    return "".join(filter(str.isprintable, " ".join(map(str, words)))).strip()[:60] or "unnamed camera"


def _to_one_channel(image: Image.Image) -> Image.Image:
    """Grey levels; deep ones and floats as they are."""
    if image.mode.startswith(("I", "F")):
        return image
    if image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "black"), image)
    elif image.mode == "CMYK":
        image = image.convert("RGB")
    return image.convert("L")
