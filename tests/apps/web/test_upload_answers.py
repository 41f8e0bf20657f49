from __future__ import annotations

import zipfile
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest

from covidct.apps.web.upload_answers import Bounds, Reading, check_unpacked, draw
from covidct.errors import ReadError
from covidct.images.blob import MemoryBlob
from covidct.inference.classifier import Classifier
from covidct.series.study import read_study
from covidct.types import Decision, Kind, Pixels, Reason, Result, Status
from failing import fail_at
from makers import ct_dataset, dicom_bytes, phantom_hu
from services.servers import BOUNDS, BRIGHT, DARK, LESIONS
from stacks import enhanced, save, stack, volume


def pack(files: Mapping[str, bytes]) -> bytes:
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def series_files(count: int = 6) -> dict[str, bytes]:
    """A series under names that say nothing of its order."""
    datasets = stack(volume(count, lesions=(2, 3)))
    return {f"IM{(at * 7 + 3) % 101:04d}": dicom_bytes(dataset) for at, dataset in enumerate(datasets)}


def read(bundle: Path, *files: MemoryBlob, bounds: Bounds = BOUNDS) -> Reading:
    reading = Reading(Classifier.load(bundle, threads=1), files, bounds)
    for _ in reading.pieces():
        pass
    return reading


def results(reading: Reading) -> list[Result]:
    return [answer.result for answer in reading.answers]


def shown(reading: Reading, number: int) -> Pixels | None:
    """The picture of an answer's slice."""
    instance = reading.answers[number].instance
    assert instance is not None
    return draw(instance)


def test_each_file_gets_its_answer_in_order(tiny_bundle: Path) -> None:
    names = [f"{number}.png" for number in range(70)]
    blobs = [MemoryBlob(name, BRIGHT if number % 2 else DARK) for number, name in enumerate(names)]
    reading = read(tiny_bundle, *blobs)
    assert [result.path for result in results(reading)] == names
    assert [result.decision for result in results(reading)] == [Decision.NEGATIVE, Decision.POSITIVE] * 35
    assert reading.total == len(names)


def test_answers_come_piece_by_piece(tiny_bundle: Path) -> None:
    reading = Reading(
        Classifier.load(tiny_bundle, threads=1), [MemoryBlob("a.png", BRIGHT) for _ in range(3)], BOUNDS
    )
    assert [len(reading.answers) for _ in reading.pieces()] == [0, 1, 2, 3]


