from __future__ import annotations

import gzip

import pytest
from pydicom import uid

from covidct.images.head import Form, Head, look_at, sniff
from makers import ct_dataset, dicom_bytes, phantom_hu

OBJECT = dicom_bytes(ct_dataset(phantom_hu()))


@pytest.mark.parametrize(
    ("data", "form"),
    [
        (OBJECT, Form.DICOM),
        (OBJECT[132:], Form.BARE_DICOM),  # file meta without its preamble
        (b"\x08\x00\x05\x00CS\x0a\x00ISO_IR 100", Form.BARE_DICOM),
        (b"\x08\x00\x00\x00\x04\x00\x00\x00\x7e\x01\x00\x00", Form.BARE_DICOM),
        (b"\x00\x08\x00\x05CS\x00\x0aISO_IR 100", Form.BARE_DICOM),
        (b"\x00\x08\x00\x00\x00\x00\x00\x04\x00\x00\x01\x7e", Form.BARE_DICOM),
        (b"\x08\x00\xff\xff random", Form.UNKNOWN),
        (b"PK\x03\x04", Form.ZIP),
        (b"II*\0", Form.TIFF),
        (bytes(257) + b"ustar\x0000", Form.TAR),
        (bytes(4) + b"n+2\0\r\n\x1a\n", Form.NIFTI),
        (bytes(344) + b"n+1\0", Form.NIFTI),
        (b"ObjectType = Image\nNDims = 3\n", Form.METAIMAGE),
        (b"NRRD0004\ntype: short\n", Form.NRRD),
        (b"\0\0\0\x18ftypheic", Form.HEIC),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:", Form.POINTER),
        (b"", Form.UNKNOWN),
        (b"notes", Form.UNKNOWN),
    ],
)
def test_forms(data: bytes, form: Form) -> None:
    assert sniff(data) is form


def test_gzip_is_looked_into() -> None:
    assert look_at(OBJECT) == Head(Form.DICOM)
    assert look_at(gzip.compress(OBJECT)) == Head(Form.DICOM, is_packed=True)
    assert look_at(gzip.compress(OBJECT)[:1024]) == Head(Form.DICOM, is_packed=True)
    assert look_at(gzip.compress(b"notes")) == Head(Form.UNKNOWN, is_packed=True)
    assert look_at(b"\x1f\x8b broken") == Head(Form.UNKNOWN, is_packed=True)


def test_every_storage_of_an_object_is_known() -> None:
    for syntax in (uid.ExplicitVRLittleEndian, uid.ImplicitVRLittleEndian):
        dataset = ct_dataset(phantom_hu())
        dataset.file_meta.TransferSyntaxUID = syntax
        data = dicom_bytes(dataset)
        length = int.from_bytes(data[140:144], "little")
        assert sniff(data[144 + length :]) is Form.BARE_DICOM
