from __future__ import annotations

import gzip

import pytest
from pydicom import uid

from covidct.images.file_type import FileType, Head, sniff, sniff_head
from makers import ct_dataset, dicom_bytes, phantom_hu

OBJECT = dicom_bytes(ct_dataset(phantom_hu()))


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (OBJECT, FileType.DICOM),
        (OBJECT[132:], FileType.BARE_DICOM),  # file meta without its preamble
        (b"\x08\x00\x05\x00CS\x0a\x00ISO_IR 100", FileType.BARE_DICOM),
        (b"\x08\x00\x00\x00\x04\x00\x00\x00\x7e\x01\x00\x00", FileType.BARE_DICOM),
        (b"\x00\x08\x00\x05CS\x00\x0aISO_IR 100", FileType.BARE_DICOM),
        (b"\x00\x08\x00\x00\x00\x00\x00\x04\x00\x00\x01\x7e", FileType.BARE_DICOM),
        (b"\x08\x00\xff\xff random", FileType.UNKNOWN),
        (b"PK\x03\x04", FileType.ZIP),
        (b"II*\0", FileType.TIFF),
        (bytes(257) + b"ustar\x0000", FileType.TAR),
        (bytes(4) + b"n+2\0\r\n\x1a\n", FileType.NIFTI),
        (bytes(344) + b"n+1\0", FileType.NIFTI),
        (b"ObjectType = Image\nNDims = 3\n", FileType.METAIMAGE),
        (b"NRRD0004\ntype: short\n", FileType.NRRD),
        (b"\0\0\0\x18ftypheic", FileType.HEIC),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:", FileType.POINTER),
        (b"", FileType.UNKNOWN),
        (b"notes", FileType.UNKNOWN),
    ],
)
def test_types(data: bytes, kind: FileType) -> None:
    assert sniff(data) is kind


def test_gzip_is_looked_into() -> None:
    assert sniff_head(OBJECT) == Head(FileType.DICOM)
    assert sniff_head(gzip.compress(OBJECT)) == Head(FileType.DICOM, is_packed=True)
    assert sniff_head(gzip.compress(OBJECT)[:1024]) == Head(FileType.DICOM, is_packed=True)
    assert sniff_head(gzip.compress(b"notes")) == Head(FileType.UNKNOWN, is_packed=True)
    assert sniff_head(b"\x1f\x8b broken") == Head(FileType.UNKNOWN, is_packed=True)


def test_every_storage_of_an_object_is_known() -> None:
    for syntax in (uid.ExplicitVRLittleEndian, uid.ImplicitVRLittleEndian):
        dataset = ct_dataset(phantom_hu())
        dataset.file_meta.TransferSyntaxUID = syntax
        data = dicom_bytes(dataset)
        length = int.from_bytes(data[140:144], "little")
        assert sniff(data[144 + length :]) is FileType.BARE_DICOM
