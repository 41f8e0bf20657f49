from __future__ import annotations

from pathlib import Path

import pytest

from covidct.apps.pacs.answer import predict_files
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
