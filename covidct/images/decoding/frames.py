"""A compressed frame of a DICOM object -> its words, by Pillow and gdcm.

JPEG 2000, high-throughput too, and PackBits (RLE) by Pillow, whose OpenJPEG is newer than gdcm's; all JPEG
and JPEG-LS by gdcm, and JPEG 2000 with more than 16 bits. Needs neither numpy nor pydicom, so that a process
that decodes starts in a twentieth of a second. Knows nothing of what the words mean.
"""

from __future__ import annotations

import struct
from io import BytesIO

# Before gdcm: gdcm shows its own zlib to every library loaded after it, and Pillow's PNG writer then
# corrupts memory.
from PIL import Image
from PIL.Jpeg2KImagePlugin import Jpeg2KImageFile

from covidct.images.decoding.codestream import find_jpeg_2000
from covidct.images.decoding.jobs import Codec, Decoded, DecodingError, FrameJob

_MAX_SEGMENTS = 15  # of RLE (PS3.5 G.5)


def decode_frame(job: FrameJob, data: bytes) -> Decoded:
    """Decode one frame, whose codestream declares what `job` does (`codestream.parse_frame`).

    Raises DecodingError, and whatever the libraries do, for damage.
    """
    if job.codec is Codec.RLE:
        return _decode_rle(job, data)
    return _decode_with_gdcm(job, data) if _needs_gdcm(job) else _decode_jpeg_2000(job, data)


def load_libraries(job: FrameJob) -> None:
    """Import what `decode_frame` will need, and Pillow has not brought."""
    if _needs_gdcm(job):
        import gdcm  # noqa: F401


def _needs_gdcm(job: FrameJob) -> bool:
    return job.codec in (Codec.JPEG, Codec.JPEG_LS) or (job.codec is Codec.JPEG_2000 and job.stored > 16)


def _decode_jpeg_2000(job: FrameJob, data: bytes) -> Decoded:
    """Words in the upper bits of 8 or 16, as Pillow has them; signed ones with half the range added."""
    with Jpeg2KImageFile(BytesIO(data[find_jpeg_2000(data) :])) as image:
        image.load()
        return Decoded(image.tobytes(), job.rows, job.columns, mode=image.mode)


def _decode_rle(job: FrameJob, data: bytes) -> Decoded:
    """The bytes of all words, plane by plane, the highest first (PS3.5 G.2)."""
    planes = job.allocated // 8
    count, *offsets = struct.unpack_from(f"<{1 + _MAX_SEGMENTS}I", data)
    if count != planes:
        raise DecodingError(f"{count} RLE segments for words of {planes} bytes")
    ends = [*offsets[1:planes], len(data)]
    # (As one long line: some writers let runs go on into the next row.)
    size = (job.rows * job.columns, 1)
    segments = (data[start:end] for start, end in zip(offsets[:planes], ends, strict=True))
    decoded = [Image.frombytes("L", size, segment, "packbits", "L").tobytes() for segment in segments]
    return Decoded(b"".join(decoded), job.rows, job.columns)


def _decode_with_gdcm(job: FrameJob, data: bytes) -> Decoded:
    """Little-endian words of `job.allocated` bits."""
    # Here, not above: most frames need no gdcm.
    import gdcm

    fragment = gdcm.Fragment()
    fragment.SetByteStringValue(data)
    fragments = gdcm.SequenceOfFragments.New()
    fragments.AddFragment(fragment)
    element = gdcm.DataElement(gdcm.Tag(0x7FE0, 0x0010))
    element.SetValue(fragments.__ref__())
    image = gdcm.Image()
    image.SetNumberOfDimensions(2)
    image.SetDimensions((job.columns, job.rows, 1))
    image.SetDataElement(element)
    grey = gdcm.PhotometricInterpretation.GetPIType("MONOCHROME2")
    image.SetPhotometricInterpretation(gdcm.PhotometricInterpretation(grey))
    image.SetTransferSyntax(gdcm.TransferSyntax(gdcm.TransferSyntax.GetTSType(job.syntax)))
    image.SetPixelFormat(gdcm.PixelFormat(1, job.allocated, job.stored, job.stored - 1, int(job.signed)))
    # gdcm gives its buffer as text.
    words = image.GetBuffer().encode("utf-8", "surrogateescape")
    if len(words) != job.rows * job.columns * job.allocated // 8:
        raise DecodingError(f"{len(words)} bytes of pixels")
    return Decoded(words, job.rows, job.columns)
