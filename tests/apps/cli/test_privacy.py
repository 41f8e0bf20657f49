"""A marked patient goes through the command, and nothing that comes out names him unless it was asked for.

Paths that somebody typed are his own, and stand in his table, files and errors; so do names within a ZIP
archive, by which he finds the slice again. They stand in no printed report. What is in a file (headers,
comments, EXIF) stands nowhere.
"""

from __future__ import annotations

import gzip
import logging
from pathlib import Path

import pytest
from click.testing import CliRunner

from covidct.apps.cli.main import main
from marked import SECRETS, find_secrets, make_inputs, marked_zip, write_marked_medium


@pytest.fixture
def inputs(tmp_path: Path) -> Path:
    folder = tmp_path / "inputs"
    folder.mkdir()
    for name, data in make_inputs().items():
        (folder / name).write_bytes(data)
    write_marked_medium(folder / "medium")
    return folder


def test_the_marks_are_in_what_goes_in(tmp_path: Path) -> None:
    """Otherwise nothing below would be a test; what is compressed holds them once it is unpacked."""
    for name, data in make_inputs().items():
        assert "nii" in name or find_secrets(data), name
    assert find_secrets(gzip.decompress(make_inputs()["volume.nii.gz"]))
    assert find_secrets(write_marked_medium(tmp_path / "medium").read_bytes()) == list(SECRETS)


@pytest.mark.parametrize("form", ["table", "jsonl", "csv"])
def test_predict(
    inputs: Path, tmp_path: Path, tiny_bundle: Path, form: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    pytest.importorskip("nibabel")
    out = tmp_path / "out"
    out.mkdir()
    pages = ["--report", out / "page.html", "--heatmaps", out / "maps"] if form == "table" else []
    files = sorted(path for path in inputs.iterdir() if path.is_file())
    given = [
        *files,
        inputs / "medium" / "DICOMDIR",
        "--all-series",
        "--format",
        form,
        "--model",
        tiny_bundle,
        *pages,
    ]
    done = CliRunner().invoke(main, ["predict", *map(str, given)])
    assert done.exit_code in (0, 1), done.output
    assert "slice.dcm" in done.output
    assert "IM5" in done.output  # which the medium lists, and lacks
    written = [path.read_bytes() for path in out.rglob("*") if path.is_file()]
    assert len(written) == 0 if form != "table" else len(written) > 1
    assert find_secrets(done.stdout, done.stderr, *written) == []
    assert find_secrets("\n".join(record.getMessage() for record in caplog.records)) == []


def test_a_report_names_the_patient_where_it_is_asked_to(tmp_path: Path, tiny_bundle: Path) -> None:
    path, page = tmp_path / "s.zip", tmp_path / "page.html"
    path.write_bytes(marked_zip("Xqzname"))
    for more, expected in (([], []), (["--identify"], ["xqzname", "xqzid", "xqzacc"])):
        given = ["predict", str(path), "--report", str(page), "--model", str(tiny_bundle), *more]
        assert CliRunner().invoke(main, given).exit_code == 0
        assert find_secrets(page.read_bytes()) in (expected, expected[1:])
