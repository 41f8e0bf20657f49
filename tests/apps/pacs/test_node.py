"""The node as a program of its own, with a peer, as users have it."""

from __future__ import annotations

import errno
import json
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from pydicom import dcmread
from pydicom.sr.codedict import codes

from covidct.apps.cli.main import main
from covidct.apps.pacs import node as nodes
from covidct.apps.pacs.command import default_spool
from covidct.apps.pacs.node import NodeOptions
from covidct.apps.pacs.peer import Peer
from covidct.apps.pacs.receive import to_entity
from covidct.apps.pacs.spool import Spool, to_key
from covidct.errors import NodeError, ReportError
from covidct.images.phantoms.slice import Phantom
from covidct.inference.classifier import Classifier
from covidct.types import DISCLAIMER
from makers import dicom_bytes
from patients import NAME, PATIENT_ID, STUDY_UID, patient_dataset, words, write_series
from services.pacs import NodeProcess, Pacs, free_port, needs, store, wait_for, write_certificates

# Sockets that pynetdicom leaves to the garbage collector when a peer is down.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


@pytest.fixture
def pacs() -> Iterator[Pacs]:
    with Pacs() as pacs:
        yield pacs


@pytest.fixture
def study(tmp_path: Path) -> list[Path]:
    return write_series(tmp_path / "study", count=4)


def counters(spool: Path) -> dict[str, int]:
    values: dict[str, int] = json.loads((spool / "counters.json").read_text())
    return values


def test_a_series_comes_and_its_report_and_picture_go(
    tmp_path: Path, pacs: Pacs, study: list[Path], tiny_bundle: Path
) -> None:
    spool = tmp_path / "spool"
    with NodeProcess(spool, pacs.port, model=tiny_bundle) as node:
        assert store(study, node.port) == [0, 0, 0, 0]
        wait_for(lambda: len(pacs.received) == 2, why=node.log)
        # The same series again gives no second report.
        assert store(study, node.port) == [0, 0, 0, 0]
        wait_for(lambda: "was sent again" in node.log, why=node.log)
        assert node.stop() == 0
        report, picture = pacs.of("SR"), pacs.of("OT")
        assert (len(report), len(picture)) == (1, 1)
        for made in (*report, *picture):
            assert (made.StudyInstanceUID, made.PatientID) == (STUDY_UID, PATIENT_ID)
        assert DISCLAIMER in words(report[0])
        found = counters(spool)
        assert (found["instances_kept"], found["objects_sent"], found["series_unchanged"]) == (8, 2, 1)
        for secret in (NAME, "Doe", PATIENT_ID, STUDY_UID, "19500102"):
            assert secret not in node.log
            # Instances lie under their UIDs, in a folder that nobody else may read; nothing else names them.
            kept = (path for path in spool.rglob("*") if path.suffix != ".dcm")
            assert secret not in " ".join(map(str, [*found, *kept]))
        assert to_key(f"{STUDY_UID}.1") in node.log


def test_a_segmentation_goes_where_it_is_asked_for(tmp_path: Path, pacs: Pacs, tiny_bundle: Path) -> None:
    """And images over which none can be laid are reported without."""
    spool = tmp_path / "spool"
    plain = write_series(tmp_path / "a")
    unplaced = write_series(tmp_path / "b", series="2", FrameOfReferenceUID=None)
    with NodeProcess(spool, pacs.port, "--seg", model=tiny_bundle) as node:
        store(plain, node.port)
        wait_for(lambda: len(pacs.received) == 3, why=node.log)
        assert [made.Modality for made in pacs.received] == ["SR", "OT", "SEG"]
        store(unplaced, node.port)
        wait_for(lambda: len(pacs.received) == 5, why=node.log)
        assert node.stop() == 0
        assert [made.Modality for made in pacs.received[3:]] == ["SR", "OT"]
        assert "its images cannot carry a segmentation" in node.log


