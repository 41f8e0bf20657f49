"""Node and server under mixed work and abuse for a while: what is lost, and how large they grow.

    PYTHONPATH=.:fuzz:tests/support:studies python -m soak --seconds 3600 --out soak.json [--model BUNDLE]

Beside series that are sent and slices that are uploaded, and now and then series of 240 slices of 512 x 512:
bare TCP connections and silent ones, associations that are aborted after a slice and come back, corrected
patients, damaged instances, mutated ones and mutated files of every kind (fuzz/), bursts, a peer that never
takes some reports, uploads that drip, and uploads that end in the middle. Memory and open files of both are
noted, with their child processes. For Linux.
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
from collections import Counter, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from load_client import Answer, watching_health
from soak.node import NodeWork, Peer
from soak.server import ServerWork

RUN = (sys.executable, "-c", "from covidct.apps.cli.main import main; main(prog_name='covidct')")
PATIENCE_S = 600  # for what is still to be answered at the end


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


def measure(pid: int) -> dict[str, int]:
    """Resident memory in MB and open files, of a process and its children."""
    total: Counter[str] = Counter(mb=0, files=0, processes=0)
    for one in find_family(pid):
        with suppress(FileNotFoundError, ProcessLookupError):
            status = Path(f"/proc/{one}/status").read_text(encoding="utf-8")
            kilobytes = re.search(r"VmRSS:\s+(\d+) kB", status)
            files = len(list(Path(f"/proc/{one}/fd").iterdir()))
            total += Counter(mb=int(kilobytes[1]) // 1024 if kilobytes else 0, files=files, processes=1)
    return dict(total)


def find_family(pid: int) -> list[int]:
    """A process and all that it started, and they."""
    found = [pid]
    for one in found:
        for path in Path(f"/proc/{one}/task").glob("*/children"):
            with suppress(FileNotFoundError, ProcessLookupError):
                found += map(int, path.read_text().split())
    return found


def probe(ports: tuple[int, int], done: Counter[str]) -> None:
    """Bare connections to both, and one that stays silent."""
    for port in ports:
        for _ in range(5):
            socket.create_connection(("127.0.0.1", port), timeout=10).close()
        silent = socket.create_connection(("127.0.0.1", port), timeout=10)
        threading.Timer(20, silent.close).start()
        done["bare connections"] += 6


def repeat(
    name: str, what: Callable[[], None], pause: float, ends: float, done: Counter[str]
) -> threading.Thread:
    """Do it again and again in a thread, with pauses of random length; what it raises is counted."""

    def loop() -> None:
        while time.monotonic() < ends:
            try:
                what()
            except (OSError, urllib.error.URLError, RuntimeError, ValueError) as error:
                done[f"failed: {name}: {type(error).__name__}"] += 1
            time.sleep(min(pause * random.uniform(0.5, 1.5), max(ends - time.monotonic(), 0)))

    thread = threading.Thread(target=loop)
    thread.start()
    return thread


def soak(seconds: float, model: list[str], spool: Path) -> dict[str, Any]:
    """All of it; the figures."""
    peer, done, health = Peer(), Counter[str](), list[Answer]()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    node_is = ["node", "--peer", f"PACS@127.0.0.1:{peer.port}", "--port", port, "--spool", str(spool)]
    node_is += ["--settle", "5", "--quiet", "20", "--threads", "1", *model]
    server_is = ["serve", "--port", "0", "--threads", "1", *model]
    with (
        running(*node_is, says="listening") as (node, at),
        running(*server_is, says=" at http") as (server, web),
        watching_health(web, health),
    ):
        to_node, to_server = NodeWork(at, done, peer.reports), ServerWork(web, done)
        begun, ends = time.monotonic(), time.monotonic() + seconds
        tasks = [
            repeat(name, what, pause, ends, done)
            for name, what, pause in (
                ("series", to_node.send_series, 8.0),
                ("large series", to_node.send_large_series, 400.0),
                ("corrections", to_node.correct_series, 60.0),
                ("damaged", to_node.send_damaged, 7.0),
                ("mutated instances", to_node.send_mutated, 12.0),
                ("probes", lambda: probe((at, web), done), 5.0),
                ("uploads", to_server.upload, 4.0),
                ("large uploads", to_server.upload_series, 500.0),
                ("mutated uploads", to_server.upload_mutated, 6.0),
                ("bursts", to_server.burst, 90.0),
                ("abuse", to_server.abuse, 5.0),
            )
        ]
        samples = []
        while any(task.is_alive() for task in tasks):
            at_s = round(time.monotonic() - begun)
            samples.append({"s": at_s, "node": measure(node.pid), "server": measure(server.pid)})
            time.sleep(min(10, seconds / 20))
        wait_for_all(to_node, peer, spool)
        counters = json.loads((spool / "counters.json").read_text())
        alive = {"node": node.poll() is None, "server": server.poll() is None}
    peer.server.shutdown()
    return {
        "seconds": seconds,
        "alive at the end": alive,
        "done": dict(sorted(done.items())),
        "patients": {
            "sent": len(to_node.patients),
            "without a report": sorted(to_node.patients - set(peer.reports)),
            "with several": sum(count > 1 for count in peer.reports.values()),
            "tries of reports that are never taken": peer.poisoned,
        },
        "acknowledged instances": {
            "all": len(to_node.acknowledged),
            "neither reported nor set aside": sorted(to_node.find_lost(spool)),
            "set aside": len(list((spool / "failed").rglob("*.dcm"))),
        },
        "health": {
            "statuses": dict(Counter(one.status for one in health)),
            "ms": to_quantiles([one.ms for one in health]),
        },
        "counters": counters,
        "samples": samples,
    }


def wait_for_all(work: NodeWork, peer: Peer, spool: Path) -> None:
    """Until all that is owed has come, for some minutes at most."""
    patience = time.monotonic() + PATIENCE_S
    while (work.patients - set(peer.reports) or work.find_lost(spool)) and time.monotonic() < patience:
        time.sleep(1)


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
