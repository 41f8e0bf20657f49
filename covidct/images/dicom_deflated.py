"""A deflated DICOM object (PS3.5 A.5) -> the same object in Explicit VR Little Endian, within bounds.

pydicom inflates the whole object before anything can be checked, and a megabyte can fill the memory. Knows
file meta and zlib. Knows nothing of what the object holds.
"""

from __future__ import annotations

import struct
import zlib

from covidct.errors import ReadError, UnsupportedDicom
from covidct.images.file_type import FileType, sniff
from covidct.images.limits import MAX_BYTES

_DEFLATED = b"1.2.840.10008.1.2.1.99"
# As long as the other, so that no length in the file meta changes; UIDs are padded with NUL (PS3.5 9.1).
_EXPLICIT = b"1.2.840.10008.1.2.1".ljust(len(_DEFLATED), b"\0")
_GROUP_LENGTH = b"\x02\x00\x00\x00UL\x04\x00"


def inflate(data: bytes, *, name: str, limit: int = MAX_BYTES) -> bytes:
    """Inflate an object that is deflated; all else is given back as it is.

    Raises UnsupportedDicom for one that would be longer than `limit`, ReadError for a damaged one.
    """
    if (start := _end_of_meta(data)) is None or _DEFLATED not in data[132:start]:
        return data
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        rest = inflater.decompress(data[start:], limit + 1)
    except zlib.error as error:
        raise ReadError(f"{name}: damaged deflated DICOM ({error}); copy it again") from error
    if len(rest) > limit:
        raise UnsupportedDicom(f"{name}: deflated, and longer than {limit:,} bytes; write it uncompressed")
    if not inflater.eof:
        raise ReadError(f"{name}: deflated DICOM that is cut off; copy it again")
    return data[:132] + data[132:start].replace(_DEFLATED, _EXPLICIT) + rest


def _end_of_meta(data: bytes) -> int | None:
    """Where the file meta ends; None where it does not say (PS3.10 7.1)."""
    if sniff(data) is not FileType.DICOM or data[132:140] != _GROUP_LENGTH or len(data) < 144:
        return None
    return 144 + int(struct.unpack_from("<I", data, 140)[0])
