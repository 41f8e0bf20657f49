"""Sending over a real network: this machine's loopback."""

from __future__ import annotations

import gc
import random
from pathlib import Path

import pytest
from pydicom import uid
from pydicom.dataset import Dataset

from covidct.apps.pacs import send as node_send
from covidct.apps.pacs.peer import Peer
from covidct.apps.pacs.send import Backoff, Outcome, send
from makers import dicom_bytes
from patients import patient_dataset
from services.pacs import Pacs, free_port


def reports(folder: Path, count: int = 1, storage: str = uid.ComprehensiveSRStorage) -> list[Path]:
    paths = []
    for number in range(1, count + 1):
        dataset = patient_dataset(number, SOPClassUID=storage, Modality="SR", PixelData=None)
        paths.append(folder / f"{number}.dcm")
        paths[-1].write_bytes(dicom_bytes(dataset))
    return paths


def peer(port: int, title: str = "PACS") -> Peer:
    return Peer(title, "127.0.0.1", port)


def test_files_arrive(tmp_path: Path) -> None:
    with Pacs() as pacs:
        attempts = list(send(reports(tmp_path, 2), peer(pacs.port), title="COVIDCT"))
    assert [attempt.outcome for attempt in attempts] == [Outcome.SENT, Outcome.SENT]
    assert len(pacs.received) == 2


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        (0x0000, Outcome.SENT),
        (0xB000, Outcome.SENT),
        (0xB006, Outcome.SENT),
        (0x0111, Outcome.SENT),
        (0xA700, Outcome.LATER),
        (0xA7FF, Outcome.LATER),
        (0xA900, Outcome.REFUSED),
        (0xC000, Outcome.REFUSED),
        (0x0124, Outcome.REFUSED),
    ],
)
def test_statuses(tmp_path: Path, status: int, outcome: Outcome) -> None:
    with Pacs(status=status) as pacs:
        (attempt,) = send(reports(tmp_path), peer(pacs.port), title="COVIDCT")
    assert attempt.outcome is outcome
    assert attempt.detail == f"status {status:04X}"


# pynetdicom leaves the socket of a connection that failed to the garbage collector.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_peer_that_is_down_is_tried_later(tmp_path: Path) -> None:
    attempts = list(send(reports(tmp_path, 2), peer(free_port()), title="COVIDCT"))
    gc.collect()
    assert [attempt.outcome for attempt in attempts] == [Outcome.DOWN, Outcome.DOWN]


def test_a_kind_the_peer_does_not_take_is_refused(tmp_path: Path) -> None:
    with Pacs() as pacs:
        (attempt,) = send(reports(tmp_path, storage=uid.CTImageStorage), peer(pacs.port), title="COVIDCT")
    assert attempt.outcome is Outcome.REFUSED


def test_a_peer_that_breaks_off_is_tried_later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(node_send, "TIMEOUT_S", 1.0)

    class Breaking(Pacs):
        def _store(self, event: object) -> int:
            event.assoc.abort()  # type: ignore[attr-defined]
            return 0

    with Breaking() as pacs:
        attempts = list(send(reports(tmp_path, 2), peer(pacs.port), title="COVIDCT"))
    assert {attempt.outcome for attempt in attempts} == {Outcome.LATER}


def test_a_file_that_is_gone_is_tried_later(tmp_path: Path) -> None:
    with Pacs() as pacs:
        (attempt,) = send([tmp_path / "gone.dcm"], peer(pacs.port), title="COVIDCT")
    assert (attempt.outcome, attempt.detail) == (Outcome.LATER, "FileNotFoundError")


def test_no_detail_tells_of_the_patient(tmp_path: Path) -> None:
    assert "Doe" in str(Dataset.from_json(patient_dataset(1).to_json()).PatientName)
    with Pacs(status=0xC000) as pacs:
        (attempt,) = send(reports(tmp_path), peer(pacs.port), title="COVIDCT")
    assert "Doe" not in attempt.detail


def test_waits_double_up_to_five_minutes_and_begin_anew_after_success() -> None:
    backoff = Backoff(random=random.Random(1))
    waits = [backoff.fail() for _ in range(40)]
    for number, wait in enumerate(waits):
        full = min(2.0**number, 300)
        assert full / 2 <= wait <= full
    backoff.succeed()
    assert backoff.fail() <= 1
