"""Node and server under mixed work and abuse for a while: what is lost, and how large they grow.

    python studies/soak.py --seconds 3600 --out soak.json [--model BUNDLE]

Beside series that are sent and slices that are uploaded: bare TCP connections and silent ones, associations
that are aborted after a slice and come back, damaged instances, a peer that never takes some reports, uploads
that drip, and uploads that end in the middle. Memory and open files of both processes are noted. For Linux.
What the images show does not matter here: they are phantoms.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections import Counter, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from pydicom import uid
from pydicom.dataset import Dataset, FileMetaDataset
from pynetdicom import AE, evt
from pynetdicom.events import Event

from covidct.images.phantoms.slice import Phantom, draw_phantom

SLICES = 4
ROOT = "1.2.826.0.1.3680043.8.498.23"
POISON = "POISON"
RUN = (sys.executable, "-c", "from covidct.apps.cli.main import main; main(prog_name='covidct')")


def to_dataset(series: int, number: int) -> Dataset:
    """Slice `number` of a phantom's series; its PatientID names the series, every twentieth is POISON's."""
    dataset = Dataset()
    dataset.SOPClassUID, dataset.SOPInstanceUID = uid.CTImageStorage, f"{ROOT}.{series}.1.{number}"
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = f"{ROOT}.{series}", f"{ROOT}.{series}.1"
    dataset.PatientID = POISON if series % 20 == 0 else f"P{series}"
    dataset.Modality, dataset.ImageType = "CT", ["ORIGINAL", "PRIMARY", "AXIAL"]
    dataset.ImagePositionPatient, dataset.ImageOrientationPatient = [0, 0, 5 * number], [1, 0, 0, 0, 1, 0]
    dataset.PixelSpacing, dataset.SliceThickness = [0.7, 0.7], 5
    kind = (Phantom.NORMAL, Phantom.LESIONS)[series % 2]
    units = np.asarray(draw_phantom(kind, seed=series * 10 + number, size=128), dtype=np.int16)
    dataset.Rows, dataset.Columns = units.shape
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 16, 16, 15
    dataset.PixelRepresentation, dataset.RescaleIntercept, dataset.RescaleSlope = 1, 0, 1
    dataset.PixelData = units.tobytes()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = uid.ExplicitVRLittleEndian
    return dataset


class Peer:
    """An archive that counts the reports of each patient, and never takes POISON's."""

    def __init__(self) -> None:
        self.reports: Counter[str] = Counter()
        self.poisoned = 0
        entity = AE("PACS")
        for storage in (uid.ComprehensiveSRStorage, uid.SecondaryCaptureImageStorage):
            entity.add_supported_context(storage, uid.ExplicitVRLittleEndian)
        server = entity.start_server(
            ("127.0.0.1", 0), block=False, evt_handlers=[(evt.EVT_C_STORE, self._store)]
        )
        assert server is not None  # (None is for block=True)
        self.server = server
        self.port = int(self.server.server_address[1])

    def _store(self, event: Event) -> int:
        patient = str(event.dataset.PatientID)
        if patient == POISON:
            self.poisoned += 1
            return 0xA700
        self.reports[patient] += event.dataset.Modality == "SR"
        return 0


class Work:
    """What is done to both, and what came of it."""

    def __init__(self, node: int, server: int):
        self.node, self.server = node, server
        self.done: Counter[str] = Counter()
        self.sent: set[str] = set()
        self.health_ms: list[float] = []
        self._series = 0

    def send_series(self) -> None:
        """A series, every third aborted after its first slice and sent again; every fifth one by one."""
        self._series += 1
        slices = [to_dataset(self._series, number) for number in range(SLICES)]
        if self._series % 3 == 0:
            self._store(slices[:1], aborts=True)
        parts = [[one] for one in slices] if self._series % 5 == 0 else [slices]
        taken = all(self._store(part) for part in parts)
        self.done["series sent" if taken else "series not taken"] += 1
        if taken and slices[0].PatientID != POISON:
            self.sent.add(str(slices[0].PatientID))

    def send_damaged(self) -> None:
        """An instance without half of its pixels must be refused."""
        dataset = to_dataset(10_000_000 + self.done["damaged instances"], 1)
        dataset.PixelData = dataset.PixelData[:1000]
        self.done["damaged instances"] += 1
        self.done["damaged instances taken"] += self._store([dataset])

    def probe(self) -> None:
        """Bare connections to both, and one that stays silent."""
        for port in (self.node, self.server):
            for _ in range(5):
                socket.create_connection(("127.0.0.1", port), timeout=10).close()
            silent = socket.create_connection(("127.0.0.1", port), timeout=10)
            threading.Timer(20, silent.close).start()
            self.done["bare connections"] += 6

    def upload(self) -> None:
        """A slice, answered."""
        buffer = BytesIO()
        to_dataset(20_000_000 + self.done["uploads"], 1).save_as(buffer, enforce_file_format=True)
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.server}/api/predict", to_body(buffer.getvalue()), MULTIPART
        )
        self.done["uploads"] += 1
        with urllib.request.urlopen(request, timeout=120) as answer:
            self.done["uploads answered"] += len(json.load(answer)) == 1

    def abuse(self) -> None:
        """An upload that ends in the middle, and one that drips for ten seconds."""
        head = (
            "POST /api/predict HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n"
            f"Content-Type: {MULTIPART['Content-Type']}\r\n\r\n"
        ).encode()
        with socket.create_connection(("127.0.0.1", self.server), timeout=10) as broken:
            broken.sendall(head + bytes(5000))
        with socket.create_connection(("127.0.0.1", self.server), timeout=10) as dripping:
            dripping.sendall(head)
            for _ in range(10):
                dripping.sendall(b"-")
                time.sleep(1)
        self.done["uploads broken off or dripping"] += 2

    def check_health(self) -> None:
        """How long the health check takes."""
        begun = time.perf_counter()
        with urllib.request.urlopen(f"http://127.0.0.1:{self.server}/health", timeout=60):
            self.health_ms.append(1000 * (time.perf_counter() - begun))

    def _store(self, datasets: list[Dataset], *, aborts: bool = False) -> bool:
        entity = AE("SCANNER")
        entity.add_requested_context(uid.CTImageStorage, uid.ExplicitVRLittleEndian)
        association = entity.associate("127.0.0.1", self.node, ae_title="COVIDCT")
        if not association.is_established:
            return False
        statuses = [association.send_c_store(one).get("Status") for one in datasets]
        self.done["instances acknowledged"] += statuses.count(0)
        association.abort() if aborts else association.release()
        return not any(statuses)


