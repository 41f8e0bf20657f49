"""DICOMweb without a server, or with one that fails; with a real one: test_orthanc."""

from __future__ import annotations

import gzip
import threading
from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from pydicom.dataset import Dataset

from covidct.apps.cli.main import main
from covidct.apps.pacs import dicomweb as module
from covidct.apps.pacs.dicomweb import AUTH, TOKEN, Archive, _list
from covidct.errors import DicomwebError
from makers import dicom_bytes
from patients import STUDY_UID, patient_dataset
from services.pacs import free_port


class Failing(BaseHTTPRequestHandler):
    """Answers every request with what the first part of the path names: a status, `text` or `object`."""

    seen: list[str | None]
    answer, kind = b"", ""

    def do_POST(self) -> None:
        """Answers `answer`, as an archive that is sent whole bodies only."""
        whole = self.headers.get("Content-Length")
        self.rfile.read(int(whole or 0))
        word = self.path.split("/")[1]
        self.send_response(int(word) if whole else 411)
        self.send_header("Content-Type", "application/dicom+json")
        self.end_headers()
        self.wfile.write(type(self).answer)

    def do_GET(self) -> None:
        """As the word says; `object` gets `answer` as `kind`."""
        type(self).seen.append(self.headers.get("Authorization"))
        word = self.path.split("/")[1]
        is_asked = word == "object"
        self.send_response(int(word) if word.isdecimal() else 200)
        if is_asked:
            self.send_header("Content-Type", type(self).kind)
        if is_asked and type(self).answer[:2] == b"\x1f\x8b":
            self.send_header("Content-Encoding", "gzip")
        self.end_headers()
        with suppress(ConnectionError):  # who has had enough hangs up
            self.wfile.write(type(self).answer if is_asked else b"<html>not DICOM</html>")

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[str]:
    Failing.seen, Failing.answer, Failing.kind = [], b"", ""
    with HTTPServer(("127.0.0.1", 0), Failing) as http:
        thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield f"http://127.0.0.1:{http.server_port}"
        http.shutdown()
        thread.join()


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("401", f"answers 401 for study .*give user:password in {AUTH}"),
        ("404", "answers 404 for study .*check URL and UID"),
        ("500", "answers 500"),
        ("text", "gives no DICOM"),
    ],
)
def test_servers_that_fail(server: str, word: str, message: str) -> None:
    with Archive(f"{server}/{word}") as archive, pytest.raises(DicomwebError, match=message):
        archive.find(STUDY_UID)


def test_who_asks_is_told_by_the_environment(server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(AUTH, "jane:se:cret")
    with Archive(f"{server}/404") as archive, pytest.raises(DicomwebError) as caught:
        archive.find(STUDY_UID)
    assert Failing.seen == ["Basic amFuZTpzZTpjcmV0"]
    assert "cret" not in str(caught.value)


def test_a_token_goes_before_a_password(server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(AUTH, "jane:secret")
    monkeypatch.setenv(TOKEN, "abc")
    with Archive(f"{server}/404") as archive, pytest.raises(DicomwebError):
        archive.find(STUDY_UID)
    assert Failing.seen == ["Bearer abc"]


def to_items(*uids: str) -> list[dict[str, Any]]:
    return [{"00080018": {"vr": "UI", "Value": [uid]}} for uid in uids]


INSTANCE = dicom_bytes(patient_dataset(1))


def fetch(server: str, path: Path) -> None:
    with Archive(f"{server}/object") as archive:
        archive._fetch("1.2", "1.3", "1.4", path)


def to_parts(*datas: bytes) -> bytes:
    """A body of several parts (RFC 2387)."""
    head = b"--line\r\nContent-Type: application/dicom\r\n\r\n"
    return b"".join(head + data + b"\r\n" for data in datas) + b"--line--\r\n"


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (to_parts(INSTANCE), 'multipart/related; type="application/dicom"; boundary=line'),
        (INSTANCE, "application/dicom"),
    ],
)
def test_an_instance_comes_as_the_server_has_it(
    server: str, answer: bytes, kind: str, tmp_path: Path
) -> None:
    Failing.answer, Failing.kind = answer, kind
    fetch(server, tmp_path / "0.dcm")
    assert (tmp_path / "0.dcm").read_bytes() == INSTANCE


def nest(depth: int) -> bytes:
    """The instance with items in items, none of which says how long it is."""
    opens = b"\x08\x00\x40\x11SQ\0\0\xff\xff\xff\xff\xfe\xff\x00\xe0\xff\xff\xff\xff"
    at = INSTANCE.index(b"\x08\x00\x60\x00")
    return INSTANCE[:at] + opens * depth + INSTANCE[at:]


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (b"<html>not DICOM</html>", "application/dicom"),
        (INSTANCE, "text/html"),
        (nest(10_000), "application/dicom"),
        (to_parts(INSTANCE, INSTANCE), "multipart/related; boundary=line"),
        (to_parts(), "multipart/related; boundary=line"),
    ],
)
def test_an_instance_that_arrives_damaged_is_no_dicom(
    server: str, answer: bytes, kind: str, tmp_path: Path
) -> None:
    Failing.answer, Failing.kind = answer, kind
    with pytest.raises(DicomwebError, match=r"gives no DICOM for instance 1\.4"):
        fetch(server, tmp_path / "0.dcm")
    assert list(tmp_path.iterdir()) == []


