"""A real server, its sockets and signals, and what it writes while it runs."""

from __future__ import annotations

import json
import re
import shlex
import signal
import socket
import ssl
import subprocess
import threading
import time
import urllib.error
import urllib.request
from contextlib import ExitStack
from http.client import HTTPConnection
from pathlib import Path

import pytest
from click.testing import CliRunner

from covidct.apps.cli.main import main
from covidct.apps.web.connections import HEAD_S
from covidct.apps.web.serve import SHORTEST_TOKEN, check_pair, check_reach, check_token, to_settings
from covidct.errors import ServeError
from makers import SERIES_UID, ct_dataset, dicom_bytes, phantom_hu
from services.raw_requests import BOUNDARY, MULTIPART, SLOW, ask, send_raw
from services.raw_requests import server as server  # a fixture
from services.servers import BRIGHT, Process, serving

GUIDE = Path(__file__).parents[3] / "docs" / "guide" / "serve.md"

TOKEN = "a-token-for-the-tests"
HEAD = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="files"; filename="{{}}"\r\n\r\n'
TAIL = f"\r\n--{BOUNDARY}--\r\n".encode()


def body_of(*contents: bytes, name: str = "slice.png") -> bytes:
    head = HEAD.format(name).encode()
    return b"\r\n".join(head + content for content in contents) + TAIL


def await_metric(server: Process, line: bytes, *, seconds: float = 20) -> None:
    """Until the server's metrics have that line."""
    ends = time.monotonic() + seconds
    while line not in (metrics := ask(server, "/metrics")[1]):
        assert time.monotonic() < ends, f"{line!r} is not in\n{metrics.decode()}"
        time.sleep(0.05)


def predicts(server: Process) -> bool:
    status, body = ask(server, "/api/predict", body_of(BRIGHT))
    return status == 200 and json.loads(body)[0]["decision"] == "positive"


def open_upload(server: Process, *, announced: int, sent: bytes) -> socket.socket:
    """The beginning of an upload, sent by hand."""
    connection = socket.create_connection(("127.0.0.1", server.port), timeout=30)
    head = (
        f"POST /api/predict HTTP/1.1\r\nHost: localhost\r\nContent-Length: {announced}\r\n"
        f"Content-Type: {MULTIPART['Content-Type']}\r\n\r\n"
    )
    connection.sendall(head.encode() + sent)
    return connection


def test_it_answers(server: Process) -> None:
    assert ask(server, "/health") == (200, b'{"status":"ok"}')
    assert predicts(server)


def test_it_listens_on_this_machine_alone(server: Process) -> None:
    assert server.url.startswith("http://127.0.0.1:")
    assert ask(server, "/docs", headers={"Host": "evil.example"})[0] == 421


def test_200_megabytes_are_told_and_not_kept(server: Process) -> None:
    body = body_of(bytes(200_000_000))
    status, answer = ask(server, "/api/predict", body)
    assert status == 413
    assert "64 MiB" in json.loads(answer)["detail"]
    assert server.peak_mb() < 500
    assert predicts(server)


def test_200_megabytes_within_the_limit_are_no_slice(tiny_bundle: Path) -> None:
    with serving(tiny_bundle) as running:
        status, answer = ask(running, "/api/predict", body_of(bytes(200_000_000)))
        assert status == 200
        [record] = json.loads(answer)
        assert record["status"] == "error"
        assert predicts(running)


def test_500_files_are_answered(server: Process) -> None:
    status, answer = ask(server, "/api/predict", body_of(*[BRIGHT] * 500))
    assert status == 200
    assert len(json.loads(answer)) == 500


def test_a_connection_lost_in_mid_upload_leaves_nothing_behind(server: Process) -> None:
    for _ in range(3):
        with open_upload(server, announced=10_000_000, sent=HEAD.format("x").encode() + bytes(1_000_000)):
            pass
    server.wait_for("POST /api/predict 499")
    # The others may be noticed a little later.
    await_metric(server, b"covidct_held_bytes 0.0")
    assert "Traceback" not in server.log
    assert predicts(server)


def test_a_slow_upload_holds_up_nobody(server: Process) -> None:
    whole = body_of(BRIGHT)
    with open_upload(server, announced=len(whole), sent=whole[:40]) as connection:
        time.sleep(0.2)
        assert predicts(server)
        connection.sendall(whole[40:])
        assert b"200 OK" in connection.recv(100)


def test_idle_and_dripping_connections_are_closed_and_hold_up_nobody(server: Process) -> None:
    with ExitStack() as stack:
        address = ("127.0.0.1", server.port)
        idle = [stack.enter_context(socket.create_connection(address, timeout=30)) for _ in range(250)]
        dripping = stack.enter_context(socket.create_connection(address, timeout=30))
        again = stack.enter_context(socket.create_connection(address, timeout=30))
        again.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert b"200 OK" in again.recv(1000)
        again.sendall(b"GET ")
        begun = time.monotonic()
        assert ask(server, "/health")[0] == 200
        assert predicts(server)
        while time.monotonic() - begun < HEAD_S - 3:
            dripping.sendall(b"G")
            time.sleep(1)
        for connection in (*idle, again, dripping):
            while connection.recv(1000):  # a reset or an answer to nonsense ends it, too
                pass
        assert HEAD_S - 3 < time.monotonic() - begun < HEAD_S + 10
    assert predicts(server)