MULTIPART = {"Content-Type": "multipart/form-data; boundary=line"}


def to_body(data: bytes) -> bytes:
    """One file as a form."""
    head = b'--line\r\nContent-Disposition: form-data; name="files"; filename="a.dcm"\r\n\r\n'
    return head + data + b"\r\n--line--\r\n"


@contextmanager
def running(*arguments: str, says: str) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """A command of covidct, once it listens, and its port; its log is thrown away."""
    process = subprocess.Popen([*RUN, *arguments], stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    line = next(one for one in process.stderr if says in one)
    threading.Thread(target=deque, args=(process.stderr, 0), daemon=True).start()
    found = re.search(r"127\.0\.0\.1:(\d+)", line)
    assert found is not None
    try:
        yield process, int(found[1])
    finally:
        process.terminate()
        process.wait(60)


def measure(process: subprocess.Popen[str]) -> dict[str, int]:
    """Resident memory in MB and open files."""
    status = Path(f"/proc/{process.pid}/status").read_text(encoding="utf-8")
    found = re.search(r"VmRSS:\s+(\d+) kB", status)
    assert found is not None
    return {"mb": int(found[1]) // 1024, "files": len(list(Path(f"/proc/{process.pid}/fd").iterdir()))}


def repeat(what: Callable[[], None], pause: float, ends: float, failed: Counter[str]) -> threading.Thread:
    """Do it again and again in a thread, with pauses of random length."""

    def loop() -> None:
        while time.monotonic() < ends:
            try:
                what()
            except (OSError, urllib.error.URLError, RuntimeError, ValueError) as error:
                failed[f"{what.__name__}: {type(error).__name__}"] += 1
            time.sleep(pause * random.uniform(0.5, 1.5))

    thread = threading.Thread(target=loop)
    thread.start()
    return thread


def soak(seconds: float, model: list[str], folder: Path) -> dict[str, Any]:
    """All of it; the figures."""
    peer = Peer()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    node_is = ["node", "--peer", f"PACS@127.0.0.1:{peer.port}", "--port", port, "--spool", str(folder)]
    node_is += ["--settle", "5", "--quiet", "20", "--threads", "1", *model]
    server_is = ["serve", "--port", "0", "--threads", "1", *model]
    with (
        running(*node_is, says="listening") as (node, at),
        running(*server_is, says=" at http") as (server, web),
    ):
        work, failed, samples = Work(at, web), Counter[str](), []
        begun, ends = time.monotonic(), time.monotonic() + seconds
        tasks = [
            repeat(what, pause, ends, failed)
            for what, pause in (
                (work.send_series, 8.0),
                (work.send_damaged, 7.0),
                (work.probe, 5.0),
                (work.upload, 4.0),
                (work.abuse, 5.0),
                (work.check_health, 1.0),
            )
        ]
        while any(task.is_alive() for task in tasks):
            samples.append(
                {"s": round(time.monotonic() - begun), "node": measure(node), "server": measure(server)}
            )
            time.sleep(min(10, seconds / 20))
        patience = time.monotonic() + 300
        while work.sent - set(peer.reports) and time.monotonic() < patience:
            time.sleep(1)
        with suppress(FileNotFoundError):
            counters = json.loads((folder / "counters.json").read_text())
    peer.server.shutdown()
    return {
        "seconds": seconds,
        "done": dict(sorted(work.done.items())),
        "failed": dict(failed),
        "series": {
            "sent": len(work.sent),
            "without a report": len(work.sent - set(peer.reports)),
            "with several": sum(count > 1 for count in peer.reports.values()),
            "tries of reports that are never taken": peer.poisoned,
        },
        "health_ms": to_quantiles(work.health_ms),
        "counters": counters,
        "samples": samples,
    }


def to_quantiles(values: list[float]) -> dict[str, float]:
    """Median, 99th percentile and largest."""
    cuts = statistics.quantiles(values, n=100) if len(values) > 1 else [0.0] * 99
    return {"p50": round(cuts[49], 1), "p99": round(cuts[98], 1), "max": round(max(values, default=0), 1)}


def main() -> None:
    """Run it, and write what came of it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=3600)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--model", help="a bundle; by default the one that ships")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = soak(asked.seconds, ["--model", asked.model] if asked.model else [], Path(folder) / "spool")
    asked.out.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    print(json.dumps({name: value for name, value in found.items() if name != "samples"}, indent=1))


if __name__ == "__main__":
    main()