def test_a_killed_node_goes_on_and_sends_one_report(
    tmp_path: Path, pacs: Pacs, study: list[Path], tiny_bundle: Path
) -> None:
    """Between reception and classification, and again between report and delivery."""
    spool = tmp_path / "spool"
    with NodeProcess(spool, free_port(), "--settle", "60", "--quiet", "60", model=tiny_bundle) as node:
        assert store(study, node.port) == [0, 0, 0, 0]
        node.kill()
    with NodeProcess(spool, free_port(), model=tiny_bundle) as node:
        wait_for(lambda: list((spool / "outbox").glob("*-*/sr.dcm")), why=node.log)
        node.kill()
    with NodeProcess(spool, pacs.port, "--once", model=tiny_bundle) as node:
        assert node.wait() == 0, node.log
    assert (len(pacs.of("SR")), len(pacs.of("OT"))) == (1, 1)
    assert not list((spool / "outbox").iterdir())


def test_a_peer_that_is_down_gets_its_report_when_it_is_up(
    tmp_path: Path, study: list[Path], tiny_bundle: Path
) -> None:
    port = free_port()
    with NodeProcess(tmp_path / "spool", port, "--no-picture", model=tiny_bundle) as node:
        store(study, node.port)
        wait_for(lambda: "next try" in node.log, why=node.log)
        with Pacs(port) as pacs:
            wait_for(lambda: pacs.received, why=node.log)
            assert node.stop() == 0
    assert len(pacs.received) == 1, "without the picture"


def test_late_instances_give_a_new_report_that_names_the_old_one(
    tmp_path: Path, pacs: Pacs, study: list[Path], tiny_bundle: Path
) -> None:
    with NodeProcess(tmp_path / "spool", pacs.port, "--no-picture", model=tiny_bundle) as node:
        store(study[:3], node.port)
        wait_for(lambda: len(pacs.received) == 1, why=node.log)
        store(study[3:], node.port)
        wait_for(lambda: len(pacs.received) == 2, why=node.log)
        assert node.stop() == 0
    before, after = pacs.received
    predecessor = after.PredecessorDocumentsSequence[0].ReferencedSeriesSequence[0].ReferencedSOPSequence[0]
    assert predecessor.ReferencedSOPInstanceUID == before.SOPInstanceUID
    assert "4 of 4 slices answered" in words(after)


def test_a_corrected_patient_gives_a_report_that_replaces_the_wrong_one(
    tmp_path: Path, pacs: Pacs, study: list[Path], tiny_bundle: Path
) -> None:
    with NodeProcess(tmp_path / "spool", pacs.port, "--no-picture", model=tiny_bundle) as node:
        store(study, node.port)
        wait_for(lambda: len(pacs.received) == 1, why=node.log)
        corrected = write_series(tmp_path / "again", PatientID="RIGHT", PatientName="Right^Jane")
        store(corrected, node.port)
        wait_for(lambda: len(pacs.received) == 2, why=node.log)
        assert node.stop() == 0
    wrong, right = pacs.received
    assert (wrong.PatientID, right.PatientID) == (PATIENT_ID, "RIGHT")
    predecessor = right.PredecessorDocumentsSequence[0].ReferencedSeriesSequence[0].ReferencedSOPSequence[0]
    assert predecessor.ReferencedSOPInstanceUID == wrong.SOPInstanceUID
    assert "other data of patient or study; a new report replaces the old one" in node.log
    assert "RIGHT" not in node.log


def test_slices_that_come_one_by_one_give_one_report(
    tmp_path: Path, pacs: Pacs, study: list[Path], tiny_bundle: Path
) -> None:
    """Each in an association of its own; not before there are three, and once more after the last."""
    with NodeProcess(
        tmp_path / "spool", pacs.port, "--no-picture", "--settle", "3", "--quiet", "6", model=tiny_bundle
    ) as node:
        for path in study:
            store([path], node.port)
            time.sleep(0.5)
        wait_for(lambda: pacs.received, why=node.log)
        assert node.stop() == 0
    assert len(pacs.received) == 1
    assert "4 of 4 slices answered" in words(pacs.received[0])


@pytest.mark.parametrize(
    ("count", "tags", "reason"),
    [
        (4, {"ImageType": ["ORIGINAL", "PRIMARY", "LOCALIZER"]}, "localiser"),
        (1, {}, "too_few_slices"),
        (4, {"ImageOrientationPatient": [1, 0, 0, 0, 0, -1]}, "not_axial"),
    ],
)
def test_what_is_not_answered_is_reported_as_such(
    tmp_path: Path, pacs: Pacs, tiny_bundle: Path, count: int, tags: dict[str, object], reason: str
) -> None:
    paths = write_series(tmp_path / "study", count=count, **tags)
    with NodeProcess(tmp_path / "spool", pacs.port, model=tiny_bundle) as node:
        store(paths, node.port)
        (report,) = wait_for(lambda: pacs.received, why=node.log)
        assert node.stop() == 0
    assert codes.SCT.NotEvaluated.value in words(report)
    assert reason in words(report)
    assert counters(tmp_path / "spool")["series_refused"] == 1