@pytest.mark.parametrize(
    "noise",
    [b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b"GET\r\n\r\n", b"A" * 200_000, b"\r\n\r\n\0\0"],
)
def test_noise_is_answered_or_dropped(server: Process, noise: bytes) -> None:
    assert b"200 OK" not in send_raw(server, noise)
    assert predicts(server)


@pytest.mark.parametrize("name", ["../../../tmp/x.png", "<img src=x onerror=alert(1)>", "%00", "a/b/c"])
def test_names_are_only_ever_shown(server: Process, name: str) -> None:
    [record] = json.loads(ask(server, "/api/predict", body_of(b"nothing", name=name))[1])
    assert record["path"] == name
    assert name not in server.log


def test_nothing_of_a_patient_is_logged_or_written(tiny_bundle: Path, tmp_path: Path) -> None:
    secret = "Mustermann^Erika"
    dicom = dicom_bytes(ct_dataset(phantom_hu(), PatientName=secret, PatientID=secret))
    # A UID that is none: pydicom quotes it in a warning, and logs it too.
    dicom = dicom.replace(SERIES_UID.encode(), b"1.2.826.secret.3680043.8.498.1"[: len(SERIES_UID)])
    damaged = dicom[: len(dicom) // 2]
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    with serving(tiny_bundle, env={"TMPDIR": str(temporary), "HOME": str(tmp_path)}) as running:
        for content in (dicom, damaged, dicom[128:], b"\x89PNG\r\n\x1a\n" + bytes(50)):
            for path in ("/api/predict", "/api/jobs"):
                ask(running, f"{path}?note={secret}", body_of(*[content] * 9, name=secret))
        ask(running, f"/{secret}")
        large = body_of(bytes(5_000_000), name=secret)
        ask(running, "/api/predict", large)
        for _ in range(2):  # the jobs' results are not fetched, so the first alone would wait for that
            running.process.send_signal(signal.SIGTERM)
            running.wait_for("stopping")
        running.process.wait(20)
    assert "POST /api/predict 200" in running.log
    assert "Mustermann" not in running.log
    assert "secret" not in running.log
    assert list(temporary.iterdir()) == []
    assert [path.name for path in tmp_path.iterdir()] == ["tmp"]


def test_a_stop_finishes_what_was_begun(tiny_bundle: Path) -> None:
    answers: list[tuple[int, bytes]] = []
    with serving(tiny_bundle, code=SLOW) as running:
        asking = threading.Thread(
            target=lambda: answers.append(ask(running, "/api/predict", body_of(*[BRIGHT] * 16)))
        )
        asking.start()
        for _ in range(100):
            if b"covidct_tasks 1.0" in ask(running, "/metrics")[1]:
                break
            time.sleep(0.05)
        running.process.send_signal(signal.SIGTERM)
        running.wait_for("stopping")
        # The whole is taken before it is refused, or the caller would only see a lost connection.
        assert ask(running, "/api/predict", body_of(bytes(20_000_000)))[0] == 503
        assert ask(running, "/ready")[0] == 503
        asking.join(30)
        assert running.process.wait(20) == 0
    [(status, body)] = answers
    assert status == 200
    assert len(json.loads(body)) == 16


def test_a_stop_waits_for_a_jobs_results_to_be_fetched(tiny_bundle: Path) -> None:
    with serving(tiny_bundle, code=SLOW) as running:
        job = json.loads(ask(running, "/api/jobs", body_of(*[BRIGHT] * 9))[1])
        running.process.send_signal(signal.SIGTERM)
        running.wait_for("stopping")
        for _ in range(200):
            status = json.loads(ask(running, f"/api/jobs/{job['id']}")[1])
            if status["state"] == "done":
                break
            time.sleep(0.05)
        assert running.process.poll() is None
        assert len(json.loads(ask(running, f"/api/jobs/{status['results_url']}")[1])) == 9
        assert running.process.wait(20) == 0


def test_the_second_signal_stops_at_once(tiny_bundle: Path) -> None:
    with serving(tiny_bundle, code=SLOW) as running:
        ask(running, "/api/jobs", body_of(*[BRIGHT] * 200))
        running.process.send_signal(signal.SIGINT)
        running.wait_for("stopping")
        started = time.monotonic()
        running.process.send_signal(signal.SIGINT)
        running.process.wait(20)
        assert time.monotonic() - started < 5


def test_a_caller_who_hangs_up_ends_the_work(tiny_bundle: Path) -> None:
    with serving(tiny_bundle, code=SLOW) as running:
        whole = body_of(*[BRIGHT] * 400)
        with open_upload(running, announced=len(whole), sent=whole):
            await_metric(running, b"covidct_tasks 1.0")
        await_metric(running, b"covidct_tasks 0.0")
        await_metric(running, b"covidct_held_bytes 0.0")


def test_a_body_is_not_sent_in_vain_where_the_caller_waits(server: Process) -> None:
    connection = HTTPConnection("127.0.0.1", server.port, timeout=10)
    connection.putrequest("POST", "/api/predict")
    for name, value in (MULTIPART | {"Content-Length": "200000000", "Expect": "100-continue"}).items():
        connection.putheader(name, value)
    connection.endheaders()
    assert connection.getresponse().status == 413
    connection.close()


def test_with_a_token_only_those_who_know_it_are_let_in(tiny_bundle: Path) -> None:
    with serving(tiny_bundle, "--host", "0.0.0.0", env={"COVIDCT_TOKEN": TOKEN}) as running:
        assert f"http://{socket.gethostname()}:{running.port}" in running.log
        running.url = f"http://127.0.0.1:{running.port}"
        assert ask(running, "/api/model")[0] == 401
        assert ask(running, "/api/model", headers={"Authorization": f"Bearer {TOKEN}"})[0] == 200
        assert ask(running, "/api/model", headers={"Host": "evil.example"})[0] == 421
        assert ask(running, "/health", headers={"Host": socket.gethostname()})[0] == 200
        assert TOKEN not in running.log


def test_it_speaks_tls(tiny_bundle: Path, tmp_path: Path) -> None:
    (recipe,) = re.findall(
        r"^openssl req .*?[^\\]$", GUIDE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
    )
    command = shlex.split(recipe.replace("ct.example", "localhost").replace("\\\n", " "))
    try:
        subprocess.run(command, check=True, capture_output=True, timeout=60, cwd=tmp_path)
    except FileNotFoundError:
        pytest.skip("no openssl to make a certificate with")
    certificate, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    assert key.stat().st_mode & 0o077 == 0
    with pytest.raises(ServeError, match=r"key\.pem, .*cert\.pem: not a certificate and its key .* swapped"):
        check_pair(key, certificate)
    with serving(tiny_bundle, "--certificate", str(certificate), "--key", str(key)) as running:
        trusting = ssl.create_default_context(cafile=str(certificate))
        with urllib.request.urlopen(f"https://localhost:{running.port}/health", context=trusting) as answer:
            assert answer.status == 200


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "clinic-pc"])
def test_other_machines_are_let_in_only_where_somebody_said_who(host: str) -> None:
    with pytest.raises(ServeError, match="--token"):
        check_reach(host, None, no_auth=False)
    check_reach(host, TOKEN, no_auth=False)
    check_reach(host, None, no_auth=True)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "LOCALHOST", "::1", "127.0.0.2"])
