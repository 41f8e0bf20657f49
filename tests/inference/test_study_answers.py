from __future__ import annotations

from pathlib import Path

from covidct.inference.classifier import Classifier
from covidct.inference.study_answers import count_answers
from covidct.series.study import read_study
from covidct.types import Reason
from makers import dicom_bytes
from servers import BRIGHT
from stacks import stack, volume


def test_slices_come_first_then_each_series_after_its_slices_then_those_refused(
    tiny_bundle: Path, tmp_path: Path
) -> None:
    chosen = stack(volume(4), series="1.2.3")
    other = stack(volume(4), series="1.2.4", SeriesNumber=3)
    files = [(f"{at}.dcm", dicom_bytes(dataset)) for at, dataset in enumerate([*chosen, *other])]
    study = read_study([*files, ("picture.png", BRIGHT)])
    found = list(Classifier.load(tiny_bundle, threads=1).predict_study(study, heatmaps=tmp_path))
    assert len(found) == count_answers(study) == 7
    picture, *slices, series, refused = found
    assert (picture.instance, picture.series) == (study.loose[0], None)
    assert picture.result.path == "picture.png"
    assert [answer.instance for answer in slices] == list(study.series[0].instances)
    assert series.series is not None
    assert (series.instance, series.series.series) == (None, study.series[0])
    assert series.series.slices == tuple(answer.result for answer in slices)
    assert refused.series is not None
    assert (refused.series.slices, refused.result.reason) == ((), Reason.NOT_CHOSEN)
    assert len(list(tmp_path.iterdir())) == sum(answer.result.heatmap is not None for answer in found) > 0
