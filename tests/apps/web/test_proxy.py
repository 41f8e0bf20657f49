"""Behind nginx, Caddy, HAProxy and Traefik, with the blocks that docs/guide/serve.md gives."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path
from urllib.parse import urljoin

import pytest

from services.raw_requests import BOUNDARY, MULTIPART
from services.servers import LESIONS, Process, serving

GUIDE = Path(__file__).parents[3] / "docs" / "guide" / "serve.md"
UPLOAD = (
    f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="files"; filename="a.png"\r\n\r\n'.encode()
    + LESIONS
    + f"\r\n--{BOUNDARY}--\r\n".encode()
)
PLACES = f"/usr/sbin:/usr/bin:/usr/local/sbin:{Path(sys.executable).parent}"
LANGUAGES = {"traefik": "yaml"}  # what a block is written in, where that is no language of the proxy's own


@pytest.fixture(scope="module")
def server(tiny_bundle: Path) -> Iterator[Process]:
    with serving(tiny_bundle, "--root-path", "/covidct", "--allow-host", "ct.example") as running:
        yield running


@pytest.fixture(params=["nginx", "caddy", "haproxy", "traefik"])
def proxied(request: pytest.FixtureRequest, server: Process, tmp_path: Path) -> Iterator[str]:
    """The address under which a proxy has the server, with the block that the guide gives."""
    name = request.param
    program = shutil.which(name, path=PLACES)
    if program is None:
        pytest.skip(f"{name} is not installed (scripts/system or the extra dev installs it)")
    language = LANGUAGES.get(name, name)
    (block,) = re.findall(rf"```{language}\n(.*?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL)
    block = block.replace("127.0.0.1:8000", f"127.0.0.1:{server.port}")
    port = _free_port()
    run = {"nginx": run_nginx, "caddy": run_caddy, "haproxy": run_haproxy, "traefik": run_traefik}[name]
    command = run(block, port, tmp_path)
    with _running([program, *command], port, tmp_path):
        yield f"http://127.0.0.1:{port}/covidct/"


def run_nginx(block: str, port: int, folder: Path) -> list[str]:
    """The options of nginx, all that it writes in a folder."""
    places = "".join(
        f"{name}_temp_path {folder / name};" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    config = folder / "nginx.conf"
    user = "user root;" if os.geteuid() == 0 else ""
    config.write_text(
        f"{user} daemon off; pid {folder / 'pid'}; error_log {folder / 'errors'}; events {{}}\n"
        f"http {{ access_log off; {places}\nserver {{ listen 127.0.0.1:{port}; {block} }} }}\n"
    )
    return ["-c", str(config), "-e", str(folder / "errors")]


def run_caddy(block: str, port: int, folder: Path) -> list[str]:
    """The options of Caddy, without its certificates and its own door."""
    config = folder / "Caddyfile"
    block = block.replace("ct.example {", f"http://:{port} {{\n    bind 127.0.0.1", 1)
    config.write_text(f"{{\n    admin off\n    auto_https off\n}}\n{block}")
    return ["run", "--adapter", "caddyfile", "--config", str(config)]


def run_haproxy(block: str, port: int, folder: Path) -> list[str]:
    """The options of HAProxy."""
    config = folder / "haproxy.cfg"
    block = block.replace("bind :80", f"bind 127.0.0.1:{port}")
    config.write_text(f"defaults\n    mode http\n    timeout connect 5s\n\n{block}")
    return ["-f", str(config), "-db"]


def run_traefik(block: str, port: int, folder: Path) -> list[str]:
    """The options of Traefik, for any name, so that the server's own check is seen; it must not call home."""
    config = folder / "dynamic.yaml"
    config.write_text(block.replace("Host(`ct.example`) && ", "", 1))
    return [
        f"--entrypoints.web.address=127.0.0.1:{port}",
        f"--providers.file.filename={config}",
        "--global.checknewversion=false",
        "--global.sendanonymoususage=false",
    ]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def _running(command: Sequence[str], port: int, folder: Path) -> Iterator[None]:
    log = folder / "log"
    with log.open("w") as stream:
        homes = {"HOME": str(folder), "XDG_DATA_HOME": str(folder)}
        process = subprocess.Popen(command, stdout=stream, stderr=stream, env=os.environ | homes)
    try:
        ends = time.monotonic() + 20
        while not _is_passing(port):
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < ends, log.read_text()
            time.sleep(0.05)
        yield
    finally:
        process.terminate()
        process.wait()


def _is_passing(port: int) -> bool:
    """Whether the proxy listens, and has read its block."""
    try:
        return ask(f"http://127.0.0.1:{port}/covidct/health")[0] == HTTPStatus.OK
    except OSError:
        return False


def ask(url: str, data: bytes | None = None, headers: Mapping[str, str] | None = None) -> tuple[int, bytes]:
    request = urllib.request.Request(url, data, {"Host": "ct.example", **(headers or {})})
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read()


def test_the_whole_of_it_behind_a_proxy(proxied: str) -> None:
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
