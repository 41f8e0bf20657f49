"""A series in the spool -> a report in the outbox.

Knows which instances make a series, and that a series is reported once. Knows nothing of networks.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from covidct.apps.pacs.spool import Record, Spool
from covidct.errors import ReportError, SegmentationError
from covidct.inference.classifier import Classifier
from covidct.results.dicom.files import to_object_files
from covidct.results.formats import name_model
from covidct.series.grouping import APART
from covidct.series.study import read_study
from covidct.series.types import Acquisition, RefusedSeries, Series, SeriesAnswer, Study
from covidct.types import Reason, Result

LOG = logging.getLogger("covidct.node")


def answer_series(
    key: str, spool: Spool, classifier: Classifier, *, picture: bool = True, segmentation: bool = False
) -> Result | None:
    """Classify a series and put its report into the outbox; None where its last report covers it.

    Where no segmentation can be laid over the images, the report goes without one.
    Raises ReportError and ReadError where no report can be made of what is there, OSError where the outbox
    cannot hold it.
    """
    model = name_model(classifier.model)
    if spool.is_answered(key, model=model):
        return None
    paths = spool.instances(key)
    answer = predict_files(paths, classifier)
    last = spool.record(key)
    previous = last.report if last else None
    try:
        objects = to_object_files(answer, previous=previous, picture=picture, segmentation=segmentation)
    except SegmentationError:
        LOG.warning("series %s: no segmentation can be laid over its images; reported without", key)
        objects = to_object_files(answer, previous=previous, picture=picture)
    spool.post(key, objects.files, Record(tuple(path.stem for path in paths), model, objects.report))
    return answer.result


def predict_files(paths: Sequence[Path], classifier: Classifier) -> SeriesAnswer:
    """The answer for files that hold one series; a lone slice, too, is a series that is not answered for.

    Raises ReportError where they hold none or several.
    """
    study = read_study([str(path) for path in paths], all_series=True)
    match (study.series, study.refused, study.loose):
        case ((), (), (lone,)) if lone.sop_instance_uid:
            series = Series("", lone.path, Acquisition(), (lone,))
            message = f"{lone.path}: a series of one slice; a report is made of three at least"
            study = Study(refused=(RefusedSeries(series, Reason.TOO_FEW_SLICES, message),))
    if len(study.series) + len(study.refused) != 1 or any(APART in series.notes for series in study.series):
        # A slice of another patient under this UID must not vanish without a word.
        raise ReportError(
            f"{len(paths)} files: they hold no series, several, or slices of another patient; "
            "nothing can be reported of them"
        )
    found = classifier.predict_study(replace(study, loose=()))
    return next(answer.series for answer in found if answer.series is not None)
