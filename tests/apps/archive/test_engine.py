"""On Ray: two nodes here, one of which is killed midway, and a file that kills whoever reads it."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from archives import read_rows, run_here, save_study
from covidct.apps.archive import run
from covidct.apps.archive.engine import Job, RayEngine, Worker, _Actor, _unwrap
from covidct.apps.archive.run import Step
from covidct.errors import ArchiveError, BundleError
from services import poisons
from services.pacs import free_port

# Ray's own, on the way down: it leaves sockets and files of its children to the garbage collector.
pytestmark = [
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning:ray"),
    pytest.mark.filterwarnings("ignore::FutureWarning:ray"),
]


@pytest.fixture
def nodes(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Two nodes; the first has room for the worker of the second, `.second`, once that is gone."""
    needed = (str(Path(run.__file__).parents[3]), str(Path(poisons.__file__).parent))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(needed))
    for name, value in (("USAGE_STATS_ENABLED", "0"), ("AUTH_MODE", "token"), ("AUTH_TOKEN", "t" * 32)):
        monkeypatch.setenv(f"RAY_{name}", value)
    # Beside other tests its workers, at nice 15 by default, would starve.
    monkeypatch.setenv("RAY_worker_niceness", "0")
    ray: Any = import_module("ray")
    from ray.cluster_utils import Cluster

    cluster: Any = Cluster(initialize_head=True, head_node_args={"num_cpus": 2, "include_dashboard": False})
    try:
        cluster.second = cluster.add_node(num_cpus=1)
        ray.init(
            address=cluster.address,
            log_to_driver=False,
            runtime_env={"worker_process_setup_hook": "poisons.poison"},
        )
        yield cluster
    finally:
        ray.shutdown()
        cluster.shutdown()


def test_every_instance_once_though_a_node_dies_and_a_file_kills(
    nodes: Any, tmp_path: Path, tiny_bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "INSTANCES", 5)
    for number in range(6):
        save_study(tmp_path / "in" / str(number), number, slices=5)
    save_study(tmp_path / "in" / "bad", 9, slices=1, PatientName="Poison^")
    steps: list[Step] = []

    class Told(list[Step]):
        def append(self, step: Step) -> None:
            steps.append(step)
            if step.stage == "slices" and nodes.second is not None:
                nodes.remove_node(nodes.second, allow_graceful=False)
                nodes.second = None

    with RayEngine(workers=2) as engine:
        summary = run_here(
            tmp_path / "in", out=tmp_path / "out", bundle=tiny_bundle, told=Told(), engine=engine
        )
    assert nodes.second is None
    paths = [row["path"] for row in read_rows(tmp_path / "out") if row["kind"] == "slice"]
    assert len(paths) == len(set(paths)) == 31
    assert (summary.slices, summary.series, summary.errors, summary.left) == (31, 6, 1, 0)
    (aside,) = {line for step in steps for line in step.told}
    assert "bad/IM0003: ended its worker twice" in aside


def test_one_machine_listens_to_itself_alone_and_says_why_a_worker_cannot_start() -> None:
    needed = (str(Path(run.__file__).parents[3]), str(Path(poisons.__file__).parent))
    own = {"PYTHONPATH": os.pathsep.join(needed), "RAY_worker_niceness": "0", "PYTHONWARNINGS": ""}
    done = subprocess.run(
        [sys.executable, poisons.__file__], env=os.environ | own, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout.splitlines()[-1])
    assert sorted(said["echo"]) == ["a", "b"]
    assert said["listeners"]
    assert {address.removeprefix("::ffff:") for address in said["listeners"]} <= {"127.0.0.1", "::1"}
    assert "worker cannot start (ModuleNotFoundError: No module named 'covidct.none')" in said["lacking"][0]
    (late,) = said["late"]
    assert late.startswith("Ray: no worker has started within 0 s; close other programs, or wait")
    assert said["dying"] == [
        "Ray stopped: a worker ended more than 1 times, likely for want of memory; give fewer --threads. "
        "Nothing is lost: run the same command again"
    ]


def test_where_ray_does_not_start_it_is_told_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def init(**_: object) -> None:
        raise Exception("The current node timed out during startup.\nThis could happen")  # as Ray does

    monkeypatch.setattr(os, "environ", os.environ.copy())
    monkeypatch.setitem(sys.modules, "ray", SimpleNamespace(is_initialized=lambda: False, init=init))
    with pytest.raises(ArchiveError, match=r"^this machine: Ray does not start .*startup\.\); close other"):
        RayEngine(workers=1)


@pytest.mark.parametrize("address", ["nowhere", "ray://x:1", "127.0.0.1:http", ":1"])
def test_an_address_that_is_none_is_told(address: str) -> None:
    with pytest.raises(ArchiveError, match=r"not an address of a Ray cluster; give HOST:PORT"):
        RayEngine(address=address)


def test_a_cluster_that_is_away_is_told_at_once() -> None:
    began = time.monotonic()
    with pytest.raises(ArchiveError, match=r"no Ray cluster can be reached .*check address and network"):
        RayEngine(address=f"127.0.0.1:{free_port()}")
    assert time.monotonic() - began < 60  # Ray would wait for minutes


class Failing:
    """A job whose workers fail as they are told to."""

    def __init__(self, at_start: Exception | None = None, at_work: Exception | None = None):
        self.at_start, self.at_work = at_start, at_work

    def start(self) -> Worker:
        if self.at_start:
            raise self.at_start
        return self.work

    def work(self, item: str) -> str:
        if self.at_work:
            raise self.at_work
        return item


def run_actor(job: Job) -> str:
    return _unwrap(_Actor(job)({"item": ["x"]})["said"][0])


def test_what_a_worker_raises_is_raised_here() -> None:
    assert run_actor(Failing()) == "x"
    with pytest.raises(OSError, match=r"/table/part") as caught:
        run_actor(Failing(at_work=OSError(errno.ENOSPC, "No space left on device", "/table/part")))
    assert caught.value.errno == errno.ENOSPC
    with pytest.raises(ArchiveError, match="the graph is damaged"):
        run_actor(Failing(at_start=BundleError("the graph is damaged")))
    with pytest.raises(KeyError):  # a mistake of ours
        run_actor(Failing(at_work=KeyError("x")))
