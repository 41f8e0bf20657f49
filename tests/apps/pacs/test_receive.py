"""The node's reception over a real network: this machine's loopback."""

from __future__ import annotations

import errno
import logging
import socket
import ssl
import time
from collections.abc import Iterator
from pathlib import Path
from ssl import SSLContext
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom import dcmread, uid
from pydicom.datadict import tag_for_keyword
from pydicom.dataset import Dataset
from pydicom.tag import Tag
from pynetdicom import AE
from pynetdicom.association import Association

from covidct.apps.pacs.arrivals import Announced, Arrivals
from covidct.apps.pacs.counts import Counts
from covidct.apps.pacs.peer import Tls, parse_caller, to_server_context
from covidct.apps.pacs.receive import (
    LIMIT,
    NEGOTIATION_S,
    SYNTAXES,
    Identity,
    Misfit,
    Reception,
    parse_identity,
    to_entity,
)
from covidct.apps.pacs.spool import Spool, to_key
from covidct.errors import ReadError
from makers import dicom_bytes
from patients import patient_dataset
from services.pacs import free_port, wait_for, write_certificates

VERIFICATION = "1.2.840.10008.1.1"


class Received:
    """A reception with its server, spool and counters."""

    def __init__(self, folder: Path, *allow: str, limit: int = LIMIT, tls: SSLContext | None = None):
        self.spool, self.counts = Spool(folder), Counts()
        self.arrivals = Arrivals(settle=0, quiet=10)
        self.reception = Reception(
            self.spool,
            self.arrivals,
            self.counts,
            callers=[parse_caller(text) for text in allow],
            limit=limit,
        )
        self.port = free_port()
        self.server = to_entity("COVIDCT").start_server(
            ("127.0.0.1", self.port),
            block=False,
            evt_handlers=self.reception.handlers(),
            ssl_context=tls,
        )

    def associate(self, *, called: str = "COVIDCT", calling: str = "TESTS", **contexts: str) -> Association:
        entity = AE(calling)
        entity.add_requested_context(VERIFICATION)
        entity.add_requested_context(contexts.get("storage", uid.CTImageStorage), uid.ExplicitVRLittleEndian)
        return entity.associate("127.0.0.1", self.port, ae_title=called)

    def store(self, dataset: Dataset) -> int:
        association = self.associate(storage=dataset.SOPClassUID)
        status: int = association.send_c_store(dataset).Status
        association.release()
        return status


@pytest.fixture
def received(tmp_path: Path) -> Iterator[Received]:
    yield from _serve(Received(tmp_path))


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[Received]:
    yield from _serve(Received(tmp_path, "CT1@127.0.0.1", "ELSEWHERE@192.0.2.1"))


def _serve(received: Received) -> Iterator[Received]:
    yield received
    assert received.server is not None
    received.server.shutdown()
    received.server.server_close()
    received.spool.__exit__(None, None, None)


def test_echo(received: Received) -> None:
    association = received.associate()
    assert association.send_c_echo().Status == 0
    association.release()


def test_an_instance_is_on_disk_when_it_is_acknowledged(received: Received) -> None:
    dataset = patient_dataset(1)
    association = received.associate()
    assert association.send_c_store(dataset).Status == 0x0000
    key = to_key(dataset.SeriesInstanceUID)
    (path,) = received.spool.instances(key)
    assert dcmread(path) == dataset
    assert received.arrivals.take_due(now=1e12) == [key]
    association.release()
    assert received.counts["instances_kept"] == 1


def test_a_series_is_due_when_the_association_is_released(received: Received) -> None:
    association = received.associate()
    association.send_c_store(patient_dataset(1))
    assert received.reception.busy
    association.release()
    wait_for(lambda: received.reception.served)
    assert received.arrivals.take_due(now=1e9)


def test_after_an_abort_what_was_acknowledged_is_there(received: Received) -> None:
    association = received.associate()
    assert association.send_c_store(patient_dataset(1)).Status == 0x0000
    association.abort()
    wait_for(lambda: received.reception.served)
    assert len(received.spool.instances(to_key(patient_dataset(1).SeriesInstanceUID))) == 1
    assert received.store(patient_dataset(2)) == 0x0000, "it serves on"


