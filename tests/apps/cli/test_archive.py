"""`covidct archive`: options, words and exit codes; the work itself: tests/apps/archive."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from archives import Here, read_rows, save_study
from covidct.apps.archive import engine
from covidct.apps.cli.main import main
from services.pacs import free_port


class HereEngine(Here):
    """Ray's place is taken by this process."""

    def __init__(self, **options: Any):
        super().__init__()
        self.options = options

    def __enter__(self) -> HereEngine:
        return self

    def __exit__(self, *_: object) -> None:
        pass


def run(*arguments: Path | str) -> Result:
    return CliRunner().invoke(main, ["archive", *map(str, arguments)])


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "RayEngine", HereEngine)


@pytest.mark.usefixtures("here")
def test_says_what_it_did_and_fails_where_a_slice_was_not_read(tmp_path: Path, tiny_bundle: Path) -> None:
    out = tmp_path / "out"
    save_study(tmp_path / "in", 1)
    done = run(tmp_path / "in", "--out", out, "--model", tiny_bundle)
    assert done.exit_code == 0, done.output
    assert "4 slices and 1 series answered" in done.stderr
    assert "Research use only" in done.stderr
    assert len(read_rows(out)) == 5
    (tmp_path / "in" / "broken.dcm").write_bytes(b"no DICOM")
    assert run(tmp_path / "in", "--out", out, "--model", tiny_bundle).exit_code == 1


@pytest.mark.usefixtures("here")
def test_a_table_that_is_not_ours_ends_it(tmp_path: Path, tiny_bundle: Path) -> None:
    (tmp_path / "thesis.docx").write_text("years of work")
    done = run(tmp_path / "in", "--out", tmp_path, "--model", tiny_bundle)
    assert done.exit_code == 2
    assert "not a table of covidct archive; give another --out" in done.stderr


@pytest.mark.usefixtures("here")
def test_a_place_that_may_not_be_written_ends_it(tmp_path: Path, tiny_bundle: Path) -> None:
    done = run(tmp_path, "--out", "/proc/covidct", "--model", tiny_bundle)
    assert done.exit_code == 2
    assert "/proc/covidct" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_cluster_that_is_away_ends_it(tmp_path: Path) -> None:
    address = f"127.0.0.1:{free_port()}"
    done = run(tmp_path, "--out", tmp_path / "out", "--address", address)
    assert done.exit_code == 2
    assert f"{address}: no Ray cluster can be reached" in done.stderr


def test_without_the_extra_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    done = run(tmp_path, "--out", tmp_path / "out")
    assert done.exit_code == 2
    assert "install '.[scale]'" in done.stderr
