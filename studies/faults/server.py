"""The server under every fault: each upload is answered, or the caller is told; it writes nothing anywhere.

Uploads stay in memory, so there is no change of a file to have a fault at: stages are those of a request.
"""

from __future__ import annotations

import http.client
import json
import re
import resource
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from bundles import write_tiny_bundle
from covidct.images.hounsfield import to_display
from covidct.images.phantoms.slice import Phantom
from faults.control import AMOUNTS, Injector, Kind
from faults.node import wait_for
from faults.program import start
from faults.run import AGAIN, DONE, TOLD, Cell
from makers import phantom_hu, png_bytes

BOUNDARY = "faults"
SLICES = 12
STAGES = ("an upload is coming", "an upload is worked on", "a job waits to be fetched")
PATIENCE_S = 60.0


class Service:
    """A server, and what it answers to an upload that nothing disturbs."""

    def __init__(self, injector: Injector, folder: Path):
        self._injector, self._log = injector, folder / "serve.log"
        self._bundle = write_tiny_bundle(folder / "served")
        self._body = to_body(SLICES)
        self._start()
        self._right = self._finish(self._begin())

    def _start(self) -> None:
        arguments = ["serve", "--port", "0", "--threads", "1", "--model", str(self._bundle)]
        self._server: subprocess.Popen[bytes] = start(arguments, self._injector, log=self._log)
        wait_for(lambda: "Research use" in self._log.read_text())
        found = re.search(r" at http://[^:]+:(\d+)", self._log.read_text())
        assert found, self._log.read_text()
        self._port = int(found[1])

    def disturb(self, kind: Kind, stage: str) -> tuple[str, str]:
        """Upload with a fault at a stage; how the caller was answered, and what is wrong."""
        self._injector.arm(Kind.NONE)
        try:
            answer = self._upload(kind, stage)
        except (OSError, http.client.HTTPException):
            answer = "no answer"
        self._injector.arm(Kind.NONE)
        if kind is Kind.KILL:
            self._server.wait()
            self._start()
        resource.prlimit(self._server.pid, resource.RLIMIT_AS, (resource.RLIM_INFINITY,) * 2)
        return answer, "; ".join(self._check())

    def _upload(self, kind: Kind, stage: str) -> str:
        if stage == STAGES[2]:
            job = json.loads(self._call("POST", "/api/jobs", self._body)[1])
            self._strike(kind)
            return self._fetch(str(job["id"]))
        caller = self._begin(len(self._body) // 2 if stage == STAGES[0] else None)
        if stage == STAGES[1]:
            time.sleep(0.02)
        self._strike(kind)
        rest = self._body[len(self._body) // 2 :] if stage == STAGES[0] else b""
        return self._compare(self._finish(caller, rest))

    def _strike(self, kind: Kind) -> None:
        if kind is Kind.KILL:
            self._server.kill()
        elif kind is Kind.MEMORY:
            pages = int(Path(f"/proc/{self._server.pid}/statm").read_text().split()[0])
            limit = pages * resource.getpagesize() + AMOUNTS[kind]
            resource.prlimit(self._server.pid, resource.RLIMIT_AS, (limit, resource.RLIM_INFINITY))
        else:
            self._injector.strike(kind)

    def _check(self) -> Iterator[str]:
        """What is wrong once the fault is over."""
        if self._server.poll() is not None:
            yield f"ended: {self._server.returncode}"
            self._start()
        if self._call("GET", "/health")[0] != 200:
            yield "not healthy"
        if (answer := self._compare(self._finish(self._begin()))) != DONE:
            yield f"the next upload: {answer}"
        if "Traceback" in self._log.read_text():
            yield "traceback"
        if changes := self._injector.read_changes():
            yield f"writes {changes[0].place}"

    def _fetch(self, job: str) -> str:
        ends = time.monotonic() + PATIENCE_S
        while time.monotonic() < ends:
            status, body = self._call("GET", f"/api/jobs/{job}")
            if status != 200:
                return f"{status}"
            if (state := json.loads(body))["state"] == "done":
                return self._compare(self._call("GET", f"/api/jobs/{state['results_url']}"))
            time.sleep(0.05)
        return "never done"

    def _compare(self, answer: tuple[int, bytes]) -> str:
        if answer[0] != 200:
            return f"{answer[0]} {json.loads(answer[1]).get('title', '')}".strip()
        return DONE if answer[1] == self._right[1] else "another answer"

    def _begin(self, size: int | None = None) -> http.client.HTTPConnection:
        """Send an upload, or its first bytes."""
        caller = http.client.HTTPConnection("127.0.0.1", self._port, timeout=PATIENCE_S)
        caller.putrequest("POST", "/api/predict")
        caller.putheader("Content-Type", f"multipart/form-data; boundary={BOUNDARY}")
        caller.putheader("Content-Length", str(len(self._body)))
        caller.endheaders(self._body[:size])
        return caller

    def _finish(self, caller: http.client.HTTPConnection, rest: bytes = b"") -> tuple[int, bytes]:
        if rest:
            caller.send(rest)
        answer = caller.getresponse()
        found = answer.status, answer.read()
        caller.close()
        return found

    def _call(self, method: str, path: str, body: bytes | None = None) -> tuple[int, bytes]:
        caller = http.client.HTTPConnection("127.0.0.1", self._port, timeout=PATIENCE_S)
        kind = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"} if body else {}
        caller.request(method, path, body, kind)
        return self._finish(caller)

    def close(self) -> None:
        """End it."""
        self._server.kill()
        self._server.wait()


def try_server(injector: Injector, folder: Path, kinds: Sequence[Kind]) -> Iterator[Cell]:
    """A cell for each fault at each stage."""
    service = Service(injector, folder)
    for kind in kinds:
        for stage in STAGES:
            answer, wrong = service.disturb(kind, stage)
            fine = DONE if answer == DONE else AGAIN if kind is Kind.KILL else TOLD
            yield Cell("serve", stage, kind.name, 0, answer, wrong or fine)
    service.close()


def to_body(slices: int) -> bytes:
    """An upload of phantoms."""
    parts = []
    for number in range(slices):
        name = f'Content-Disposition: form-data; name="files"; filename="{number}.png"'
        head = f"--{BOUNDARY}\r\n{name}\r\nContent-Type: image/png\r\n\r\n".encode()
        pixels = to_display(phantom_hu(Phantom.LESIONS, seed=number, size=256))
        parts.append(head + png_bytes(pixels) + b"\r\n")
    return b"".join(parts) + f"--{BOUNDARY}--\r\n".encode()