def test_a_connection_cut_in_the_middle_of_an_instance_leaves_nothing(received: Received) -> None:
    association = received.associate()
    line = association.dul.socket
    assert line is not None
    assert line.socket is not None
    # A P-DATA-TF (PS3.8 9.3.5) that announces more than it brings.
    line.socket.sendall(b"\x04\x00\x00\x00\x40\x00" + bytes(100))
    line.socket.close()
    assert received.store(patient_dataset(2)) == 0x0000
    assert received.counts["instances_kept"] == 1


def test_another_called_title_is_rejected(received: Received) -> None:
    association = received.associate(called="OTHER")
    assert association.is_rejected
    wait_for(lambda: received.counts["associations_rejected"] == 1)


@pytest.mark.parametrize("calling", ["UNKNOWN", "ELSEWHERE"])
def test_callers_not_on_the_list_are_rejected(guarded: Received, calling: str) -> None:
    association = guarded.associate(calling=calling)
    assert association.is_rejected
    assert association.acceptor.primitive is not None
    assert association.acceptor.primitive.diagnostic == 0x03, "calling AE title not recognised"
    wait_for(lambda: guarded.counts["associations_rejected"] == 1)


def test_callers_on_the_list_are_let_in(guarded: Received) -> None:
    association = guarded.associate(calling="CT1")
    assert association.send_c_echo().Status == 0
    association.release()
    assert guarded.counts["associations"] == 1


def _await_end(received: Received) -> None:
    """Wait until no connection is left."""
    server = received.server
    assert server is not None
    wait_for(lambda: not server.active_associations, seconds=20)


def test_probes_and_silent_connections_lock_nobody_out(received: Received) -> None:
    for _ in range(3 * LIMIT):
        socket.create_connection(("127.0.0.1", received.port), timeout=5).close()
    silent = [socket.create_connection(("127.0.0.1", received.port), timeout=30) for _ in range(LIMIT)]
    silent[0].sendall(b"\x01\x00")  # the beginning of a request that never comes
    begun = time.monotonic()
    assert received.store(patient_dataset(1)) == 0x0000
    assert time.monotonic() - begun < NEGOTIATION_S, "it waits for nobody"
    for connection in silent:
        with connection:
            assert connection.recv(100) == b"", "closed by the node"
    wait_for(lambda: received.counts["connections_unused"] >= 3 * LIMIT)
    _await_end(received)
    assert received.counts["associations_rejected"] == 0


