"""What tests of DICOM networks need: free ports, a network of their own, servers."""

from __future__ import annotations

import ctypes
import fcntl
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any

import pytest
from pydicom import dcmread, uid
from pydicom.dataset import Dataset
from pynetdicom import AE, evt
from pynetdicom.events import Event

from covidct.apps.pacs.send import SENT

_CLONE_NEWNET = 0x40000000
PATIENCE_S = 180.0  # for what takes a second, where the machine has nothing else to do


def free_port() -> int:
    """A port of this machine that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(what: Callable[[], Any], *, seconds: float = PATIENCE_S, why: str = "") -> Any:
    """The first true value of `what`; a failure where it takes too long."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if value := what():
            return value
        time.sleep(0.05)
    raise AssertionError(f"waited {seconds:.0f} s in vain {why}")


def needs(*programs: str) -> None:
    """Skip where a program is absent."""
    for program in programs:
        if not (shutil.which(program) or shutil.which(program, path="/usr/sbin:/usr/local/sbin")):
            pytest.skip(f"{program} is not installed (scripts/system installs it)")


def write_certificates(folder: Path) -> Path:
    """The folder with an authority (ca.pem) and its certificate for this machine (cert.pem, key.pem)."""
    needs("openssl")
    (folder / "names").write_text("subjectAltName=DNS:localhost,IP:127.0.0.1\n")
    for command in (
        "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=authority -keyout ca.key -out ca.pem",
        "req -newkey rsa:2048 -nodes -subj /CN=localhost -keyout key.pem -out cert.csr",
        "x509 -req -in cert.csr -CA ca.pem -CAkey ca.key -CAcreateserial -extfile names -out cert.pem",
    ):
        subprocess.run(["openssl", *command.split()], cwd=folder, check=True, capture_output=True)
    return folder


def store(paths: Sequence[Path], port: int, *, called: str = "COVIDCT", calling: str = "TESTS") -> list[int]:
    """Send files to a node in one association; their statuses."""
    entity = AE(calling)
    for path in paths:
        meta = dcmread(path, stop_before_pixels=True).file_meta
        entity.add_requested_context(meta.MediaStorageSOPClassUID, meta.TransferSyntaxUID)
    association = entity.associate("127.0.0.1", port, ae_title=called)
    assert association.is_established
    statuses = [association.send_c_store(dcmread(path)).Status for path in paths]
    association.release()
    return statuses


@contextmanager
def own_network() -> Iterator[bool]:
    """Move this thread, and what it starts, into a network namespace with nothing but its own loopback.

    Gives whether that was possible: it takes root and Linux. Needed for servers that listen on every address.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    if os.geteuid() != 0 or not hasattr(libc, "unshare"):
        yield False
        return
    with open(f"/proc/self/task/{threading.get_native_id()}/ns/net") as before:
        if libc.unshare(_CLONE_NEWNET) != 0:
            yield False
            return
        try:
            _raise_loopback()
            yield True
        finally:
            assert libc.setns(before.fileno(), _CLONE_NEWNET) == 0


def _raise_loopback() -> None:
    get_flags, set_flags, up = 0x8913, 0x8914, 0x1
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as handle:
        request = struct.pack("16sh14x", b"lo", 0)
        flags = struct.unpack("16sh14x", fcntl.ioctl(handle, get_flags, request))[1]
        fcntl.ioctl(handle, set_flags, struct.pack("16sh14x", b"lo", flags | up))


class NodeProcess:
    """`covidct node` in a process of its own, its log kept."""

    def __init__(self, spool: Path, peer_port: int, *options: str, model: Path | None = None):
        self.port = free_port()
        self.log_path = spool.with_name(f"{spool.name}-{self.port}.log")
        command = [
            *(sys.executable, "-c", "from covidct.apps.cli.main import main; main(prog_name='covidct')"),
            *(
                "node",
                "--peer",
                f"PACS@127.0.0.1:{peer_port}",
                "--port",
                str(self.port),
                "--spool",
                str(spool),
            ),
            *("--settle", "0.2", "--quiet", "1", "--reserve", "0", "--threads", "1"),
            *(("--model", str(model)) if model else ()),
            *options,
        ]
        with self.log_path.open("w") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log)
        wait_for(lambda: "listening" in self.log or self.process.poll() is not None, why=self.log)

    @property
    def log(self) -> str:
        return self.log_path.read_text()

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def wait(self) -> int:
        """Its exit code, once it ends by itself."""
        return self.process.wait(timeout=PATIENCE_S)

    def stop(self) -> int:
        """Its exit code, after a SIGTERM."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=PATIENCE_S)

    def __enter__(self) -> NodeProcess:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.process.poll() is None:
            self.kill()


class Pacs:
    """A peer that keeps what it is sent; `status` is what it answers."""

    def __init__(self, port: int | None = None, *, status: int = 0x0000, **options: Any):
        self.port = port or free_port()
        self.status = status
        self.received: list[Dataset] = []
        entity = AE("PACS")
        for storage in SENT:
            entity.add_supported_context(storage, [uid.ExplicitVRLittleEndian, uid.ImplicitVRLittleEndian])
        self._server = entity.start_server(
            ("127.0.0.1", self.port), block=False, evt_handlers=[(evt.EVT_C_STORE, self._store)], **options
        )

    def _store(self, event: Event) -> int:
        dataset = event.dataset
        dataset.file_meta = event.file_meta
        self.received.append(dataset)
        return self.status

    def of(self, modality: str) -> list[Dataset]:
        """What it was sent of one modality."""
        return [dataset for dataset in self.received if dataset.Modality == modality]

    def close(self) -> None:
        assert self._server is not None
        self._server.shutdown()
        self._server.server_close()

    def __enter__(self) -> Pacs:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
