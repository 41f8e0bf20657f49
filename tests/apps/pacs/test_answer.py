from __future__ import annotations

import logging
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset

from covidct.apps.pacs.answer import answer_series, digest_all, find_news, predict_files
from covidct.apps.pacs.content import digest_instance
from covidct.apps.pacs.outbox import Parcel
from covidct.apps.pacs.record import Content, Record
from covidct.apps.pacs.spool import Spool
from covidct.errors import ReportError
from covidct.inference.classifier import Classifier
from covidct.types import Reason, Status
from failing import fail_at
from patients import write_series


@pytest.fixture
def classifier(tiny_bundle: Path) -> Classifier:
    return Classifier.load(tiny_bundle, threads=1)


def test_a_series_is_answered(tmp_path: Path, classifier: Classifier) -> None:
    answer = predict_files(write_series(tmp_path, count=4), classifier)
    assert answer.result.status is Status.OK
    assert len(answer.slices) == 4


def test_a_lone_slice_is_a_series_that_is_refused(tmp_path: Path, classifier: Classifier) -> None:
    answer = predict_files(write_series(tmp_path, count=1), classifier)
    assert (answer.result.status, answer.result.reason) == (Status.REFUSED, Reason.TOO_FEW_SLICES)
    assert len(answer.series.instances) == 1


def test_files_of_no_series_or_of_several_have_no_report(tmp_path: Path, classifier: Classifier) -> None:
    several = [
        *write_series(tmp_path / "a", count=3, series="1"),
        *write_series(tmp_path / "b", count=3, series="2"),
    ]
    (tmp_path / "text.dcm").write_text("none")
    for paths in (several, [tmp_path / "text.dcm"], []):
        with pytest.raises(ReportError, match=f"{len(paths)} files: they hold no series, several"):
            predict_files(paths, classifier)


def test_a_slice_that_no_reader_foresees_is_left_out(
    tmp_path: Path, classifier: Classifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = write_series(tmp_path, count=5)
    fail_at(monkeypatch, paths[2].name)
    answer = predict_files(paths, classifier)
    assert answer.result.status is Status.OK
    assert sorted(result.status for result in answer.slices) == [Status.ERROR, *[Status.OK] * 4]


def test_each_file_keeps_its_own_digest_though_several_are_read_at_a_time(tmp_path: Path) -> None:
    paths = write_series(tmp_path, count=6)
    assert digest_all(paths, threads=3) == {path.stem: digest_instance(path) for path in paths}
    assert len({content.image for content in digest_all(paths, threads=3).values()}) == 6


LAST = Record({"1": Content("s", "who", "what"), "2": Content("s", "who", "what")}, "model", {})


@pytest.mark.parametrize(
    ("here", "model", "news"),
    [
        ({"1": Content("t", "who", "what")}, "model", ()),
        ({"1": Content("t", "another", "what")}, "model", ("other data of patient or study",)),
        ({"2": Content("t", "who", "other")}, "model", ("other images under the same UIDs",)),
        ({"3": Content("t", "who", "what")}, "model", ("more images",)),
        ({"1": Content("s", "who", "what")}, "next", ("another model",)),
    ],
)
def test_news(here: dict[str, Content], model: str, news: tuple[str, ...]) -> None:
    assert find_news(here, LAST, model=model) == news


def keep(spool: Spool, paths: list[Path]) -> None:
    for path in paths:
        spool.keep("key", path.stem, path.read_bytes())


def test_a_series_that_comes_again_is_answered_where_it_says_something_new(
    tmp_path: Path, classifier: Classifier
) -> None:
    with Spool(tmp_path / "spool") as spool:
        keep(spool, write_series(tmp_path, count=4))
        assert answer_series("key", spool, classifier)
        assert answer_series("key", spool, classifier) is None, "nothing came"
        keep(spool, write_series(tmp_path, count=4))
        assert answer_series("key", spool, classifier) is None, "nothing new came"
        assert spool.is_answered("key", model=LAST.model) is False
        assert spool.unanswered(model=_model(spool)) == [], "and it is not looked at again"
        (first,) = spool.parcels()
        spool.leaving.begin(first)
        spool.leaving.end(first, reached=True)
        keep(spool, write_series(tmp_path, count=4, PatientID="CORRECTED"))
        assert answer_series("key", spool, classifier)
        assert len(spool.parcels()) == 2
        _, second = (dcmread(parcel.files[0]) for parcel in spool.parcels())
        assert _predecessors(second) == [_report(first)]


def test_a_report_that_the_peer_does_not_have_is_withdrawn_where_a_correction_comes(
    tmp_path: Path, classifier: Classifier, caplog: pytest.LogCaptureFixture
) -> None:
    with Spool(tmp_path / "spool") as spool:
        keep(spool, write_series(tmp_path, count=4, PatientID="WRONG"))
        answer_series("key", spool, classifier)
        (wrong,) = spool.parcels()
        spool.leaving.begin(wrong)  # the peer was down
        spool.leaving.end(wrong, reached=False)
        keep(spool, write_series(tmp_path, count=4, PatientID="RIGHT"))
        with caplog.at_level(logging.WARNING, "covidct.node"):
            answer_series("key", spool, classifier)
        (right,) = spool.parcels()
        report = dcmread(right.files[0])
        assert report.PatientID == "RIGHT"
        assert not _predecessors(report), "of what never left nothing is told"
        assert "was not sent yet, a new one goes in its place" in caplog.text
        assert "WRONG" not in caplog.text


def test_a_correction_of_a_correction_names_the_report_that_was_sent(
    tmp_path: Path, classifier: Classifier
) -> None:
    with Spool(tmp_path / "spool") as spool:
        for patient in ("FIRST", "SECOND", "THIRD"):
            keep(spool, write_series(tmp_path, count=4, PatientID=patient))
            answer_series("key", spool, classifier)
            if patient == "FIRST":
                (sent,) = spool.parcels()
                uid = _report(sent)
                for path in sent.files:
                    spool.leaving.sent(sent, path)
        (last,) = spool.parcels()
        report = dcmread(last.files[0])
        assert report.PatientID == "THIRD"
        assert _predecessors(report) == [uid]


def _report(parcel: Parcel) -> str:
    return str(dcmread(parcel.files[0]).SOPInstanceUID)


def _predecessors(report: Dataset) -> list[str]:
    return [
        str(found.value)
        for item in report.get("PredecessorDocumentsSequence") or ()
        for found in item.iterall()
        if found.keyword == "ReferencedSOPInstanceUID"
    ]


def _model(spool: Spool) -> str:
    record = spool.record("key")
    assert record is not None
    return record.model


def test_a_rest_of_a_series_does_not_replace_its_report(tmp_path: Path, classifier: Classifier) -> None:
    with Spool(tmp_path / "spool") as spool:
        paths = write_series(tmp_path, count=4)
        keep(spool, paths)
        answer_series("key", spool, classifier)
        for path in spool.instances("key"):  # an hour later
            path.unlink()
        keep(spool, write_series(tmp_path, count=2, PatientID="CORRECTED"))
        with pytest.raises(ReportError, match="send the whole series again"):
            answer_series("key", spool, classifier)
