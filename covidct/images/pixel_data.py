"""The PixelData of one slice -> its words, raw or compressed.

Knows transfer syntaxes, and what a codestream says that its object may contradict: precision and sign. Raw
words are read here, compressed ones decoded elsewhere (`decoding`). Knows nothing of what words mean.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from pydicom import uid
from pydicom.dataset import Dataset
from pydicom.encaps import get_frame
from pydicom.pixels import get_decoder  # type: ignore[attr-defined]  # (documented, but not in an __all__)

from covidct.errors import ReadError
from covidct.images.decoding.codestream import Frame, parse_frame
from covidct.images.decoding.jobs import Codec, Decoded, FrameJob
from covidct.images.decoding.pool import decode
from covidct.images.dicom_header import Header
from covidct.images.hounsfield import Words, drop_unused_bits
from covidct.images.library_errors import damage_as

_CODECS: tuple[tuple[Codec, tuple[str, ...]], ...] = (
    (Codec.JPEG_2000, (*uid.JPEG2000TransferSyntaxes, uid.HTJ2KLossless, uid.HTJ2KLosslessRPCL, uid.HTJ2K)),
    (Codec.JPEG_LS, tuple(uid.JPEGLSTransferSyntaxes)),
    # The two retired ones (processes 6 and 8, 10 and 12) are JPEG as any other.
    (Codec.JPEG, (*uid.JPEGTransferSyntaxes, "1.2.840.10008.1.2.4.53", "1.2.840.10008.1.2.4.55")),
    (Codec.RLE, (uid.RLELossless,)),
)
# These carry their own precision, which counts more than what the object says.
_CARRY_PRECISION = (Codec.JPEG_2000, Codec.JPEG_LS)


def decode_words(dataset: Dataset, header: Header, *, name: str) -> tuple[Words, int]:
    """The stored words (rows, columns) of a slice, and how many of their bits are used.

    Raises ReadError for what is damaged, cut off or of a kind that is not supported.
    """
    syntax = find_transfer_syntax(dataset)
    data = dataset["PixelData"].value
    if not syntax.is_transfer_syntax:
        raise _undecodable(syntax, name)
    if not syntax.is_encapsulated:
        return _read_raw(data, dataset["PixelData"].VR, header, syntax, name), header.bits_stored
    with damage_as(lambda _: _undecodable(syntax, name)):
        return _decode_compressed(get_frame(data, 0, number_of_frames=1), header, syntax, name)


def find_transfer_syntax(dataset: Dataset) -> uid.UID:
    """Give the TransferSyntaxUID; for an object without file meta, the one that it was parsed with."""
    meta = getattr(dataset, "file_meta", None)
    if meta is not None and (syntax := meta.get("TransferSyntaxUID")):
        return uid.UID(syntax)
    implicit, little = dataset.original_encoding
    if little is False:
        return uid.ExplicitVRBigEndian
    return uid.ImplicitVRLittleEndian if implicit else uid.ExplicitVRLittleEndian


def _read_raw(data: bytes, vr: str, header: Header, syntax: uid.UID, name: str) -> Words:
    expected = header.rows * header.columns * header.bits_allocated // 8
    if len(data) < expected:
        raise ReadError(f"{name}: the pixel data is cut off ({len(data)} of {expected} bytes); copy it again")
    options: dict[str, Any] = {
        "rows": header.rows,
        "columns": header.columns,
        "number_of_frames": 1,
        "samples_per_pixel": 1,
        "bits_allocated": header.bits_allocated,
        "bits_stored": header.bits_stored,
        "pixel_representation": int(header.signed),
        "photometric_interpretation": "MONOCHROME2",
        "pixel_keyword": "PixelData",
        "pixel_vr": vr,
        # Padding may lie outside of BitsStored, so it is looked for before the unused bits go.
        "correct_unused_bits": False,
    }
    with damage_as(lambda _: _undecodable(syntax, name)):
        # Bytes after the last pixel are harmless, but pydicom takes enough of them for a second frame.
        words, _ = get_decoder(syntax).as_array(data[:expected], raw=True, index=0, **options)
    return np.asarray(words)


def _decode_compressed(data: bytes, header: Header, syntax: uid.UID, name: str) -> tuple[Words, int]:
    codec = next((codec for codec, syntaxes in _CODECS if syntax in syntaxes), None)
    if codec is None:
        raise _undecodable(syntax, name)
    if codec is Codec.RLE:
        job = _to_job(codec, syntax, header, header.bits_allocated, header.bits_stored)
        return _join_planes(decode(job, data, name=name), header), header.bits_stored
    frame = _parse_codestream(data, header, syntax, name)
    if codec is Codec.JPEG:
        job = _to_job(codec, syntax, header, header.bits_allocated, header.bits_stored)
        return _as_words(decode(job, data, name=name), job), header.bits_stored
    allocated = 8 if frame.precision <= 8 else 16 if frame.precision <= 16 else 32
    job = _to_job(codec, syntax, header, allocated, frame.precision)
    decoded = decode(job, data, name=name)
    words = _as_words(decoded, job) if not decoded.mode else _from_upper_bits(decoded, job, frame)
    # A codestream's own sign is often wrong, or lacks: that of the object counts.
    return drop_unused_bits(words, bits_stored=frame.precision), frame.precision


def _parse_codestream(data: bytes, header: Header, syntax: uid.UID, name: str) -> Frame:
    """Raise where a codestream is not what the object declares, which a decoder would believe."""
    frame = parse_frame(data)
    if frame is None or not 2 <= frame.precision <= header.bits_allocated:
        raise _undecodable(syntax, name)
    if (frame.rows, frame.columns, frame.components) != (header.rows, header.columns, 1):
        raise _undecodable(syntax, name)
    return frame


def _to_job(codec: Codec, syntax: uid.UID, header: Header, allocated: int, stored: int) -> FrameJob:
    return FrameJob(codec, str(syntax), header.rows, header.columns, allocated, stored, header.signed)


def _as_words(decoded: Decoded, job: FrameJob) -> Words:
    return np.frombuffer(decoded.data, _type(job.allocated, signed=job.signed)).reshape(job.rows, job.columns)


def _from_upper_bits(decoded: Decoded, job: FrameJob, frame: Frame) -> Words:
    """Undo what Pillow does to JPEG 2000: words in the upper bits, signed ones with half the range added."""
    upper = np.frombuffer(decoded.data, _type(job.allocated, signed=False))
    bits = upper >> (job.allocated - frame.precision)
    if frame.signed:
        bits ^= upper.dtype.type(1 << (frame.precision - 1))
    return bits.view(_type(job.allocated, signed=job.signed)).reshape(job.rows, job.columns)


def _join_planes(decoded: Decoded, header: Header) -> Words:
    """Words of the planes of their bytes, the highest first."""
    planes = np.frombuffer(decoded.data, np.uint8).reshape(header.bits_allocated // 8, -1)
    words = np.ascontiguousarray(planes[::-1].T).view(_type(header.bits_allocated, signed=header.signed))
    return words.reshape(header.rows, header.columns)


def _type(bits: int, *, signed: bool) -> np.dtype[np.integer[Any]]:
    return np.dtype(f"<{'i' if signed else 'u'}{bits // 8}")


def _undecodable(syntax: uid.UID, name: str) -> ReadError:
    return ReadError(
        f"{name}: the pixel data ({syntax.name}) cannot be decoded: damaged, cut off or of a kind that is "
        "not supported; copy it again, or convert it to Explicit VR Little Endian (gdcmconv --raw)"
    )
