"""Files as they came in -> an answer for each, piece by piece, with what a viewer of them needs.

Knows the classifier and blobs. Knows nothing of HTTP, of tasks or of threads.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from covidct.blob import Blob, MemoryBlob
from covidct.images import parse_slice
from covidct.pipeline import Classifier
from covidct.types import Result, Slice

PIECE = 8  # slices: about a third of a second


@dataclass(frozen=True)
class Answer:
    """A result, and the object to read its slice from once more; None where it is about no single slice."""

    result: Result
    blob: Blob | None = None

    def read(self) -> Slice | None:
        """The slice as it is shown: grey levels of the lung window. Raises ReadError."""
        return None if self.blob is None else parse_slice(self.blob.read(), name=self.blob.name)


class Reading:
    """The answers for an upload, in the order of its files.

    `answers` grows at its end alone, up to `total`: so another thread may look at what is there.
    """

    def __init__(self, classifier: Classifier, files: Sequence[MemoryBlob]):
        self.answers: list[Answer] = []
        self.total = len(files)
        self._classifier = classifier
        self._files = files

    def pieces(self) -> Iterator[None]:
        """The work in pieces; each adds to `answers`."""
        for at in range(0, len(self._files), PIECE):
            group = self._files[at : at + PIECE]
            results = self._classifier.predict_many(group)
            self.answers += [Answer(result, blob) for result, blob in zip(results, group, strict=True)]
            yield