def test_once_ends_when_all_is_done(tmp_path: Path, pacs: Pacs, study: list[Path], tiny_bundle: Path) -> None:
    with NodeProcess(tmp_path / "spool", pacs.port, "--once", model=tiny_bundle) as node:
        store(study, node.port)
        assert node.wait() == 0, node.log
    assert len(pacs.received) == 2


def test_once_fails_where_something_was_refused(
    tmp_path: Path, pacs: Pacs, study: list[Path], tiny_bundle: Path
) -> None:
    study[0].write_bytes(dicom_bytes(patient_dataset(1, Modality="MR")))
    with NodeProcess(tmp_path / "spool", pacs.port, "--once", model=tiny_bundle) as node:
        assert store(study, node.port) == [0xA900, 0, 0, 0]
        assert node.wait() == 1, node.log


def test_a_series_of_two_patients_is_set_aside(
    tmp_path: Path, pacs: Pacs, study: list[Path], tiny_bundle: Path
) -> None:
    study[3].write_bytes(dicom_bytes(patient_dataset(4, PatientID="ANOTHER")))
    with NodeProcess(tmp_path / "spool", pacs.port, "--once", model=tiny_bundle) as node:
        store(study, node.port)
        assert node.wait() == 1, node.log
    assert not pacs.received
    assert len(list((tmp_path / "spool" / "failed").rglob("*.dcm"))) == 4, "nothing is lost"
    assert "ANOTHER" not in node.log


def test_a_peer_that_refuses_reports_is_not_asked_for_ever(
    tmp_path: Path, study: list[Path], tiny_bundle: Path
) -> None:
    with (
        Pacs(status=0xC000) as pacs,
        NodeProcess(tmp_path / "spool", pacs.port, "--once", model=tiny_bundle) as node,
    ):
        store(study, node.port)
        assert node.wait() == 1, node.log
    assert len(pacs.received) == 1
    assert list((tmp_path / "spool" / "failed").rglob("sr.dcm"))


def test_two_series_in_one_association_get_a_report_each(
    tmp_path: Path, pacs: Pacs, tiny_bundle: Path
) -> None:
    paths = write_series(tmp_path / "a") + write_series(tmp_path / "b", series="2", kind=Phantom.NORMAL)
    with NodeProcess(tmp_path / "spool", pacs.port, "--once", "--no-picture", model=tiny_bundle) as node:
        store(paths, node.port)
        assert node.wait() == 0, node.log
    numbers = sorted(int(report.SeriesNumber) for report in pacs.received)
    assert [number % 1000 for number in numbers] == [1, 2]


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An authority and a certificate by it for this machine, both PEM."""
    return write_certificates(tmp_path_factory.mktemp("tls"))


def test_tls(tmp_path: Path, study: list[Path], tiny_bundle: Path, certificates: Path) -> None:
    """With certificates on both sides: who has none is not heard."""
    needs("storescu")
    key, certificate, authority = (certificates / name for name in ("key.pem", "cert.pem", "ca.pem"))
    tls = ("--tls-cert", str(certificate), "--tls-key", str(key), "--tls-ca", str(authority))
    with (
        Pacs() as pacs,
        NodeProcess(tmp_path / "spool", pacs.port, "--once", *tls, model=tiny_bundle) as node,
    ):
        send = ["storescu", "-aec", "COVIDCT", "127.0.0.1", str(node.port), *map(str, study)]
        assert subprocess.run(send, capture_output=True, check=False).returncode != 0, "without TLS"
        anonymous = [send[0], "+tla", "+cf", str(authority), *send[1:]]
        assert subprocess.run(anonymous, capture_output=True, check=False).returncode != 0, "no certificate"
        known = [send[0], "+tls", str(key), str(certificate), "+cf", str(authority), *send[1:]]
        done = subprocess.run(known, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert node.wait() == 0, node.log
    assert len(pacs.received) == 2


def call(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(main, ["node", *arguments])
    return result.exit_code, result.output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--peer", "PACS"], "not AET@host:port"),
        (["--peer", "PACS@h:1", "--no-report", "--no-picture"], "nothing to send"),
        (["--peer", "PACS@h:1", "--ae-title", "A" * 17], "not an AE title"),
        (["--peer", "PACS@h:1", "--host", "0.0.0.0"], "needs --allow"),
        (["--peer", "PACS@h:1", "--allow", "A@scanner"], "not an address or network"),
        (["--peer", "PACS@h:1", "--tls-key", __file__], "a key without --tls-cert"),
        (["--peer", "PACS@h:1", "--tls-cert", __file__], "not matching PEM files"),
    ],
)
def test_what_cannot_be_meant_ends_with_a_word(arguments: list[str], message: str) -> None:
    code, output = call(*arguments)
    assert code == 2
    assert message in output


def test_an_association_may_be_silent_for_longer_than_a_series_waits_for_it(
    tmp_path: Path, tiny_bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise the node itself would abort what `--quiet` says it waits for."""
    silences: list[float] = []

    def note(title: str, *, idle: float) -> None:
        silences.append(idle)
        raise OSError

    monkeypatch.setattr(nodes, "to_entity", note)
    classifier = Classifier.load(tiny_bundle, threads=1)
    with Spool(tmp_path / "spool") as spool, pytest.raises(NodeError):
        nodes.Node(NodeOptions("A", Peer("B", "127.0.0.1", 1), quiet=600), spool, classifier).run()
    assert silences[0] > 600
    assert to_entity("A", idle=700).network_timeout == 700


