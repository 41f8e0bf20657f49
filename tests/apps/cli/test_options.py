"""How commands end that cannot go on."""

from __future__ import annotations

import errno
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from covidct.apps.cli.main import TERMINATED, main

SPLIT = "covidct.apps.cli.commands.split.run_split"
# Ends `covidct split` by SIGTERM while it writes, and says whether the signal is then handled as before.
ENDED = """
import signal
from unittest.mock import patch

from covidct.apps.cli.main import main
from covidct.images.files import write_beside

def end(partial):
    partial.write_text("half")
    signal.raise_signal(signal.SIGTERM)

try:
    with patch("SPLIT", lambda _, out, *__, **___: write_beside(out, end)):
        main()
finally:
    if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
        print("as before")
""".replace("SPLIT", SPLIT)


def split(folder: Path) -> Result:
    (folder / "data.csv").touch()
    return CliRunner().invoke(main, ["split", str(folder / "data.csv"), "--out", str(folder / "out.csv")])


def caused(error: Exception, cause: Exception) -> Exception:
    """An error that another led to."""
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        OSError(errno.ENOMEM, "Cannot allocate memory"),
        RuntimeError("can't start new thread"),
        ImportError("_agg.so: failed to map segment from shared object"),
        caused(RuntimeError("Failed to convert the graph"), MemoryError()),
        caused(RuntimeError("Failed"), caused(ValueError(), RuntimeError("can't allocate memory"))),
    ],
)
def test_where_memory_does_not_suffice_one_line_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def fail(*_: object, **__: object) -> str:
        raise error

    monkeypatch.setattr(SPLIT, fail)
    result = split(tmp_path)
    assert (result.exit_code, result.stderr) == (
        2,
        "Error: the memory does not suffice; close other programs, then run the same command again\n",
    )


def test_what_sigterm_ends_removes_what_it_has_half_done(tmp_path: Path) -> None:
    (tmp_path / "data.csv").touch()
    given = ["split", str(tmp_path / "data.csv"), "--out", str(tmp_path / "out.csv")]
    # In a process of its own, as only a main thread can say what a signal does.
    ended = subprocess.run([sys.executable, "-c", ENDED, *given], capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout) == (TERMINATED, "as before\n"), ended.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["data.csv"]


@pytest.mark.parametrize(
    ("given", "place", "words"),
    [
        (["audit"], "cli.commands.audit.run_audit", "No report was written: the same command starts anew."),
        (["predict"], "cli.commands.predict.run_predict", "Answers given so far stand;"),
        (
            ["evaluate", "--out", "figures", "--data"],
            "cli.commands.evaluate.run_evaluate",
            "What is in figures may be half a report: the same command starts anew, and replaces it.",
        ),
        (
            ["calibrate", "--site", "ward", "--out", "site", "--data"],
            "cli.commands.calibrate.run_calibrate",
            "No bundle was written: the same command starts anew.",
        ),
        (
            ["archive", "--out", "table"],
            "archive.engine.RayEngine",
            "What was answered is kept in table: the same command goes on from there.",
        ),
        (
            ["benchmark", "scratch", "--leave-one-source-out", "--out", "trials", "--data"],
            "cli.commands.benchmark.run_trials",
            "Whole epochs and trainings are kept in trials: the same command goes on from there.",
        ),
    ],
)
def test_a_stopped_command_says_what_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: list[str], place: str, words: str
) -> None:
    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(f"covidct.apps.{place}", stop)
    result = CliRunner().invoke(main, [*given, str(tmp_path)])
    assert result.exit_code == 130
    assert f"Stopped. {words}" in result.stderr