def test_an_instance_of_far_too_many_items_is_not_parsed(server: str, tmp_path: Path) -> None:
    at = INSTANCE.index(b"\x08\x00\x60\x00")
    zeros = b"\x08\x00\x40\x11SQ\0\0\xff\xff\xff\xff" + bytes(400_000)
    Failing.answer, Failing.kind = INSTANCE[:at] + zeros + INSTANCE[at:], "application/dicom"
    with pytest.raises(DicomwebError, match="gives no DICOM") as caught:
        fetch(server, tmp_path / "0.dcm")
    assert "far too many items" in str(caught.value.__cause__)


def test_an_answer_that_does_not_end_is_not_read_to_its_end(
    server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_OBJECT", 100_000)
    monkeypatch.setattr(module, "MAX_LIST", 100_000)
    Failing.answer, Failing.kind = gzip.compress(bytes(10_000_000)), "application/dicom"
    with pytest.raises(DicomwebError, match="answer of more than 100,000 bytes; have the server"):
        fetch(server, tmp_path / "0.dcm")
    with (
        Archive(f"{server}/object") as archive,
        pytest.raises(DicomwebError, match="than 100,000 bytes"),
    ):
        archive.find_studies()


def test_a_list_may_not_be_as_long_as_an_instance(server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_LIST", 1000)
    Failing.answer, Failing.kind = b" " * 1001 + b"[]", "application/json"
    with Archive(f"{server}/object") as archive, pytest.raises(DicomwebError, match="more than 1,000 bytes"):
        archive.find_studies()


def test_lists_in_lists_are_no_answer(server: str) -> None:
    Failing.answer, Failing.kind = b"[" * 100_000, "application/json"
    with Archive(f"{server}/object") as archive, pytest.raises(DicomwebError, match="gives no DICOM"):
        archive.find_studies()


def test_a_server_that_is_busy_is_asked_again(server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_PATIENCE", module._PATIENCE.new(backoff_factor=0))
    with Archive(f"{server}/503") as archive, pytest.raises(DicomwebError, match="answers 503"):
        archive.find(STUDY_UID)
    assert len(Failing.seen) == 5


def test_a_server_without_pages_is_asked_twice() -> None:
    asked: list[int] = []

    def search(offset: int = 0) -> list[dict[str, Any]]:
        asked.append(offset)
        return to_items("1", "2")

    assert _list(search, "00080018") == ["1", "2"]
    assert asked == [0, 2]


def test_pages_are_read_to_the_end() -> None:
    def search(offset: int = 0) -> list[dict[str, Any]]:
        return to_items(*"12345"[offset : offset + 2])

    assert _list(search, "00080018") == list("12345")


def to_answer(sequence: str, *uids: str) -> bytes:
    answer, items = Dataset(), []
    for uid in uids:
        item = Dataset()
        item.ReferencedSOPInstanceUID, item.FailureReason = uid, 0xA900
        items.append(item)
    setattr(answer, sequence, items)
    return answer.to_json().encode()


OBJECTS = [patient_dataset(number) for number in (1, 2)]
UIDS = [str(one.SOPInstanceUID) for one in OBJECTS]


def put(server: str, status: int, answer: bytes) -> None:
    Failing.answer = answer
    with Archive(f"{server}/{status}") as archive:
        archive.store(dicom_bytes(patient_dataset(number, PixelData=bytes(2_000_000))) for number in (1, 2))


def test_objects_are_stored_in_one_piece_where_each_is_confirmed(server: str) -> None:
    put(server, 200, to_answer("ReferencedSOPSequence", *UIDS))


@pytest.mark.parametrize(
    ("status", "answer", "message"),
    [
        (200, to_answer("ReferencedSOPSequence", UIDS[0]), "does not confirm 1 of 2 objects"),
        (200, b"", "does not confirm 2 of 2 objects"),
        (200, b'{"00081199": {"vr": "SH", "Value": ["no items"]}}', "does not confirm 2 of 2 objects"),
        (
            200,
            b'{"00081198": {"vr": "SQ", "Value": [{"00081197": {"vr": "LO", "Value": ["no number"]}}]}}',
            "reason not said",
        ),
        (202, to_answer("FailedSOPSequence", UIDS[1]), "rejects 1 of 2 objects .reason A900"),
        (409, to_answer("FailedSOPSequence", *UIDS), "rejects 2 of 2 objects .reason A900"),
        (409, b"quota exceeded", "answers 409 for report: quota exceeded"),
        (409, b"", "answers 409 for report: without giving a reason"),
    ],
)
def test_what_is_not_confirmed_is_an_error(server: str, status: int, answer: bytes, message: str) -> None:
    with pytest.raises(DicomwebError, match=message):
        put(server, status, answer)


def test_a_server_that_is_down() -> None:
    with (
        Archive(f"http://127.0.0.1:{free_port()}/dicom-web") as archive,
        pytest.raises(DicomwebError, match="cannot be reached"),
    ):
        archive.find(STUDY_UID)


@pytest.mark.parametrize(
    "url", ["", "localhost:8042", "ftp://host/x", "http://", "http://jane:secret@host/x"]
)
def test_what_is_no_url_is_told_without_its_password(url: str) -> None:
    with pytest.raises(DicomwebError, match="no URL such as") as caught:
        Archive(url)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["--study", "1.2"],
        ["--dicomweb", "http://host/x"],
        ["--stow", "x.dcm"],
        ["x.dcm", "--study", "1.2"],
    ],
)
def test_options_that_belong_together(arguments: list[str]) -> None:
    done = CliRunner().invoke(main, ["predict", *arguments])
    assert done.exit_code == 2
    assert "Usage" in done.output
