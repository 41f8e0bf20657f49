"""`covidct predict --sr --sc`: DICOM objects as files. From and to a server: test_orthanc."""

from __future__ import annotations

from pathlib import Path

from click.testing import CliRunner, Result
from pydicom import dcmread

from covidct.apps.cli.main import main
from covidct.images.hounsfield import to_display
from covidct.images.phantoms.slice import Phantom, draw_phantom
from makers import dicom_bytes, write_png
from patients import PATIENT_ID, STUDY_UID, patient_dataset, words, write_series


def predict(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, ["predict", *map(str, arguments)], catch_exceptions=False)


def test_report_picture_and_segmentation_of_a_folder(tmp_path: Path, tiny_bundle: Path) -> None:
    write_series(tmp_path / "study")
    report, picture, where = (tmp_path / name for name in ("sr.dcm", "sc.dcm", "seg.dcm"))
    wanted = ("--sr", report, "--sc", picture, "--seg", where)
    done = predict(tmp_path / "study", "--model", tiny_bundle, *wanted)
    assert done.exit_code == 0
    assert len(done.stdout.splitlines()) == 5, "results as ever"
    assert f"DICOM: {report}" in done.stderr
    for path, modality in ((report, "SR"), (picture, "OT"), (where, "SEG")):
        made = dcmread(path)
        assert (made.Modality, made.StudyInstanceUID, made.PatientID) == (modality, STUDY_UID, PATIENT_ID)
    assert str(tmp_path) not in words(dcmread(report)), "no path goes into a PACS"


def test_images_without_a_frame_of_reference_get_no_segmentation(tmp_path: Path, tiny_bundle: Path) -> None:
    write_series(tmp_path / "study", FrameOfReferenceUID=None)
    given = (tmp_path / "study", "--model", tiny_bundle, "--seg", tmp_path / "seg.dcm")
    done = predict(*given, "--sr", tmp_path / "sr.dcm")
    assert done.exit_code == 2
    assert "lacks FrameOfReferenceUID" in done.output
    assert not list(tmp_path.glob("*.dcm"))


def test_several_series_go_into_a_folder(tmp_path: Path, tiny_bundle: Path) -> None:
    write_series(tmp_path / "study" / "a")
    write_series(tmp_path / "study" / "b", series="2")
    given = (tmp_path / "study", "--all-series", "--model", tiny_bundle, "--sr")
    assert predict(*given, tmp_path / "sr.dcm").exit_code == 2
    (tmp_path / "out").mkdir()
    assert predict(*given, tmp_path / "out").exit_code == 0
    assert len(list((tmp_path / "out").glob("*.sr.dcm"))) == 2


def test_a_refused_series_is_reported_where_it_is_all_there_is(tmp_path: Path, tiny_bundle: Path) -> None:
    write_series(tmp_path / "study", ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"])
    given = (tmp_path / "study", "--model", tiny_bundle)
    assert predict(*given, "--sr", tmp_path / "sr.dcm").exit_code == 0
    assert "localiser" in words(dcmread(tmp_path / "sr.dcm"))
    done = predict(*given, "--sc", tmp_path / "sc.dcm")
    assert done.exit_code == 2
    assert "no picture to write" in done.output
    assert not (tmp_path / "sc.dcm").exists()


def test_what_is_not_dicom_gets_no_report(tmp_path: Path, tiny_bundle: Path) -> None:
    picture = write_png(tmp_path / "slice.png", to_display(draw_phantom(Phantom.NORMAL, seed=1, size=64)))
    done = predict(picture, "--model", tiny_bundle, "--sr", tmp_path / "sr.dcm")
    assert done.exit_code == 2
    assert "no series was answered for, so there is no report to write" in done.output


def test_a_slice_of_another_patient_stays_out_of_the_report(tmp_path: Path, tiny_bundle: Path) -> None:
    write_series(tmp_path / "study", count=3)
    other = patient_dataset(4, PatientID="ANOTHER")
    (tmp_path / "study" / "4.dcm").write_bytes(dicom_bytes(other))
    done = predict(tmp_path / "study", "--model", tiny_bundle, "--sr", tmp_path / "sr.dcm")
    assert done.exit_code == 0, done.output
    report = (tmp_path / "sr.dcm").read_bytes()
    assert b"ANOTHER" not in report
    assert other.SOPInstanceUID.encode() not in report
    assert "ANOTHER" not in done.stderr
