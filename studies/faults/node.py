"""The DICOM node under every fault: what it has acknowledged must be answered for, once.

A scanner sends again what it was not acknowledged, as they do; where the node was killed it is started again.
"""

from __future__ import annotations

import json
import resource
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from pydicom import uid
from pydicom.dataset import Dataset
from pynetdicom import AE

from bundles import write_tiny_bundle
from faults.control import Change, Injector, Kind
from faults.program import start
from faults.run import AGAIN, DONE, NOT_REACHED, Cell
from soak.node import Peer, send, to_dataset

SLICES = 3
HELD_S = 2.0  # how long a disk stays full
PATIENCE_S = 90.0
STAGES = {
    "an instance comes": Change("write", "spool/series/*/*.dcm.partial"),
    "an instance is there": Change("rename", "spool/series/*/*.dcm"),
    "a series is begun": Change("write", "spool/series/*/attempts.partial"),
    "its report is made": Change("write", "spool/outbox/*/sr.dcm.partial"),
    "its report is there": Change("rename", "spool/outbox/*"),
    "its record is written": Change("write", "spool/done/*.json.partial"),
    "its report is about to go": Change("open", "spool/outbox/*/begun"),
    "its report was taken": Change("remove", "spool/outbox/*/sr.dcm"),
    "the counters are written": Change("write", "spool/counters.json.partial"),
}


class Ward:
    """A node with its spool, a scanner before it and an archive behind it."""

    def __init__(self, injector: Injector, folder: Path):
        self._injector, self._log = injector, folder / "node.log"
        self._bundle = write_tiny_bundle(folder / "bundle")
        self._spool = injector.root / "spool"
        self._peer = Peer()
        self._port = find_port()
        self._acknowledged: set[str] = set()
        self._node = self._start()

    def _start(self) -> subprocess.Popen[bytes]:
        node = start(
            [
                *("node", "--peer", f"PACS@127.0.0.1:{self._peer.port}", "--port", str(self._port)),
                *("--spool", str(self._spool), "--model", str(self._bundle), "--threads", "1"),
                *("--settle", "0.2", "--quiet", "1", "--reserve", "0"),
            ],
            self._injector,
            log=self._log,
        )
        wait_for(lambda: "listening" in self._log.read_text() or node.poll() is not None)
        return node

    def disturb(self, kind: Kind, change: Change, series: int) -> Iterator[str]:
        """Send a series with a fault on its way; what is wrong."""
        patient = f"P{series}"
        self._injector.aim(self._node.pid)
        self._injector.arm(kind, change)
        owed = self._send([to_dataset(series, number) for number in range(SLICES)])
        if not wait_for(lambda: self._injector.fired or self._node.poll() is not None):
            yield NOT_REACHED
        time.sleep(0 if kind is Kind.KILL else HELD_S)
        if "Traceback" in self._log.read_text():
            yield "traceback"
        ended = wait_for(self._node.poll, seconds=5)
        self._injector.arm(Kind.NONE)
        if ended is None:
            resource.prlimit(self._node.pid, resource.RLIMIT_AS, (resource.RLIM_INFINITY,) * 2)
        else:
            if kind is not Kind.KILL:
                yield f"ended: {ended}"
            self._node = self._start()
        if not wait_for(lambda: not self._send(owed)):
            yield "not taken afterwards"
        if not wait_for(lambda: self._peer.reports[patient] and not self._find_lost()):
            lost = len(self._find_lost())
            yield f"{lost} lost" if lost else "no report"
        # What a disk did not let go of is written over, or removed at the next start.
        if kind is Kind.KILL and list(self._spool.rglob("*.partial")):
            yield "half-written files left"

    def count_reports(self, series: int) -> int:
        """How many times the archive was sent the report of a series."""
        return self._peer.reports[f"P{series}"]

    def close(self) -> None:
        """End all of it."""
        self._node.kill()
        self._node.wait()
        self._peer.server.shutdown()

    def _send(self, owed: list[Dataset]) -> list[Dataset]:
        """Send instances; gives those that were not acknowledged."""
        entity = AE("SCANNER")
        entity.add_requested_context(uid.CTImageStorage, uid.ExplicitVRLittleEndian)
        association = entity.associate("127.0.0.1", self._port, ae_title="COVIDCT")
        if not association.is_established:
            return owed
        taken = [one for one in owed if send(association, one) == 0]
        association.release()
        self._acknowledged |= {str(one.SOPInstanceUID) for one in taken}
        return [one for one in owed if one not in taken]

    def _find_lost(self) -> set[str]:
        """Acknowledged instances that no report has in its record."""
        found: set[str] = set()
        for path in (self._spool / "done").glob("*.json"):
            found |= set(json.loads(path.read_bytes())["instances"])
        return self._acknowledged - found


def try_node(injector: Injector, folder: Path, kinds: Sequence[Kind]) -> Iterator[Cell]:
    """A cell for each fault at each stage."""
    ward = Ward(injector, folder)
    series = 1
    for kind in kinds:
        for stage, change in STAGES.items():
            series += 2  # (no multiple of twenty: the peer of soak/node never takes those)
            series += series % 20 == 0
            said = "; ".join(ward.disturb(kind, change, series))
            again = " (report sent twice)" if ward.count_reports(series) > 1 else ""
            fine = AGAIN if kind in (Kind.KILL, Kind.NO_SPACE, Kind.READ_ONLY) else DONE
            yield Cell("node", stage, kind.name, 0, "", (said or fine) + again)
    ward.close()


def wait_for(what: Callable[[], object], *, seconds: float = PATIENCE_S) -> object:
    """The first true value of `what`, or None where it takes too long."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if value := what():
            return value
        time.sleep(0.1)
    return None


def find_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])
