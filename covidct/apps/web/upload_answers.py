"""Files as they came in -> an answer for each slice and series in them, piece by piece.

Knows the classifier, studies and archives. Knows nothing of HTTP, of tasks or of threads.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from covidct.errors import ReadError
from covidct.images.blob import MemoryBlob
from covidct.images.file_type import FileType, sniff
from covidct.images.hounsfield import WINDOWS, to_display
from covidct.images.library_errors import read_or_none
from covidct.inference.classifier import Classifier
from covidct.inference.study_answers import StudyAnswer, count_answers
from covidct.series.slices import read_hounsfield, read_instance
from covidct.series.study import read_study
from covidct.series.types import Instance, Study
from covidct.types import Pixels


@dataclass(frozen=True)
class Bounds:
    """How many `slices` one upload may hold, and how many bytes once its archives are unpacked."""

    slices: int
    unpacked_bytes: int


class Reading:
    """The answers for an upload: loose slices in the order of the files, then each series after its slices.

    `answers` grows at its end alone, up to `total`, so another thread may look at what is there. `skipped`
    counts what archives hold beside slices. Both numbers are known after the first piece.
    """

    def __init__(self, classifier: Classifier, files: Sequence[MemoryBlob], bounds: Bounds):
        self.answers: list[StudyAnswer] = []
        self.total = len(files)
        self.skipped = 0
        self._classifier = classifier
        self._files = files
        self._bounds = bounds

    def pieces(self) -> Iterator[None]:
        """The work in pieces. Raises ReadError where there is no slice at all, or far too many."""
        study = self._find()
        yield
        for answer in self._classifier.predict_study(study):
            self.total += answer.more
            self.answers.append(answer)
            yield

    def _find(self) -> Study:
        """What the files hold."""
        check_unpacked(self._files, self._bounds.unpacked_bytes)
        study = read_study((file.name, file.data) for file in self._files)
        self.total = count_answers(study)
        self.skipped = len(study.skipped)
        if not self.total:
            raise ReadError("Nothing in the upload looks like a slice; send DICOM or pictures.")
        if self.total > self._bounds.slices:
            raise ReadError(
                f"{self.total:,} slices in one upload, but at most {self._bounds.slices:,} are answered; "
                "send single series."
            )
        return study


def draw(instance: Instance, window: str | None = None) -> Pixels | None:
    """A slice as it is shown, read once more; None where there is none to show in that window.

    `window` is a name in `WINDOWS`, which takes Hounsfield units. Without one, the slice as the model sees
    it: the lung window, or grey levels as they were stored. Raises ReadError.
    """
    if window is None:
        return read_instance(instance).pixels
    hu = read_hounsfield(instance)
    centre, width = WINDOWS[window]
    return None if hu is None else to_display(hu, centre=centre, width=width)


def to_words(instance: Instance) -> bytes | None:
    """The Hounsfield units of a slice as stored, row by row: int16, little endian; None where it has none.

    Fractions are rounded, and what is beyond 16 bits is cut. Raises ReadError.
    """
    hu = read_hounsfield(instance)
    limits = np.iinfo(np.int16)
    return None if hu is None else np.clip(np.rint(hu), limits.min, limits.max).astype("<i2").tobytes()


def check_unpacked(files: Sequence[MemoryBlob], most: int) -> None:
    """Raise ReadError where archives promise more than `most` bytes; none is read beyond its promise."""
    total = sum(_unpacked(file) for file in files)
    if total > most:
        raise ReadError(
            f"{total:,} bytes in the archives, but at most {most:,} are read; send single series."
        )


def _unpacked(file: MemoryBlob) -> int:
    if sniff(file.data) is not FileType.ZIP:
        return len(file.data)
    unpacked = read_or_none(lambda: _sum_entries(file))  # where damaged, reading the archive says so
    return len(file.data) if unpacked is None else unpacked


def _sum_entries(file: MemoryBlob) -> int:
    with zipfile.ZipFile(file.open()) as archive:
        return sum(entry.file_size for entry in archive.infolist())
