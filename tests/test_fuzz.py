"""A short run of every harness, which finds nothing; and that they would find what they look for."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import reached
import run
import worker
from byte_mutations import Mutation
from covidct.errors import ReadError
from covidct.series.slices import read_instance
from covidct.series.study import read_study
from mutations import HEADERS, mutate
from readers import Reader, make_readers
from seeds import make_seeds
from structures import GRAPHS
from study_seeds import STUDIES

FUZZ = Path(worker.__file__).parent
CASES = 30
MUTATIONS = tuple(dict.fromkeys((*HEADERS, *GRAPHS, *STUDIES)))


@pytest.fixture(scope="module")
def readers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Reader]:
    return make_readers(tmp_path_factory.mktemp("scratch"))


def test_damaged_files_of_every_kind_are_answered_or_refused(tmp_path: Path) -> None:
    places = os.pathsep.join(map(str, (FUZZ.parent, FUZZ.parent / "tests" / "support")))
    done = subprocess.run(
        [sys.executable, "-W", "ignore", str(FUZZ / "worker.py"), "7", str(CASES), str(tmp_path)],
        env=os.environ | {"PYTHONPATH": places},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    counts = [json.loads(line) for line in done.stdout.splitlines()]
    assert [count["reader"] for count in counts] == list(run.READERS)
    assert all(count["cases"] == CASES for count in counts)
    # Most that is damaged is refused; were all of it, nothing would have been read.
    assert sum(count["answered"] for count in counts) > CASES


def test_a_long_run_asks_every_harness(readers: dict[str, Reader]) -> None:
    assert list(readers) == list(run.READERS)


@pytest.mark.parametrize("name", list(make_seeds()))
def test_what_mutations_start_from_is_sound(name: str) -> None:
    study = read_study([(name, make_seeds()[name])], all_series=True)
    instances = [*study.loose, *(instance for series in study.series for instance in series.instances)]
    assert instances
    assert all(read_instance(instance).pixels.size for instance in instances)


@pytest.mark.parametrize("name", run.READERS)
def test_a_harness_reads_what_nobody_damaged(readers: dict[str, Reader], name: str, tmp_path: Path) -> None:
    reader = readers[name]
    for seed, data in reader.seeds.items():
        assert reader.read(worker.put(reader, seed, data, tmp_path)), seed


@pytest.mark.parametrize("mutation", MUTATIONS)
def test_a_mutation_changes_some_file_and_the_same_draw_gives_the_same(
    readers: dict[str, Reader], mutation: Mutation
) -> None:
    seeds = [data for reader in readers.values() for data in reader.seeds.values()]
    draws = [[mutation(data, random.Random(at)) for data in seeds] for at in range(3)]
    assert draws == [[mutation(data, random.Random(at)) for data in seeds] for at in range(3)]
    assert any(changed != seeds for changed in draws)


def test_a_mutation_takes_whatever_another_left() -> None:
    for data in (b"", b"\x89PNG\r\n\x1a\n", b"II*\0\xff\xff\xff\xff", b"\x08", b"ustar".rjust(262)):
        for seed in range(200):
            mutate(data, random.Random(seed), MUTATIONS)


def test_what_takes_too_long_ends_the_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "SECONDS", 0.05)

    def work(_: Path) -> bool:
        end = time.process_time() + 5
        while time.process_time() < end:
            pass
        return True

    before = signal.signal(signal.SIGPROF, worker._stop)
    try:
        with pytest.raises(worker.TooSlow):
            worker.read_within_limits(Reader({}, (), work), Path("slow.png"))
    finally:
        signal.signal(signal.SIGPROF, before)


@pytest.mark.parametrize("error", [ReadError("known"), KeyError("unforeseen")])
def test_errors_of_covidct_pass_and_others_do_not(error: Exception) -> None:
    def fail(_: Path) -> bool:
        raise error

    reader = Reader({}, (), fail)
    if isinstance(error, ReadError):
        assert not worker.read_within_limits(reader, Path("any.png"))
    else:
        with pytest.raises(KeyError, match="unforeseen"):
            worker.read_within_limits(reader, Path("any.png"))


def test_a_find_is_kept_with_what_was_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    case = tmp_path / "case"
    case.mkdir()
    (case / "a.dcm").write_bytes(b"bad")
    done = subprocess.CompletedProcess([], -11, "", "Fatal Python error: Segmentation fault")
    run.keep(case, tmp_path / "dicom-3", done)
    assert (tmp_path / "dicom-3" / "a.dcm").read_bytes() == b"bad"
    assert "exit -11" in (tmp_path / "dicom-3" / "log").read_text(encoding="utf-8")
    assert "Segmentation fault" in capsys.readouterr().out


def test_counts_add_up_to_the_slowest_and_largest() -> None:
    first = {
        "cases": 5,
        "answered": 1,
        "slowest": 0.5,
        "slowest_name": "a",
        "largest": 7,
        "largest_name": "a",
    }
    second = {
        "cases": 3,
        "answered": 2,
        "slowest": 0.1,
        "slowest_name": "b",
        "largest": 9,
        "largest_name": "b",
    }
    assert run.add(None, first) == first
    assert run.add(first, second) == first | {"cases": 8, "answered": 3, "largest": 9, "largest_name": "b"}


def test_coverage_is_of_modules_that_are_there() -> None:
    root = FUZZ.parent
    assert [pattern for pattern in (*reached.READ, *reached.UNREAD) if not list(root.glob(pattern))] == []
