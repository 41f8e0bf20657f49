"""A short run of the fuzzer, which finds nothing; and that it would find what it looks for."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import worker
from covidct.errors import ReadError
from covidct.series.slices import read_instance
from covidct.series.study import read_study
from mutations import MUTATIONS, Mutation, mutate
from seeds import make_seeds

FUZZ = Path(worker.__file__).parent
CASES = 400


def test_mutated_files_are_answered_or_refused(tmp_path: Path) -> None:
    places = os.pathsep.join(map(str, (FUZZ.parent, FUZZ.parent / "tests" / "support")))
    command = [sys.executable, "-W", "ignore", str(FUZZ / "worker.py"), "7", str(CASES), str(tmp_path)]
    done = subprocess.run(
        command,
        env=os.environ | {"PYTHONPATH": places},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", list(make_seeds()))
def test_what_mutations_start_from_is_sound(name: str) -> None:
    study = read_study([(name, make_seeds()[name])], all_series=True)
    instances = [*study.loose, *(instance for series in study.series for instance in series.instances)]
    assert instances
    for instance in instances:
        assert read_instance(instance).pixels.size


@pytest.mark.parametrize("mutation", dict.fromkeys(MUTATIONS))
def test_a_mutation_changes_some_file_and_the_same_draw_gives_the_same(mutation: Mutation) -> None:
    seeds = make_seeds().values()
    draws = [[mutation(data, random.Random(at)) for data in seeds] for at in range(5)]
    assert draws == [[mutation(data, random.Random(at)) for data in seeds] for at in range(5)]
    assert any(changed != list(seeds) for changed in draws)


def test_a_mutation_takes_whatever_another_left() -> None:
    for data in (b"", b"\x89PNG\r\n\x1a\n", b"II*\0\xff\xff\xff\xff", b"\x08"):
        for seed in range(200):
            mutate(data, random.Random(seed))


def test_what_takes_too_long_ends_the_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "SECONDS", 0.05)

    def work(*_: object, **__: object) -> None:
        end = time.process_time() + 5
        while time.process_time() < end:
            pass

    monkeypatch.setattr(worker, "parse_slice", work)
    before = signal.signal(signal.SIGPROF, worker._stop)
    try:
        with pytest.raises(worker.TooSlow):
            worker.read_within_limits(b"", "slow.png")
    finally:
        signal.signal(signal.SIGPROF, before)


@pytest.mark.parametrize("error", [ReadError("known"), KeyError("unforeseen")])
def test_errors_of_covidct_pass_and_others_do_not(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(worker, "parse_slice", fail)
    if isinstance(error, ReadError):
        worker.read_any(b"", "any.png")
    else:
        with pytest.raises(KeyError, match="unforeseen"):
            worker.read_any(b"", "any.png")
