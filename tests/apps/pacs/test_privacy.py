"""A marked patient at a node and at a DICOMweb server: nothing that is said names him."""

from __future__ import annotations

import json
import logging
import tempfile
from pathlib import Path

import pytest
import requests
from click.testing import CliRunner
from pydicom import config

from answering import Answering
from covidct.apps.cli.main import main
from covidct.apps.pacs.receive import parse_identity
from covidct.errors import ReadError
from dicom_seeds import INSTANCE
from marked import MARKS, TEXT, find_secrets, make_inputs, marked_dicom
from other_seeds import BOUNDARY, make_answers

NAMED = {"00100010": {"vr": "PN", "Value": [{"Alphabetic": MARKS["PatientName"]}]}}


def test_what_the_node_says_of_an_instance_that_it_refuses() -> None:
    """Whatever is wrong with it, a UID that is a name too: the node logs the error and nothing else."""
    with config.disable_value_validation():
        wrong = [
            marked_dicom(SOPInstanceUID=TEXT),
            marked_dicom(SeriesInstanceUID=TEXT),
            marked_dicom(Rows=None),
            marked_dicom(Modality=MARKS["PatientID"]),
            marked_dicom(NumberOfFrames=MARKS["PatientBirthDate"]),
        ]
    said = []
    for data in [*wrong, *make_inputs().values()]:
        with pytest.raises(ReadError) as caught:
            parse_identity(data, sop_instance_uid="1.2.3")
        said.append(str(caught.value))
    assert find_secrets(*said) == []


def to_named_answers(instance: bytes) -> dict[str, bytes]:
    """Answers that name the patient wherever they can."""
    listed = {
        name: json.dumps([item | NAMED for item in json.loads(make_answers()[name])]).encode()
        for name in ("studies", "series", "instances")
    }
    head = f"--{BOUNDARY}\r\nContent-Type: application/dicom\r\n\r\n".encode()
    return make_answers() | listed | {INSTANCE: head + instance + f"\r\n--{BOUNDARY}--\r\n".encode()}


@pytest.mark.parametrize("end", [None, -3000, 600])
def test_a_study_of_a_dicomweb_server(
    tmp_path: Path,
    tiny_bundle: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    end: int | None,
) -> None:
    """One that is whole, and one that is cut off; what was fetched lies nowhere afterwards."""
    caplog.set_level(logging.DEBUG, logger="covidct")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    answers = Answering(to_named_answers(marked_dicom(SOPInstanceUID=INSTANCE)[:end]))
    monkeypatch.setattr(requests.Session, "get_adapter", lambda *_, **__: answers)
    given = [
        "predict",
        "--dicomweb",
        "http://localhost:1/web",
        "--study",
        "1.2.3",
        "--model",
        str(tiny_bundle),
    ]
    done = CliRunner().invoke(main, given)
    assert (INSTANCE in done.output) or end
    assert done.exit_code in (0, 1), done.output
    assert find_secrets(done.output, *(record.getMessage() for record in caplog.records)) == []
    assert list(tmp_path.iterdir()) == []
