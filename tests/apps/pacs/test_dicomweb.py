"""DICOMweb without a server, or with one that fails; with a real one: test_orthanc."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from click.testing import CliRunner

from covidct.apps.cli.main import main
from covidct.apps.pacs.dicomweb import AUTH, Archive
from covidct.errors import DicomwebError
from pacs import free_port
from patients import STUDY_UID


class Failing(BaseHTTPRequestHandler):
    """Answers every request with what the first part of the path names: a status, or `text`."""

    seen: list[str | None]

    def do_GET(self) -> None:
        type(self).seen.append(self.headers.get("Authorization"))
        word = self.path.split("/")[1]
        self.send_response(int(word) if word.isdecimal() else 200)
        self.end_headers()
        self.wfile.write(b"<html>not DICOM</html>")

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[str]:
    Failing.seen = []
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
