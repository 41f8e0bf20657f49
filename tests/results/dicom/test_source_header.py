"""The header behind a report: decoded, within what a file may take."""

from __future__ import annotations

import struct
from io import BytesIO

import pytest
from pydicom import uid
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.tag import Tag

from covidct.errors import ReadError
from covidct.images.blob import MemoryBlob
from covidct.results.dicom.source_header import DEPTH, read_source_header
from patients import patient_dataset

KEYWORD = "OtherPatientIDsSequence"


def read(
    dataset: Dataset, asked: list[str] | None = None, *, syntax: uid.UID = uid.ExplicitVRLittleEndian
) -> Dataset:
    dataset.file_meta.TransferSyntaxUID = syntax
    buffer = BytesIO()
    dataset.save_as(buffer, enforce_file_format=True)
    return read_source_header(MemoryBlob("a.dcm", buffer.getvalue()), asked, name="a.dcm")


def raw(value: bytes, vr: str | None = "SQ") -> RawDataElement:
    """The sequence as it stands in a file, of known length: nobody has parsed it yet."""
    return RawDataElement(Tag(KEYWORD), vr, len(value), value, 0, vr is None, True)


def nested(depth: int) -> bytes:
    """Items in items, each of known length."""
    data = b""
    for _ in range(depth):
        head = struct.pack("<HH2s2xL", 0x10, 0x1002, b"SQ", len(data)) if data else b""
        data = struct.pack("<HHL", 0xFFFE, 0xE000, len(head + data)) + head + data
    return data


def test_text_in_items_is_decoded_too() -> None:
    item = Dataset()
    item.PatientID = "Jörg"
    dataset = patient_dataset(1, SpecificCharacterSet="ISO_IR 100", OtherPatientIDsSequence=[item])
    for asked in (None, ["SpecificCharacterSet", KEYWORD]):
        assert read(dataset, asked)[KEYWORD].value[0].PatientID == "Jörg"
    assert "PixelData" not in read(dataset)


@pytest.mark.parametrize("syntax", [uid.ExplicitVRLittleEndian, uid.ImplicitVRLittleEndian])
@pytest.mark.parametrize("asked", [None, [KEYWORD]])
def test_zeros_in_a_sequence_are_not_all_parsed(asked: list[str] | None, syntax: uid.UID) -> None:
    """pydicom takes each eight of them for an item, as soon as text is decoded."""
    dataset = patient_dataset(1)
    dataset[KEYWORD] = raw(bytes(400_000), "SQ" if syntax == uid.ExplicitVRLittleEndian else None)
    with pytest.raises(ReadError, match=r"^a\.dcm: damaged DICOM \(far too many items\)"):
        read(dataset, asked, syntax=syntax)


def test_what_calls_itself_unknown_and_is_a_sequence_is_bounded_too() -> None:
    dataset = patient_dataset(1)
    for keyword in ("OtherPatientIDsSequence", "ReferencedImageSequence", "SourceImageSequence"):
        dataset[keyword] = raw(bytes(0xFFF8), "UN")._replace(tag=Tag(keyword))
    with pytest.raises(ReadError, match="far too many items"):
        read(dataset)


def test_sequences_far_too_deep_are_not_parsed() -> None:
    dataset = patient_dataset(1)
    dataset[KEYWORD] = raw(nested(DEPTH))
    assert len(read(dataset)[KEYWORD].value) == 1
    dataset[KEYWORD] = raw(nested(DEPTH + 2))
    with pytest.raises(ReadError, match=rf"^a\.dcm: damaged DICOM \(sequences nested more than {DEPTH} deep"):
        read(dataset)