def test_more_associations_than_the_limit_are_rejected_until_one_ends(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for limited in _serve(Received(tmp_path, limit=2)):
        first, second = limited.associate(), limited.associate(calling="CT2")
        with caplog.at_level(logging.WARNING, "covidct.node"):
            assert limited.associate(calling="CT3").is_rejected
        assert "rejected 'CT3' at 127.0.0.1: 2 associations are open already" in caplog.text
        first.release()
        second.abort()
        _await_end(limited)
        assert limited.store(patient_dataset(1)) == 0x0000
        assert limited.counts["associations_rejected"] == 1


def test_a_silent_caller_holds_up_no_other_under_tls(tmp_path: Path) -> None:
    files = write_certificates(tmp_path)
    context = to_server_context(Tls(files / "cert.pem", files / "key.pem"))
    assert context is not None
    for guarded in _serve(Received(tmp_path / "spool", tls=context)):
        with socket.create_connection(("127.0.0.1", guarded.port), timeout=30) as silent:
            trusting = ssl.create_default_context(cafile=str(files / "ca.pem"))
            entity = AE("TESTS")
            entity.add_requested_context(VERIFICATION)
            association = entity.associate(
                "127.0.0.1", guarded.port, ae_title="COVIDCT", tls_args=(trusting, "localhost")
            )
            assert association.send_c_echo().Status == 0
            association.release()
            assert silent.recv(10) == b"", "closed by the node"


def test_kinds_that_are_no_ct_are_not_negotiated_and_told(
    received: Received, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "covidct.node"):
        association = received.associate(storage=uid.MRImageStorage)
        wait_for(lambda: received.counts["contexts_refused"] == 1)
    assert "'TESTS' at 127.0.0.1 offers what the node does not accept: MR Image Storage" in caplog.text
    assert [str(context.abstract_syntax) for context in association.accepted_contexts] == [VERIFICATION]
    association.release()


@pytest.mark.parametrize(
    ("tags", "status"),
    [
        ({"Modality": "MR"}, 0xA900),
        ({"Modality": None}, 0xA900),
        ({"SeriesInstanceUID": None}, 0xC000),
        ({"StudyInstanceUID": None}, 0xC000),
        ({"PixelData": None}, 0xC000),
        ({"PixelData": bytes(100)}, 0xC000),
        ({"Rows": None}, 0xC000),
    ],
)
def test_what_cannot_be_used_is_refused_with_its_status(
    received: Received, tags: dict[str, Any], status: int
) -> None:
    assert received.store(patient_dataset(1, **tags)) == status
    assert received.counts["instances_refused"] == 1
    assert not list(received.spool.series.iterdir())


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_what_the_readers_can_read_is_negotiated(received: Received, syntax: str) -> None:
    entity = AE("TESTS")
    entity.add_requested_context(uid.CTImageStorage, syntax)
    association = entity.associate("127.0.0.1", received.port, ae_title="COVIDCT")
    assert [context.transfer_syntax for context in association.accepted_contexts] == [[syntax]]
    association.release()


def test_a_full_disk_is_out_of_resources_and_it_serves_on(
    received: Received, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as full:
        full.setattr(received.spool, "_check_room", _no_room)
        assert received.store(patient_dataset(1)) == 0xA700
    assert received.store(patient_dataset(1)) == 0x0000
    assert received.counts["instances_no_room"] == 1


def _no_room(_: int) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


DATA = dicom_bytes(patient_dataset(1))
UID = str(patient_dataset(1).SOPInstanceUID)


def test_identity() -> None:
    expected = Identity(Announced(UID), str(patient_dataset(1).SeriesInstanceUID))
    assert parse_identity(DATA, sop_instance_uid=UID) == expected


def test_another_instance_than_was_announced_is_a_misfit() -> None:
    with pytest.raises(Misfit, match="not the one that was announced"):
        parse_identity(DATA, sop_instance_uid="1.2.3")


@pytest.mark.parametrize("wrong", ["../../etc/passwd", "1.2/3", "1..2", "1", "", "1." + "2" * 64])
def test_uids_become_names_of_files_so_they_must_be_uids(wrong: str) -> None:
    dataset = patient_dataset(1)
    for keyword in ("SOPInstanceUID", "SeriesInstanceUID"):
        changed = Dataset()
        changed.update(dataset)
        changed.file_meta = dataset.file_meta
        changed[keyword]._value = uid.UID(wrong, validation_mode=0)
        with pytest.raises(ReadError):
            parse_identity(_bytes(changed), sop_instance_uid=str(changed.SOPInstanceUID))


def _bytes(dataset: Dataset) -> bytes:
    from io import BytesIO

    buffer = BytesIO()
    dataset.save_as(buffer)
    return buffer.getvalue()


@pytest.mark.parametrize("keyword", ["SOPClassUID", "StudyInstanceUID", "Modality"])
@pytest.mark.parametrize("representation", [b"UL", b"U\x09"])
def test_a_value_of_another_representation_is_damage(keyword: str, representation: bytes) -> None:
    tag = Tag(tag_for_keyword(keyword) or 0)
    begins = tag.group.to_bytes(2, "little") + tag.element.to_bytes(2, "little")
    place = DATA.rindex(begins + patient_dataset(1)[tag].VR.encode()) + 4
    with pytest.raises(ReadError, match=r"instance: (damaged|one of its UIDs is not valid)"):
        parse_identity(DATA[:place] + representation + DATA[place + 2 :], sop_instance_uid=UID)


@given(st.integers(0, len(DATA) - 1))
def test_an_instance_cut_off_anywhere_is_not_understood(size: int) -> None:
    with pytest.raises(ReadError):
        parse_identity(DATA[:size], sop_instance_uid=UID)


def test_a_compressed_instance_cut_off_is_not_understood() -> None:
    dataset = patient_dataset(1)
    dataset.compress(uid.RLELossless, generate_instance_uid=False)
    data = dicom_bytes(dataset)
    assert parse_identity(data, sop_instance_uid=UID).announced.uid == UID
    for size in (len(data) - 5, len(data) - 8, len(data) - 100):
        with pytest.raises(ReadError):
            parse_identity(data[:size], sop_instance_uid=UID)
