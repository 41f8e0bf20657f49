from __future__ import annotations

from pathlib import Path

import numpy as np

from covidct.apps.reading import PIECE, Reading
from covidct.blob import MemoryBlob
from covidct.pipeline import Classifier
from covidct.types import Decision, Status
from makers import ct_dataset, dicom_bytes, phantom_hu
from servers import BRIGHT, DARK, LESIONS


def read(bundle: Path, *files: MemoryBlob) -> Reading:
    reading = Reading(Classifier.load(bundle, threads=1), files)
    for _ in reading.pieces():
        pass
    return reading


def test_each_file_gets_its_answer_in_order(tiny_bundle: Path) -> None:
    names = [f"{number}.png" for number in range(2 * PIECE + 3)]
    blobs = [MemoryBlob(name, BRIGHT if number % 2 else DARK) for number, name in enumerate(names)]
    reading = read(tiny_bundle, *blobs)
    assert [answer.result.path for answer in reading.answers] == names
    decisions = [answer.result.decision for answer in reading.answers]
    assert decisions[:2] == [Decision.NEGATIVE, Decision.POSITIVE]
    assert decisions[::2] == [Decision.NEGATIVE] * (PIECE + 2)
    assert reading.total == len(names)


def test_answers_come_piece_by_piece(tiny_bundle: Path) -> None:
    reading = Reading(
        Classifier.load(tiny_bundle, threads=1), [MemoryBlob("a", BRIGHT) for _ in range(PIECE + 1)]
    )
    counts = [len(reading.answers) for _ in reading.pieces()]
    assert counts == [PIECE, PIECE + 1]


def test_bytes_are_answered_as_files_are(tiny_bundle: Path, tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(LESIONS)
    expected = Classifier.load(tiny_bundle, threads=1).predict(path).probability
    assert read(tiny_bundle, MemoryBlob("a.png", LESIONS)).answers[0].result.probability == expected


def test_a_slice_can_be_read_again(tiny_bundle: Path) -> None:
    data = dicom_bytes(ct_dataset(phantom_hu()))
    shown = read(tiny_bundle, MemoryBlob("a.dcm", data)).answers[0].read()
    assert shown is not None
    assert shown.pixels.shape == (64, 64)
    assert shown.pixels.dtype == np.uint8


def test_what_cannot_be_read_has_an_answer_too(tiny_bundle: Path) -> None:
    answers = read(tiny_bundle, MemoryBlob("../<b>.png", b"nothing"), MemoryBlob("empty", b"")).answers
    assert [answer.result.status for answer in answers] == [Status.ERROR, Status.ERROR]
    assert answers[0].result.path == "../<b>.png"
    assert "empty" in (answers[1].result.message or "")