def keep_and_run(study: list[Path], spool: Spool, bundle: Path, peer: Pacs) -> int:
    """The exit code of a node in this process, that finds a series in its spool."""
    for path in study:
        spool.keep(to_key(f"{STUDY_UID}.1"), str(dcmread(path).SOPInstanceUID), path.read_bytes())
    to = Peer("PACS", "127.0.0.1", peer.port)
    options = NodeOptions("A", to, port=free_port(), settle=0, quiet=0, once=True)
    return nodes.Node(options, spool, Classifier.load(bundle, threads=1)).run()


def test_memory_is_given_back_after_a_series(
    tmp_path: Path, pacs: Pacs, study: list[Path], tiny_bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given_back: list[None] = []
    monkeypatch.setattr(nodes, "give_back_memory", lambda: given_back.append(None))
    with Spool(tmp_path / "spool") as spool:
        assert keep_and_run(study, spool, tiny_bundle, pacs) == 0
    assert len(given_back) > 1


def fail_at_first(monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    """Have methods of the spool fail twice, as on a disk that is read-only for a while."""

    def fail(name: str) -> None:
        work, left = getattr(Spool, name), [1, 2]

        def try_it(spool: Spool, *what: Any) -> Any:
            if left:
                left.pop()
                raise OSError(errno.EROFS, "Read-only file system")
            return work(spool, *what)

        monkeypatch.setattr(Spool, name, try_it)

    for name in names:
        fail(name)


def test_a_spool_that_is_read_only_for_a_while_does_not_end_the_node(
    tmp_path: Path, study: list[Path], tiny_bundle: Path, pacs: Pacs, monkeypatch: pytest.MonkeyPatch
) -> None:
    fail_at_first(monkeypatch, "count_attempt", "forget_attempts")
    with Spool(tmp_path / "spool") as spool:
        assert keep_and_run(study, spool, tiny_bundle, pacs) == 0
    assert len(pacs.of("SR")) == 1


def test_a_report_whose_record_cannot_be_written_at_once_is_sent_once(
    tmp_path: Path, study: list[Path], tiny_bundle: Path, pacs: Pacs, monkeypatch: pytest.MonkeyPatch
) -> None:
    fail_at_first(monkeypatch, "remember")
    with Spool(tmp_path / "spool") as spool:
        assert keep_and_run(study, spool, tiny_bundle, pacs) == 0
        record = spool.record(to_key(f"{STUDY_UID}.1"))
    assert record is not None
    assert record.report["SOPInstanceUID"] in {one.SOPInstanceUID for one in pacs.of("SR")}
    assert len(pacs.of("SR")) == 1
    assert list((tmp_path / "spool" / "outbox").iterdir()) == []


def test_what_cannot_be_set_aside_at_once_is_set_aside_later_and_counted_once(
    tmp_path: Path, study: list[Path], tiny_bundle: Path, pacs: Pacs, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise ReportError("nothing can be reported of it")

    monkeypatch.setattr(nodes, "answer_series", refuse)
    fail_at_first(monkeypatch, "set_aside")
    with Spool(tmp_path / "spool") as spool:
        assert keep_and_run(study, spool, tiny_bundle, pacs) == 1
    assert len(list((tmp_path / "spool" / "failed").rglob("*.dcm"))) == 4
    assert counters(tmp_path / "spool")["series_failed"] == 1


def test_a_peer_that_takes_no_reports_gets_the_picture(
    tmp_path: Path, pacs: Pacs, study: list[Path], tiny_bundle: Path
) -> None:
    refused = write_series(tmp_path / "b", series="2", ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"])
    with NodeProcess(tmp_path / "spool", pacs.port, "--once", "--no-report", model=tiny_bundle) as node:
        store([*study, *refused], node.port)
        assert node.wait() == 0, node.log
    assert [made.Modality for made in pacs.received] == ["OT"]
    assert "without a report there is nothing to send" in node.log
    assert not list((tmp_path / "spool" / "outbox").iterdir())


def test_without_a_home_the_spool_must_be_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("XDG_STATE_HOME", raising=False)
    monkeypatch.setattr(Path, "home", lambda: (_ for _ in ()).throw(RuntimeError("no home")))
    code, output = call("--peer", "PACS@127.0.0.1:1")
    assert code == 2
    assert "name a folder with --spool" in output
    assert len(output.splitlines()) == 1


def test_a_port_that_is_taken_ends_with_a_word(tmp_path: Path, pacs: Pacs, tiny_bundle: Path) -> None:
    node = NodeProcess(tmp_path / "spool", pacs.port, "--port", str(pacs.port), model=tiny_bundle)
    assert node.wait() == 2
    assert "cannot listen there" in node.log


def test_where_the_spool_is_by_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", "/state")
    assert default_spool() == Path("/state/covidct/spool")
    monkeypatch.delenv("XDG_STATE_HOME")
    assert default_spool() == Path.home() / ".local/state/covidct/spool"


def test_the_two_real_series_through_the_node(tmp_path: Path, shared_data: Path, pacs: Pacs) -> None:
    """One whole, one with gaps (RLE), which must be told so; with the model that ships."""
    folder = shared_data / "dicom" / "lung-pet-ct-dx"
    paths = sorted(folder.rglob("*.dcm"))
    if not paths:
        pytest.skip(f"no series in {folder}")
    with NodeProcess(tmp_path / "spool", pacs.port, "--once") as node:
        assert set(store(paths, node.port)) == {0}
        assert node.wait() == 0, node.log
    reports = {str(report.PatientID)[-5:]: words(report) for report in pacs.of("SR")}
    assert set(reports) == {"A0001", "A0002"}
    assert "gap" in reports["A0001"].lower()
    assert "gap" not in reports["A0002"].lower()
    assert len(pacs.of("OT")) == 2
    assert dcmread(paths[0]).PatientID not in node.log


def test_a_series_that_ends_the_node_each_time_is_set_aside(
    tmp_path: Path, study: list[Path], tiny_bundle: Path
) -> None:
    """As some damaged pixels may, in a decoder: after three attempts the node goes on without it."""
    spool = tmp_path / "spool"
    with Spool(spool) as kept:
        for path in study:
            kept.keep(to_key(f"{STUDY_UID}.1"), str(dcmread(path).SOPInstanceUID), path.read_bytes())
        for _ in range(3):  # three nodes that tried, and ended without a word
            kept.count_attempt(to_key(f"{STUDY_UID}.1"))
    with NodeProcess(spool, free_port(), "--once", model=tiny_bundle) as node:
        assert node.wait() == 1, node.log
    assert "gave up after 3 attempts" in node.log
    assert len(list((spool / "failed").rglob("*.dcm"))) == 4
