from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

from covidct.apps.cli.main import main
from covidct.data.recipe import list_recipes
from covidct.training.pretrained import Pretrained
from covidct.training.run import Job
from makers import write_png
from training import write_phantoms

TRAIN = "covidct.apps.cli.commands.train"


@pytest.fixture
def pics(tmp_path: Path) -> Path:
    """One picture a class, in folders called as people call them."""
    for name in ("CT_COVID", "CT_NonCOVID"):
        (tmp_path / "pics" / name).mkdir(parents=True)
        write_png(tmp_path / "pics" / name / "1.png", np.full((64, 64), 90, np.uint8))
    return tmp_path / "pics"


@pytest.fixture
def jobs(monkeypatch: pytest.MonkeyPatch) -> list[Job]:
    """The jobs that would have been trained, without weights."""
    asked: list[Job] = []

    def keep(job: Job) -> Path:
        asked.append(job)
        return job.out / "bundle"

    monkeypatch.setattr(f"{TRAIN}.train", keep)
    monkeypatch.setattr(f"{TRAIN}.load_pretrained", lambda _: Pretrained({}, "none", ""))
    return asked


def call(data: Path, *options: str) -> Result:
    return CliRunner().invoke(main, ["train", str(data), "--out", str(data.parent / "out"), *options])


@pytest.mark.parametrize("name", ["scratch", "mobilenet", "lung"])
def test_a_folder_and_the_name_of_a_recipe_are_enough(pics: Path, jobs: list[Job], name: str) -> None:
    result = call(pics, "--recipe", name)
    assert result.exit_code == 0, result.output
    assert f"Report: {pics.parent / 'out' / 'report.html'}" in result.stdout
    assert name in list_recipes()
    assert [job.recipe.name for job in jobs] == [name]
    assert {row.label for row in jobs[0].manifest.rows} == {"covid", "non-covid"}


@pytest.mark.parametrize("rate", ["recipe", "auto"])
def test_rates_are_searched_where_that_is_asked_for(pics: Path, jobs: list[Job], rate: str) -> None:
    assert call(pics, "--recipe", "scratch", "--rate", rate).exit_code == 0
    assert [job.search for job in jobs] == [rate == "auto"]


def test_cores_are_those_asked_for(pics: Path, jobs: list[Job], monkeypatch: pytest.MonkeyPatch) -> None:
    counts: list[int] = []
    monkeypatch.setattr(f"{TRAIN}.use_threads", counts.append)
    assert call(pics, "--recipe", "scratch", "--threads", "2").exit_code == 0
    assert call(pics, "--recipe", "scratch").exit_code == 0
    assert counts == [2]
    assert len(jobs) == 2


def a_third_class(pics: Path) -> None:
    (pics / "Other").mkdir()
    write_png(pics / "Other" / "1.png", np.full((64, 64), 90, np.uint8))


def no_slices(pics: Path) -> None:
    for path in pics.rglob("*.png"):
        path.unlink()


@pytest.mark.parametrize(
    ("spoil", "message"),
    [(a_third_class, "it is not clear which of the sub-folders"), (no_slices, "no slices in sub-folders")],
)
def test_weights_are_fetched_after_the_data_are_looked_at(
    pics: Path, monkeypatch: pytest.MonkeyPatch, spoil: Callable[[Path], None], message: str
) -> None:
    spoil(pics)
    fetched: list[object] = []
    monkeypatch.setattr(f"{TRAIN}.load_pretrained", fetched.append)
    result = call(pics, "--recipe", "mobilenet")
    assert result.exit_code == 2
    assert message in " ".join(result.stderr.split())
    assert not fetched


def test_a_second_training_in_one_folder_is_refused_in_one_line(tmp_path: Path) -> None:
    """And it touches nothing of the first one, which is a process of its own."""
    out = tmp_path / "out"
    (out / "slices").mkdir(parents=True)
    (out / "slices" / "kept").touch()
    code = f"from covidct.images.files import *; lock(Path({str(out)!r})); print(1, flush=True); input()"
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen([sys.executable, "-c", code], **pipes) as first:
        assert first.stdout
        first.stdout.readline()
        result = call(write_phantoms(tmp_path), "--recipe", "scratch")
        first.kill()
    busy = f"Error: {out}: another training is at work in this folder; wait until it ends, or choose another"
    assert (result.exit_code, result.stderr.splitlines()[-1]) == (2, f"{busy} --out")
    assert [path.name for path in out.rglob("*")] == ["slices", "kept"]


@pytest.mark.parametrize(
    ("metrics", "words"),
    [
        ("", "No epoch was finished: the same command starts anew."),
        ("epoch\n1\n", "1 epoch is kept in {}: the same command goes on from there."),
        ("epoch\n1\n2\n", "2 epochs are kept in {}: the same command goes on from there."),
    ],
)
def test_a_stopped_training_says_what_is_kept(
    pics: Path, monkeypatch: pytest.MonkeyPatch, metrics: str, words: str
) -> None:
    def stop(job: Job) -> Path:
        if metrics:
            job.out.mkdir()
            (job.out / "metrics.csv").write_text(metrics)
        raise KeyboardInterrupt

    monkeypatch.setattr(f"{TRAIN}.train", stop)
    result = call(pics, "--recipe", "scratch")
    assert result.exit_code == 130
    assert result.stderr.splitlines()[-1] == f"Stopped. {words.format(pics.parent / 'out')}"
