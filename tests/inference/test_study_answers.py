from __future__ import annotations

from pathlib import Path

import numpy as np

from covidct.images.hounsfield import to_display
from covidct.inference.classifier import Classifier
from covidct.inference.study_answers import count_answers
from covidct.series.study import read_study
from covidct.types import Kind, Reason, Status
from makers import dicom_bytes, phantom_hu, png_bytes
from stacks import stack, volume


def test_slices_come_first_then_each_series_after_its_slices_then_those_refused(
    tiny_bundle: Path, tmp_path: Path
) -> None:
    chosen = stack(volume(4), series="1.2.3")
    other = stack(volume(4), series="1.2.4", SeriesNumber=3)
    files = [(f"{at}.dcm", dicom_bytes(dataset)) for at, dataset in enumerate([*chosen, *other])]
    study = read_study([*files, ("picture.png", png_bytes(to_display(phantom_hu())))])
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


def test_where_the_chosen_series_gets_no_answer_the_next_is_read(tiny_bundle: Path) -> None:
    blank = [np.full_like(hu, -1000) for hu in volume(4)]
    datasets = [
        *stack(blank, series="1.2.3", SliceThickness=1.0, SeriesDescription="thin"),
        *stack(volume(4), series="1.2.4", SliceThickness=2.0),
        *stack(volume(4), series="1.2.5", SliceThickness=3.0),
    ]
    study = read_study([(f"{at}.dcm", dicom_bytes(dataset)) for at, dataset in enumerate(datasets)])
    everything = list(Classifier.load(tiny_bundle, threads=1).predict_study(study))
    assert len(everything) == count_answers(study) + sum(item.more for item in everything)
    assert [item.more for item in everything if item.series] == [4, 0, 0]
    found = [item.result for item in everything]
    answers = [item for item in found if item.kind is Kind.SERIES]
    assert [
        (item.source.series_uid, item.status, item.reason) for item in answers if item.status != "ok"
    ] == [
        ("1.2.3", "refused", Reason.BLANK),
        ("1.2.5", "refused", Reason.NOT_CHOSEN),
    ]
    (answered,) = (item for item in answers if item.status is Status.OK)
    assert answered.source.series_uid == "1.2.4"
    assert answered.series is not None
    text = "Read instead of series 2 'thin', which got no answer (blank)."
    assert text in [note.text for note in answered.series.notes]
