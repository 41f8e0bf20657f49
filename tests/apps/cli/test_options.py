"""How commands end that cannot go on."""

from __future__ import annotations

import errno
import signal
from pathlib import Path
from signal import SIGTERM

import pytest
from click.testing import CliRunner, Result

from covidct.apps.cli.main import TERMINATED, main
from covidct.images.files import write_beside

SPLIT = "covidct.apps.cli.commands.split.run_split"


def split(folder: Path) -> Result:
    (folder / "data.csv").touch()
    return CliRunner().invoke(main, ["split", str(folder / "data.csv"), "--out", str(folder / "out.csv")])


@pytest.mark.parametrize("error", [MemoryError(), OSError(errno.ENOMEM, "Cannot allocate memory")])
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


def test_what_sigterm_ends_removes_what_it_has_half_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def end(partial: Path) -> None:
        partial.write_text("half")
        signal.raise_signal(SIGTERM)

    monkeypatch.setattr(SPLIT, lambda _, out, *__, **___: write_beside(out, end))
    assert split(tmp_path).exit_code == TERMINATED
    assert [path.name for path in tmp_path.iterdir()] == ["data.csv"]
    assert signal.getsignal(SIGTERM) is signal.SIG_DFL
