from __future__ import annotations

import gzip
import random
import struct
import tarfile
import tracemalloc
import zipfile
from io import BytesIO
from pathlib import Path

import pytest

from covidct.errors import ReadError
from covidct.images import limits
from covidct.images.blob import FileBlob, MemoryBlob
from covidct.images.file_type import sniff_head
from covidct.series import archive
from covidct.series.archive import open_archive


def pack(files: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as made:
        for name, data in files.items():
            made.writestr(name, data)
    return buffer.getvalue()


DICOM = bytes(128) + b"DICM" + b"x" * 100
FILES = {"b/s10.dcm": b"10", "b/s2.dcm": b"2", "a/IM1": DICOM, "notes.txt": b"n", "__MACOSX/b/s2.dcm": b"m"}


def failure(data: bytes) -> str:
    unpacked = open_archive(MemoryBlob("x.zip", data))
    with pytest.raises(ReadError) as caught:
        unpacked.blobs[0].read()
    with pytest.raises(ReadError):
        unpacked.blobs[0].open()
    return str(caught.value)


@pytest.mark.parametrize(
    "method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA]
)
def test_files_are_listed_as_in_a_folder(tmp_path: Path, method: int) -> None:
    data = pack(FILES, method)
    (tmp_path / "x.zip").write_bytes(data)
    for blob in (MemoryBlob("x.zip", data), FileBlob(tmp_path / "x.zip", "x.zip")):
        unpacked = open_archive(blob)
        assert [one.name for one in unpacked.blobs] == ["x.zip/a/IM1", "x.zip/b/s2.dcm", "x.zip/b/s10.dcm"]
        assert set(unpacked.skipped) == {"x.zip/notes.txt", "x.zip/__MACOSX/b/s2.dcm"}
        assert [one.read() for one in unpacked.blobs] == [DICOM, b"2", b"10"]
        with unpacked.blobs[0].open() as stream:
            assert stream.read() == DICOM


def test_a_path_in_an_archive_is_but_a_name(tmp_path: Path) -> None:
    unpacked = open_archive(MemoryBlob("x.zip", pack({"../../etc/s.dcm": b"1", "/tmp/t.dcm": b"2"})))
    assert [blob.read() for blob in unpacked.blobs] == [b"1", b"2"]
    assert list(tmp_path.iterdir()) == []


def test_an_encrypted_file_says_so() -> None:
    data = bytearray(pack({"s.dcm": b"secret"}))
    for magic, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        struct.pack_into("<H", data, data.index(magic) + at, 1)
    assert failure(bytes(data)).startswith("x.zip/s.dcm: encrypted; unpack the archive with its password")


def test_damage_says_so() -> None:
    data = pack({"s.dcm": bytes(range(256)) * 40}, zipfile.ZIP_STORED)
    assert "damaged in the archive (Bad CRC-32" in failure(data.replace(b"\x10\x11", b"\x11\x10", 1))
    assert failure(data[:200]).startswith("x.zip: a damaged ZIP archive")
    assert failure(b"PK\x03\x04").startswith("x.zip: a damaged ZIP archive")
    assert failure(pack({})).startswith("x.zip: the archive is empty")
    assert failure(pack({"s.dcm": b""})) == "x.zip/s.dcm: the file is empty; copy it again"


def test_a_bomb_is_not_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "MAX_TOTAL", 1000)
    assert "2,000 bytes unpacked, but at most 1,000" in failure(pack({"s.dcm": bytes(2000)}))
    monkeypatch.setattr(archive, "MAX_ENTRIES", 2)
    assert failure(pack(FILES)).startswith("x.zip: 5 files in an archive")


def test_one_file_too_large_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("covidct.images.limits.MAX_BYTES", 1000)
    assert "2,000 bytes, but at most 1,000" in failure(pack({"s.dcm": bytes(2000)}))


def test_a_size_that_lies_gives_no_more_than_it_says() -> None:
    data = bytearray(pack({"s.dcm": bytes(100_000)}))
    struct.pack_into("<I", data, data.index(b"PK\x01\x02") + 24, 10)  # the size in the table of contents
    assert "damaged in the archive" in failure(bytes(data))