def test_this_machine_needs_no_token(host: str) -> None:
    check_reach(host, None, no_auth=False)


@pytest.mark.parametrize("token", ["", "short", "x" * (SHORTEST_TOKEN - 1), "ü" * 20, "line\nline line line"])
def test_tokens_that_can_be_guessed_or_not_be_sent_are_refused(token: str) -> None:
    with pytest.raises(ServeError, match="auto"):
        check_token(token)


def test_a_token_can_be_made(capsys: pytest.CaptureFixture[str]) -> None:
    token = check_token("auto")
    assert token
    assert len(token) >= 32
    assert token in capsys.readouterr().err
    assert check_token("auto") != token


def test_on_a_network_the_machines_own_names_count() -> None:
    settings = to_settings("0.0.0.0", ["CT.Clinic.example."], TOKEN)
    assert {"localhost", "ct.clinic.example", socket.gethostname().lower()} <= set(settings.hosts)
    assert settings.any_address
    assert not to_settings("127.0.0.1", [], None).any_address


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--host", "0.0.0.0"], "--token auto"),
        (["--token", "short"], "16 characters"),
        (["--token", "x" * 20, "--no-auth"], "exclude each other"),
        (["--certificate", __file__], "go together"),
        (["--port", "70000"], "not in the range"),
        (["--host", "no.such.host.invalid", "--no-auth"], "cannot be listened on"),
        (["--operating-point", "best"], "no operating point 'best'"),
        (["--model", "nowhere"], "no such model directory"),
    ],
)
def test_what_cannot_be_served_ends_with_one_line(options: list[str], said: str) -> None:
    done = CliRunner().invoke(main, ["serve", *options])
    assert done.exit_code == 2
    assert said in done.output
    assert "Traceback" not in done.output


def test_a_port_in_use_is_told(tiny_bundle: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = CliRunner().invoke(main, ["serve", "--port", str(port), "--model", str(tiny_bundle)])
    assert done.exit_code == 2
    assert f"port {port} cannot be listened on" in done.output
