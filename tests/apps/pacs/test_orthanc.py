"""From a PACS to the node and back, and by DICOMweb, with Debian's Orthanc and dcmtk."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from pydicom import dcmread

from answers import write_bytes
from covidct.apps.cli.main import main
from covidct.apps.pacs.dicomweb import Archive
from covidct.errors import DicomwebError
from covidct.types import DISCLAIMER
from patients import STUDY_UID, words, write_series
from services.orthanc import PLUGIN, Orthanc, running
from services.pacs import NodeProcess, free_port, needs, wait_for


def storescu(paths: Sequence[Path], port: int) -> None:
    needs("storescu")
    # -xs and -R: in the transfer syntax that a file has, and no contexts for others.
    for syntax in ("-xe", "-xr"):
        subprocess.run(
            ["storescu", syntax, "-R", "-aec", "PACS", "127.0.0.1", str(port), *map(str, paths)],
            capture_output=True,
            check=False,
        )


def test_a_series_sent_to_the_pacs_gets_its_report_there(tmp_path: Path, tiny_bundle: Path) -> None:
    node_port = free_port()
    paths = write_series(tmp_path / "study")
    with running(tmp_path, node_port=node_port) as pacs:
        node = NodeProcess(
            tmp_path / "spool", pacs.dicom, "--port", str(node_port), "--once", model=tiny_bundle
        )
        with node:
            storescu(paths, pacs.dicom)
            assert node.wait() == 0, node.log
        assert "WARNING" not in node.log, "what Orthanc offers beside CT is no cause for concern"
        check_reports(pacs, tmp_path)
        assert len(pacs.get("studies")) == 1, "in the same study"
        assert len(pacs.series("OT")) == 1


def test_the_two_real_series_end_to_end(tmp_path: Path, shared_data: Path) -> None:
    """One of them has gaps, and its report in the PACS must say so. With the model that ships."""
    paths = sorted((shared_data / "dicom" / "lung-pet-ct-dx").rglob("*.dcm"))
    if not paths:
        pytest.skip("the two series are not there")
    node_port = free_port()
    with running(tmp_path, node_port=node_port) as pacs:
        node = NodeProcess(tmp_path / "spool", pacs.dicom, "--port", str(node_port), "--quiet", "5")
        with node:
            storescu(paths, pacs.dicom)
            wait_for(lambda: len(pacs.series("OT")) == 2, why=node.log)
            assert node.stop() == 0
        reports = check_reports(pacs, tmp_path)
        told = {report.PatientID: words(report).lower() for report in reports}
        assert len(pacs.get("studies")) == 2
    assert {name: "gap" in text for name, text in told.items()} == {
        "Lung_Dx-A0001": True,
        "Lung_Dx-A0002": False,
    }


def check_reports(pacs: Orthanc, folder: Path) -> list[Any]:
    """The reports in the PACS, each found valid and readable by programs of others."""
    needs("dciodvfy", "dsrdump")
    reports = []
    for series in pacs.series("SR"):
        for instance in series["Instances"]:
            path = write_bytes(folder, "from-pacs.dcm", pacs.file(instance))
            checked = subprocess.run(["dciodvfy", path], capture_output=True, text=True, check=False)
            assert "ComprehensiveSR" in checked.stderr
            assert "Error" not in checked.stderr
            dumped = subprocess.run(["dsrdump", "+Pl", path], capture_output=True, text=True, check=True)
            assert DISCLAIMER in dumped.stdout
            reports.append(dcmread(path))
    assert reports
    return reports


@pytest.fixture
def pacs(tmp_path: Path) -> Iterator[Orthanc]:
    """An Orthanc with DICOMweb that holds a study."""
    if not PLUGIN.exists():
        pytest.skip("orthanc-dicomweb is not installed (scripts/system installs it)")
    with running(tmp_path, node_port=free_port(), forward=False) as pacs:
        storescu(write_series(tmp_path / "study"), pacs.dicom)
        assert len(pacs.get("instances")) == 4
        yield pacs


def predict(pacs: Orthanc, *arguments: str | Path) -> Result:
    given = ["predict", "--dicomweb", pacs.dicomweb, *map(str, arguments)]
    return CliRunner().invoke(main, given, catch_exceptions=False)


def test_a_study_by_dicomweb_and_its_report_stored_there(
    pacs: Orthanc, tmp_path: Path, tiny_bundle: Path
) -> None:
    done = predict(pacs, "--study", STUDY_UID, "--stow", "--model", tiny_bundle, "--sr", tmp_path / "sr.dcm")
    assert done.exit_code == 0, done.stderr
    lines = done.stdout.splitlines()
    assert len(lines) == 5, "four slices and their series"
    assert f"{pacs.dicomweb}/studies/{STUDY_UID}/series/" in lines[0]
    (report,) = check_reports(pacs, tmp_path)
    assert report.StudyInstanceUID == STUDY_UID
    assert dcmread(tmp_path / "sr.dcm").SOPInstanceUID == report.SOPInstanceUID
    assert len(pacs.get("studies")) == 1


def test_what_is_read_by_dicomweb_gives_the_answer_of_the_files(
    pacs: Orthanc, tmp_path: Path, tiny_bundle: Path
) -> None:
    by_web = predict(pacs, "--study", STUDY_UID, "--model", tiny_bundle).stdout.splitlines()
    by_file = CliRunner().invoke(main, ["predict", str(tmp_path / "study"), "--model", str(tiny_bundle)])
    keys = ("kind", "decision", "probability", "instance_uid", "slice_index")
    pairs = zip(by_web, by_file.stdout.splitlines(), strict=True)
    for one, other in pairs:
        assert [json.loads(one)[key] for key in keys] == [json.loads(other)[key] for key in keys]


def test_a_study_that_is_not_there_is_told(pacs: Orthanc, tiny_bundle: Path) -> None:
    done = predict(pacs, "--study", "1.2.3", "--model", tiny_bundle)
    assert done.exit_code == 2
    assert "has no CT series in study 1.2.3" in done.output


def test_another_server_is_told(pacs: Orthanc) -> None:
    for place in ("nothing", "app"):
        server = Archive(f"http://127.0.0.1:{pacs.http}/{place}")
        with server as archive, pytest.raises(DicomwebError, match="404"):
            archive.find(STUDY_UID)
