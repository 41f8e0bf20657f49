"""Reports to a peer that does not take all of them."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from pydicom import uid
from pynetdicom.events import Event

from covidct.apps.pacs.counts import Counts
from covidct.apps.pacs.deliver import TRIES, Delivery
from covidct.apps.pacs.peer import Peer
from covidct.apps.pacs.record import Record
from covidct.apps.pacs.send import send
from covidct.apps.pacs.spool import Spool
from makers import dicom_bytes
from patients import patient_dataset
from services.pacs import Pacs, free_port

HOUR = 3600.0  # longer than any wait


class Choosy(Pacs):
    """A peer that aborts on the report of one series, or answers A700 for it."""

    def __init__(self, bad: str, *, aborts: bool = False, port: int | None = None):
        self.bad, self.aborts = bad, aborts
        super().__init__(port)

    def __enter__(self) -> Choosy:
        return self

    def _store(self, event: Event) -> int:
        if str(event.dataset.SOPInstanceUID).endswith(self.bad):
            if self.aborts:
                event.assoc.abort()
            return 0xA700
        return super()._store(event)


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    with Spool(tmp_path / "spool") as spool:
        yield spool


def post(spool: Spool, *numbers: int) -> None:
    for number in numbers:
        report = patient_dataset(
            number, SOPClassUID=uid.ComprehensiveSRStorage, Modality="SR", PixelData=None
        )
        spool.post(f"key{number}", {"sr.dcm": dicom_bytes(report)}, Record({}, "m", {}))


def delivery(spool: Spool, port: int) -> Delivery:
    return Delivery(spool, Counts(), partial(send, peer=Peer("PACS", "127.0.0.1", port), title="COVIDCT"))


@pytest.mark.parametrize("aborts", [False, True])
def test_one_report_that_is_not_taken_holds_up_no_other_and_ends_in_failed(
    spool: Spool, caplog: pytest.LogCaptureFixture, aborts: bool
) -> None:
    post(spool, 1, 2, 3)
    with Choosy(".1", aborts=aborts) as pacs, caplog.at_level(logging.INFO, "covidct.node"):
        working = delivery(spool, pacs.port)
        working.work(now=0)
        assert len(pacs.received) == 2, "the others pass at once"
        assert [parcel.key for parcel in spool.parcels()] == ["key1"]
        for at in range(1, TRIES):
            assert not list(spool.failed.iterdir())
            working.work(now=at * HOUR)
    assert not spool.parcels()
    (failed,) = spool.failed.iterdir()
    assert failed.name.startswith("key1-")
    assert f"series key1: sr.dcm: not accepted in {TRIES} tries, others were" in caplog.text
    assert "Doe" not in caplog.text


def test_a_peer_that_takes_nothing_for_a_while_loses_nothing(spool: Spool) -> None:
    post(spool, 1, 2)
    with Pacs(status=0xA700) as pacs:
        working = delivery(spool, pacs.port)
        for at in range(2 * TRIES):
            working.work(now=at * HOUR)
        assert len(spool.parcels()) == 2
        assert not list(spool.failed.iterdir())
        pacs.status = 0x0000
        working.work(now=100 * HOUR)
    assert not spool.parcels()


def test_each_waits_by_itself(spool: Spool) -> None:
    post(spool, 1)
    with Choosy(".1") as pacs:
        working = delivery(spool, pacs.port)
        working.work(now=0)
        post(spool, 2)
        pacs.bad = "nothing"
        working.work(now=0.1)
        assert [parcel.key for parcel in spool.parcels()] == ["key1"], "it waits; the new one does not"
        working.work(now=HOUR)
    assert not spool.parcels()


# pynetdicom leaves the socket of a connection that failed to the garbage collector.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_peer_that_is_down_is_asked_once_for_all_reports(spool: Spool) -> None:
    post(spool, 1, 2, 3)
    port = free_port()
    working = delivery(spool, port)
    for at in range(2 * TRIES):
        working.work(now=at * HOUR)
    assert working._counts["sends_postponed"] == 2 * TRIES
    working.work(now=(2 * TRIES - 1) * HOUR + 0.1)
    assert working._counts["sends_postponed"] == 2 * TRIES, "not before its time"
    with Pacs(port) as pacs:
        working.work(now=100 * HOUR)
        assert len(pacs.received) == 3
    assert not spool.parcels()