def tar(files: dict[str, bytes]) -> bytes:
    buffer = BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as made:
        for name, data in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            made.addfile(entry, BytesIO(data))
    return buffer.getvalue()


@pytest.mark.parametrize("is_packed", [False, True])
def test_tar_is_listed_as_zip_is(tmp_path: Path, is_packed: bool) -> None:
    data = gzip.compress(tar(FILES)) if is_packed else tar(FILES)
    (tmp_path / "x.tar").write_bytes(data)
    for blob in (MemoryBlob("x.tar", data), FileBlob(tmp_path / "x.tar", "x.tar")):
        unpacked = open_archive(blob, sniff_head(data))
        assert [one.name for one in unpacked.blobs] == ["x.tar/a/IM1", "x.tar/b/s2.dcm", "x.tar/b/s10.dcm"]
        assert [one.read() for one in unpacked.blobs] == [DICOM, b"2", b"10"]
        with unpacked.blobs[0].open() as stream:
            assert stream.read() == DICOM


def test_a_packed_tar_is_never_in_memory_as_a_whole() -> None:
    noise = random.Random(1).randbytes(2**20)
    files = {f"{at}.dcm": bytes((at,)) + noise for at in range(20)}
    packed = MemoryBlob("x.tgz", gzip.compress(tar(files), 1))
    tracemalloc.start()
    try:
        entries = open_archive(packed, sniff_head(packed.data)).blobs
        # (Last to first: each read begins at a mark that the listing has left.)
        assert all(entries[at].read() == files[f"{at}.dcm"] for at in reversed(range(20)))
        assert tracemalloc.get_traced_memory()[1] < 8 * 2**20
    finally:
        tracemalloc.stop()


def test_an_archive_of_zeros_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "LARGE", 1_000_000)
    for data in (pack({"s.dcm": bytes(2_000_000)}), gzip.compress(tar({"s.dcm": bytes(2_000_000)}))):
        assert "x.zip: unpacks to more than 100 times" in failure(data)


def test_a_tar_that_is_cut_off_or_too_large_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    data = tar({"s.dcm": bytes(5000)})
    assert failure(data[:3000]).startswith(("x.zip: a damaged tar archive", "x.zip/s.dcm: cut off"))
    assert failure(tar({})[:512] + data[:257] + b"ustar").startswith(
        ("x.zip: a damaged", "x.zip: an archive")
    )
    assert failure(tar({"s.dcm": b""})) == "x.zip/s.dcm: the file is empty; copy it again"
    monkeypatch.setattr(archive, "MAX_PACKED_TAR", 1000)
    assert failure(gzip.compress(data)).startswith("x.zip: unpacks to more than 1,000 bytes")
    monkeypatch.setattr(archive, "MAX_ENTRIES", 2)
    assert failure(tar(FILES)).startswith("x.zip: 3 files in an archive, but at most 2")


def test_an_archive_in_an_archive_is_named() -> None:
    message = failure(pack({"inner.zip": pack(FILES)}))
    assert message == (
        "x.zip/inner.zip: a ZIP archive in an archive; unpack the outer one, and give the folder"
    )


def test_a_file_of_negative_size_is_damage() -> None:
    """Found by the guided fuzzer: all that follows was read."""
    entry = tarfile.TarInfo("s.dcm")
    entry.size = -512
    data = entry.tobuf(tarfile.GNU_FORMAT) + bytes(2048)
    for one in (data, gzip.compress(data)):
        assert failure(one) == "x.zip: a damaged tar archive (a file of -512 bytes); make it again"


def test_a_file_without_a_name_is_a_file() -> None:
    """Found by the fuzzer."""
    data = pack({"QQ": DICOM, "s2.dcm": b"2"}, zipfile.ZIP_STORED).replace(b"QQ", b"\0Q")
    blobs = open_archive(MemoryBlob("x.zip", data)).blobs
    assert [blob.name for blob in blobs] == ["x.zip/", "x.zip/s2.dcm"]
