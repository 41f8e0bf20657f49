"""Answers for made-up series, as the classifier gives them, for tests of what is made of answers."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from pydicom.dataset import Dataset

from covidct.images.blob import MemoryBlob
from covidct.inference.overlay import FULL
from covidct.series.types import Acquisition, Instance, Series, SeriesAnswer
from covidct.types import (
    Decision,
    ModelUsed,
    Note,
    Prediction,
    Result,
    SeriesSummary,
    Source,
    Status,
)
from figures.points import POINT
from makers import dicom_bytes
from patients import STUDY_UID, patient_dataset

MODEL = "tiny-1.2.3"
MODEL_USED = ModelUsed(MODEL, "float")
FOLDER = "/home/jane.doe/study"


def make_series(datasets: list[Dataset], *, notes: tuple[str, ...] = ()) -> Series:
    """A series of datasets in memory, as if read from a folder with a telling name."""
    instances = tuple(
        Instance(
            path=f"{FOLDER}/{number}.dcm",
            sop_class_uid=str(dataset.SOPClassUID),
            sop_instance_uid=str(dataset.SOPInstanceUID),
            position_mm=5.0 * number,
            blob=MemoryBlob(f"{FOLDER}/{number}.dcm", dicom_bytes(dataset)),
        )
        for number, dataset in enumerate(datasets, start=1)
    )
    uid = str(datasets[0].get("SeriesInstanceUID", ""))
    return Series(uid, FOLDER, Acquisition(study_uid=STUDY_UID, series_uid=uid), instances, to_notes(notes))


def make_answer(
    *, count: int = 4, notes: tuple[str, ...] = ("2 gaps between slices.",), **tags: Any
) -> SeriesAnswer:
    """An undecided answer whose second and third slices tell most."""
    series = make_series([patient_dataset(number, **tags) for number in range(1, count + 1)], notes=notes)
    slices = tuple(_answer_slice(series, at, 0.2 + 0.6 * (at in (1, 2))) for at in range(count))
    prediction = Prediction(Decision.INDETERMINATE, 0.5, ("covid", "non-covid"), POINT)
    summary = SeriesSummary(count, count, 0.5, (2, 1), to_notes(notes))
    result = Result(Source(FOLDER, series.uid), Status.OK, prediction, MODEL_USED, series=summary)
    return SeriesAnswer(series, result, slices)


def to_notes(texts: Iterable[str]) -> tuple[Note, ...]:
    """Notes of which nothing but the sentence matters."""
    return tuple(Note("gaps", text) for text in texts)


def _answer_slice(series: Series, at: int, probability: float) -> Result:
    decision = Decision.POSITIVE if probability > 0.5 else Decision.NEGATIVE
    evidence = np.full((4, 4), FULL * probability, np.float32)
    prediction = Prediction(decision, probability, (), POINT, evidence=evidence)
    return Result(Source(series.instances[at].path), Status.OK, prediction, MODEL_USED, at)


def write_bytes(folder: Path, name: str, data: bytes) -> Path:
    """A file with those bytes."""
    path = folder / name
    path.write_bytes(data)
    return path
