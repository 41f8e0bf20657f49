"""A series in the spool -> a report in the outbox.

Knows which instances form a series, and that each series is reported once. Knows nothing of networks.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from covidct.apps.pacs.content import digest_instance
from covidct.apps.pacs.record import Content, Record
from covidct.apps.pacs.spool import Spool
from covidct.errors import ReportError, SegmentationError
from covidct.inference.ahead import map_ahead
from covidct.inference.classifier import Classifier
from covidct.results.dicom.files import ObjectFiles, to_object_files
from covidct.results.formats import name_model
from covidct.series.grouping import APART
from covidct.series.study import read_study
from covidct.series.types import Acquisition, RefusedSeries, Series, SeriesAnswer, Study
from covidct.types import Reason, Result

LOG = logging.getLogger("covidct.node")


@dataclass(frozen=True)
class Kinds:
    """Which objects are sent of an answer."""

    report: bool = True
    picture: bool = True
    segmentation: bool = False


def answer_series(key: str, spool: Spool, classifier: Classifier, *, kinds: Kinds = Kinds()) -> Result | None:
    """Classify a series and put its report into the outbox; None where its last report covers it.

    Where no segmentation can be laid over the images, the report goes without one.
    Raises ReportError and ReadError where no report can be made of what is there, OSError where the outbox
    cannot hold it.
    """
    model = name_model(classifier.model)
    spool.note_reports(key)  # a disk may have been full after its report was posted
    if spool.is_answered(key, model=model):
        return None
    paths, last = spool.instances(key), spool.record(key)
    here = digest_all(paths, threads=classifier.threads)
    news = find_news(here, last, model=model) if last else ()
    if last is not None and not news:
        spool.remember(key, replace(last, instances={**last.instances, **here}))
        return None
    answer = predict_files(paths, classifier)
    if last is not None:
        _check_replaces(answer, here, last)
    previous = _find_previous(key, spool, news)
    objects = _to_objects(key, answer, previous, kinds)
    if not objects.files:
        LOG.warning("series %s: without a report there is nothing to send", key)
    spool.post(key, objects.files, Record(here, model, objects.report, previous))
    return answer.result


def digest_all(paths: Sequence[Path], *, threads: int) -> dict[str, Content]:
    """The content of each file, by its name; several at a time, as most of the time goes into decoding.

    To be called before the files are read for anything else: what takes a file's place later has another
    stamp, and is answered for then.
    """
    return {
        path.stem: content
        for path, content in zip(paths, map_ahead(digest_instance, paths, threads=threads), strict=True)
    }


def find_news(here: Mapping[str, Content], last: Record, *, model: str) -> tuple[str, ...]:
    """What is new in instances since the last report, in words; () if it covers them."""
    pairs = [(content, last.instances[uid]) for uid, content in here.items() if uid in last.instances]
    found = {
        "other data of patient or study": any(now.patient_study != then.patient_study for now, then in pairs),
        "other images under the same UIDs": any(now.image != then.image for now, then in pairs),
        "more images": len(pairs) < len(here),
        "another model": last.model != model,
    }
    return tuple(words for words, is_so in found.items() if is_so)


def predict_files(paths: Sequence[Path], classifier: Classifier) -> SeriesAnswer:
    """The answer for files that hold one series; a lone slice, too, is a series that is not answered for.

    Raises ReportError where they hold none or several.
    """
    study = read_study([str(path) for path in paths], all_series=True)
    match (study.series, study.refused, study.loose):
        case ((), (), (lone,)) if lone.sop_instance_uid:
            series = Series("", lone.path, Acquisition(), (lone,))
            message = f"{lone.path}: a series of one slice; a report needs at least three"
            study = Study(refused=(RefusedSeries(series, Reason.TOO_FEW_SLICES, message),))
    if len(study.series) + len(study.refused) != 1 or any(APART in series.notes for series in study.series):
        # A slice of another patient under this UID must not vanish without a word.
        raise ReportError(
            f"{len(paths)} files: they hold no series, several, or slices of another patient, so "
            "there is nothing to report"
        )
    found = classifier.predict_study(replace(study, loose=()))
    return next(answer.series for answer in found if answer.series is not None)


def _find_previous(key: str, spool: Spool, news: Sequence[str]) -> Mapping[str, str]:
    """The UIDs of the report that a new one replaces, none where the peer has none: an old one that is still
    in the outbox must not go out beside the new one.
    """
    said = ", ".join(news)
    if spool.withdraw(key):
        LOG.warning("series %s: %s; the old report was not sent yet, a new one goes in its place", key, said)
    elif news:
        LOG.warning("series %s: %s; a new report replaces the old one", key, said)
    last = spool.record(key)
    return last.report if last else {}


def _check_replaces(answer: SeriesAnswer, here: Mapping[str, Content], last: Record) -> None:
    """Raise ReportError for a slice or two that are left of a series: they must not replace its report."""
    if answer.result.reason is Reason.TOO_FEW_SLICES and last.instances.keys() - here.keys():
        raise ReportError(
            f"{len(here)} images of a series whose report was made of {len(last.instances)}; "
            "send the whole series again"
        )


def _to_objects(key: str, answer: SeriesAnswer, previous: Mapping[str, str], kinds: Kinds) -> ObjectFiles:
    try:
        return to_object_files(answer, previous=previous, **asdict(kinds))
    except SegmentationError:
        LOG.warning("series %s: its images cannot carry a segmentation; the report goes without", key)
        return to_object_files(answer, previous=previous, report=kinds.report, picture=kinds.picture)
