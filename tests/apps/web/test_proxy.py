"""Behind nginx, with the block that docs/guide/serve.md gives."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urljoin

import pytest

from raw_requests import BOUNDARY, MULTIPART
from servers import LESIONS, serving

GUIDE = Path(__file__).parents[3] / "docs" / "guide" / "serve.md"
UPLOAD = (
    f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="files"; filename="a.png"\r\n\r\n'.encode()
    + LESIONS
    + f"\r\n--{BOUNDARY}--\r\n".encode()
)
NGINX = shutil.which("nginx", path="/usr/sbin:/usr/bin:/usr/local/sbin")


@pytest.fixture
def proxied(tmp_path: Path, tiny_bundle: Path) -> Iterator[str]:
    """The address under which nginx has the server."""
    if NGINX is None:
        pytest.skip("nginx is not installed (scripts/system installs it)")
    (block,) = re.findall(r"```nginx\n(.*?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL)
    with serving(tiny_bundle, "--root-path", "/covidct", "--allow-host", "ct.example") as server:
        port = _free_port()
        block = block.replace("127.0.0.1:8000", f"127.0.0.1:{server.port}")
        with _running(NGINX, tmp_path, f"server {{ listen 127.0.0.1:{port}; {block} }}"):
            yield f"http://127.0.0.1:{port}/covidct/"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def _running(program: str, folder: Path, server: str) -> Iterator[None]:
    """nginx, all that it writes in a folder."""
    places = "".join(
        f"{name}_temp_path {folder / name};" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    config = folder / "nginx.conf"
    user = "user root;" if os.geteuid() == 0 else ""
    config.write_text(
        f"{user} daemon off; pid {folder / 'pid'}; error_log {folder / 'errors'}; events {{}}\n"
        f"http {{ access_log off; {places}\n{server} }}\n"
    )
    log = folder / "start"
    with log.open("w") as stream:
        process = subprocess.Popen([program, "-c", str(config), "-e", str(log)], stderr=stream)
    try:
        ends = time.monotonic() + 20
        while not (folder / "pid").exists():
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < ends, log.read_text()
            time.sleep(0.05)
        yield
    finally:
        process.terminate()
        process.wait()


def ask(url: str, data: bytes | None = None, headers: Mapping[str, str] | None = None) -> tuple[int, bytes]:
    request = urllib.request.Request(url, data, {"Host": "ct.example", **(headers or {})})
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read()


def test_the_whole_of_it_behind_nginx(proxied: str) -> None:
    page = ask(proxied)
    assert page[0] == 200
    assert b"<html" in page[1]
    assert ask(urljoin(proxied, "health"), headers={"Host": "elsewhere"})[0] == 200
    kind = {**MULTIPART, "Origin": "http://ct.example"}
    address = urljoin(proxied, "api/jobs")
    status, answer = ask(address, UPLOAD, kind)
    assert status == 202
    assert ask(urljoin(address, json.loads(answer)["results_url"]))[0] == 200
    docs = urljoin(proxied, "docs")
    for link in re.findall(r'href="([^"#]+)"', ask(docs)[1].decode()):
        assert ask(urljoin(docs, link))[0] == 200
    status, answer = ask(address, UPLOAD, kind | {"Origin": "http://evil.example"})
    assert status == 403
    assert "proxy_set_header Host $http_host;" in json.loads(answer)["detail"]
    assert ask(urljoin(proxied, "api/model"), headers={"Host": "evil.example"})[0] == 421
