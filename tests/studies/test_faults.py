"""A few of the faults of studies/faults, on every machine that has a C compiler."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest

from faults.control import Change, Injector, Kind, build, to_pattern
from faults.run import AGAIN, DONE, Bench, Warm, to_stages, try_all
from faults.scenarios import COMMANDS
from faults.table import to_table

PREDICT = COMMANDS["predict"]


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """`covidct predict` with all that it can write, in a process that can be disturbed."""
    if not shutil.which("cc"):
        pytest.skip("no C compiler")
    folder = tmp_path_factory.mktemp("faults")
    injector = Injector(build(folder), folder / "root", folder)
    warm = Warm(injector, PREDICT.modules)
    yield Bench(PREDICT, injector, warm, folder)
    warm.close()


def test_predict_under_faults_leaves_nothing_half_written_and_gives_the_same_afterwards(bench: Bench) -> None:
    stages = to_stages(bench.measure())
    assert {"answers.jsonl", "report.html", "sr.dcm", "sc.dcm", "seg.dcm"} < set(stages)
    chosen = {name: stages[name] for name in ("report.html", "sr.dcm")}
    cells = [cell for kind in (Kind.KILL, Kind.NO_SPACE) for cell in try_all(bench, kind, chosen)]
    assert [cell.result for cell in cells] == ["killed", "killed", AGAIN, "told", "told", AGAIN]
    assert {cell.code for cell in cells if cell.result == "told"} == {2}
    said = [cell.said for cell in cells if cell.result == "told"]
    assert all("no space is left; free some, then run the same command again" in line for line in said)
    assert "| predict | `sr.dcm` | killed | told |" in to_table(cells)


def test_a_clock_that_is_set_back_changes_nothing(bench: Bench) -> None:
    (first, *_) = try_all(bench, Kind.CLOCK, {"report.html": Change("write", "report.html.partial")})
    assert (first.code, first.result) == (0, DONE)


def test_what_is_half_written_is_found(bench: Bench) -> None:
    bench.empty()
    bench.run(Kind.NONE)
    assert bench.compare() == []
    page = next(bench.root.rglob("*.heatmap.png"))
    page.write_bytes(page.read_bytes()[:100])
    (bench.root / "report.html").unlink()
    assert len(bench.find_broken()) == 1
    assert bench.compare()[0] == "report.html is missing"
    assert "heatmap.png is another" in bench.compare()[1]


def test_what_differs_from_run_to_run_is_left_open_in_a_place() -> None:
    assert to_pattern("run/slices/0123456789abcdef.12.34") == "run/slices/*.*.*"
    assert to_pattern(".covidct-ab_cd1e2/files/x.png") == ".covidct-*/files/x.png"