def test_bytes_are_answered_as_files_are(tiny_bundle: Path, tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(LESIONS)
    expected = Classifier.load(tiny_bundle, threads=1).predict(path).probability
    assert results(read(tiny_bundle, MemoryBlob("a.png", LESIONS)))[0].probability == expected


@pytest.mark.parametrize("zipped", [True, False])
def test_a_series_is_answered_after_its_slices(tiny_bundle: Path, tmp_path: Path, zipped: bool) -> None:
    """As files beside each other or in an archive, and as the same series in a folder is."""
    files = series_files()
    blobs = [MemoryBlob(name, data) for name, data in files.items()]
    reading = read(tiny_bundle, *([MemoryBlob("study.zip", pack(files))] if zipped else blobs))
    *slices, series = results(reading)
    assert [result.slice_index for result in slices] == list(range(6))
    assert series.kind is Kind.SERIES
    assert series.series
    assert series.series.slices == reading.total - 1 == 6
    classifier = Classifier.load(tiny_bundle, threads=1)
    study = read_study([save(tmp_path / "study", stack(volume(6, lesions=(2, 3))))])
    expected = classifier.predict_series(study.series[0])
    assert series.probability == expected.result.probability
    assert [result.probability for result in slices] == [result.probability for result in expected.slices]


def test_pictures_come_first_and_series_that_are_not_read_last(tiny_bundle: Path) -> None:
    mixed = stack(volume(4), series="1.2.3")
    other = stack(volume(4), series="1.2.4", SeriesNumber=3)
    blobs = [
        MemoryBlob(f"{number}.dcm", dicom_bytes(dataset)) for number, dataset in enumerate([*mixed, *other])
    ]
    reading = read(tiny_bundle, *blobs, MemoryBlob("picture.png", BRIGHT))
    found = results(reading)
    assert found[0].path == "picture.png"
    assert [result.kind for result in found[1:6]] == [Kind.SLICE] * 4 + [Kind.SERIES]
    assert found[-1].kind is Kind.SERIES
    assert (found[-1].status, found[-1].reason) == (Status.REFUSED, Reason.NOT_CHOSEN)
    assert len(found) == reading.total


def test_frames_of_one_object_are_slices(tiny_bundle: Path) -> None:
    reading = read(tiny_bundle, MemoryBlob("ct.dcm", dicom_bytes(enhanced(volume(5)))))
    assert [result.kind for result in results(reading)] == [Kind.SLICE] * 5 + [Kind.SERIES]
    assert shown(reading, 2) is not None


def test_a_slice_can_be_read_again_and_a_series_is_none(tiny_bundle: Path) -> None:
    data = dicom_bytes(ct_dataset(phantom_hu()))
    pixels = shown(read(tiny_bundle, MemoryBlob("a.dcm", data)), 0)
    assert pixels is not None
    assert pixels.shape == (64, 64)
    assert pixels.dtype == np.uint8
    reading = read(tiny_bundle, MemoryBlob("study.zip", pack(series_files())))
    assert shown(reading, 3) is not None
    assert reading.answers[-1].instance is None


def test_what_cannot_be_read_has_an_answer_too(tiny_bundle: Path) -> None:
    found = results(read(tiny_bundle, MemoryBlob("../<b>.png", b"nothing"), MemoryBlob("empty", b"")))
    assert [result.status for result in found] == [Status.ERROR, Status.ERROR]
    assert found[0].path == "../<b>.png"
    assert "empty" in (found[1].message or "")


def test_what_no_reader_foresees_is_an_error_of_that_file(
    tiny_bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fail_at(monkeypatch, "b.png")
    reading = read(tiny_bundle, *(MemoryBlob(name, BRIGHT) for name in ("a.png", "b.png", "c.png")))
    assert [result.status for result in results(reading)] == [Status.OK, Status.ERROR, Status.OK]
    assert "b.png" in (results(reading)[1].message or "")


def test_what_is_no_slice_in_an_archive_is_counted(tiny_bundle: Path) -> None:
    reading = read(tiny_bundle, MemoryBlob("a.zip", pack({"a.png": BRIGHT, "b.txt": b"x", ".c.png": b"y"})))
    assert [result.path for result in results(reading)] == ["a.zip/a.png"]
    assert reading.skipped == 2


def test_where_there_is_no_slice_that_is_said(tiny_bundle: Path) -> None:
    with pytest.raises(ReadError, match="Nothing in the upload"):
        read(tiny_bundle, MemoryBlob("a.zip", pack({"b.txt": b"x"})))


def test_an_archive_may_not_hold_more_slices_than_an_upload(tiny_bundle: Path) -> None:
    packed = pack({f"{number}.png": BRIGHT for number in range(11)})
    with pytest.raises(ReadError, match="11 slices"):
        read(tiny_bundle, MemoryBlob("a.zip", packed), bounds=Bounds(slices=10, unpacked_bytes=10**9))


def test_a_bomb_is_refused_by_what_it_promises(tiny_bundle: Path) -> None:
    bomb = pack({f"{number}.png": bytes(20_000_000) for number in range(10)})
    assert len(bomb) < 1_000_000
    with pytest.raises(ReadError, match="200,000,000 bytes"):
        read(tiny_bundle, MemoryBlob("a.zip", bomb), bounds=Bounds(slices=10, unpacked_bytes=10**8))


def test_a_bomb_that_promises_little_is_no_slice(tiny_bundle: Path) -> None:
    """Its entry says ten bytes; no more than these are unpacked."""
    honest = pack({"a.png": bytes(20_000_000)})
    at = honest.rindex(b"PK\x01\x02")
    lying = honest[: at + 24] + (10).to_bytes(4, "little") + honest[at + 28 :]
    [result] = results(read(tiny_bundle, MemoryBlob("a.zip", lying)))
    assert result.status is Status.ERROR


@pytest.mark.parametrize("cut", [0.3, 0.9, 0.99])
def test_a_damaged_archive_is_an_answer(tiny_bundle: Path, cut: float) -> None:
    packed = pack({"a.png": BRIGHT, "b.png": DARK})
    [result] = results(read(tiny_bundle, MemoryBlob("a.zip", packed[: int(len(packed) * cut)])))
    assert result.status is Status.ERROR
    assert "ZIP" in (result.message or "")


def test_what_is_no_archive_counts_as_it_is() -> None:
    check_unpacked([MemoryBlob("a", bytes(100)), MemoryBlob("b", b"PK\x03\x04" + bytes(96))], 200)
    with pytest.raises(ReadError):
        check_unpacked([MemoryBlob("a", bytes(101))], 100)
