"""What is asked of a C library, and what it gives: the messages between a program and its decoders.

Bytes and small numbers only, so that no pickle is needed and a decoder that went wrong can hand over nothing
worse than wrong pixels. Knows nothing of processes. (Named tuples, as each process that decodes imports this:
to import and make dataclasses is a tenth of what it takes for one picture.)
"""

from __future__ import annotations

import json
import struct
from enum import StrEnum
from typing import BinaryIO, NamedTuple

from covidct.images.file_type import FileType

_LENGTHS = struct.Struct("<IQ")


class Codec(StrEnum):
    """How a frame is compressed; JPEG stands for all but baseline, too: lossless, 12-bit, progressive."""

    JPEG = "jpeg"
    JPEG_LS = "jpeg-ls"
    JPEG_2000 = "jpeg-2000"
    RLE = "rle"


class Limits(NamedTuple):
    """What one job may take: seconds of processor time, and bytes beyond those of the libraries.

    Of processor time, so that no sound file fails because a computer is busy.
    """

    seconds: float = 2.0
    memory: int = 512 * 2**20


class PictureJob(NamedTuple):
    """A picture file to decode to grey levels, upright; `name` is what errors call it."""

    kind: FileType
    name: str


class FrameJob(NamedTuple):
    """A frame of one component to decode; `syntax` is the TransferSyntaxUID, `allocated` bits a word."""

    codec: Codec
    syntax: str
    rows: int
    columns: int
    allocated: int
    stored: int
    signed: bool


Job = PictureJob | FrameJob


class Decoded(NamedTuple):
    """Decoded pixels row by row; `mode` is Pillow's, empty for words as a frame's job describes them.

    `is_deep` where a picture was stored with 16 bits a channel, `is_negative` where its white is 0. `camera`
    names what took a photograph.
    """

    data: bytes
    rows: int
    columns: int
    mode: str = ""
    is_deep: bool = False
    is_negative: bool = False
    camera: str = ""


class DecodingError(Exception):
    """What a library said of damaged data; who asked turns it into an error with a remedy."""


def write_job(job: Job) -> bytes:
    """A job as JSON."""
    return json.dumps({"is_frame": isinstance(job, FrameJob), "job": job._asdict()}).encode()


def parse_job(data: bytes) -> Job:
    """What `write_job` wrote."""
    message = json.loads(data)
    job = message["job"]
    if message["is_frame"]:
        return FrameJob(**job | {"codec": Codec(job["codec"])})
    return PictureJob(FileType(job["kind"]), job["name"])


def write_message(sink: BinaryIO, head: bytes, data: bytes) -> None:
    """Write the length of either, then both. Raises OSError where nobody reads."""
    sink.write(_LENGTHS.pack(len(head), len(data)) + head)
    sink.write(data)
    sink.flush()


def read_head(source: BinaryIO) -> tuple[bytes, int] | None:
    """The head of a message, and how many bytes follow it; None at the end."""
    lengths = source.read(_LENGTHS.size)
    if len(lengths) < _LENGTHS.size:
        return None
    head, size = _LENGTHS.unpack(lengths)
    return source.read(head), size


def read_message(source: BinaryIO) -> tuple[bytes, bytes] | None:
    """A whole message; None at the end, and where it comes too soon."""
    if (message := read_head(source)) is None:
        return None
    head, size = message
    data = source.read(size)
    return (head, data) if len(data) == size else None
