"""The straight line: path -> read -> gate -> session -> decide -> explain -> Result.

Each slice goes it as a whole in one thread (`answerer`), several slices at a time; pictures of the evidence
and the answers for series are made as results come out, in order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from covidct.errors import BundleError
from covidct.inference.ahead import map_ahead
from covidct.inference.answerer import Answered, Answerer
from covidct.inference.bundle import Bundle, load_bundle
from covidct.inference.config import Config
from covidct.inference.decision import to_probability
from covidct.inference.prevalence import check_prevalence
from covidct.inference.series_result import conclude, note_refused, to_refused_answer
from covidct.inference.session import Outputs, Session
from covidct.inference.study_answers import StudyAnswer
from covidct.series.selection import find_next
from covidct.series.slices import SliceInput
from covidct.series.types import RefusedSeries, Series, SeriesAnswer, Study
from covidct.types import ModelChoice, ModelUsed, OperatingPoint, Precision, Result, Slice, Status

if TYPE_CHECKING:
    from covidct.inference.overlay import Overlays

SIDE = 64  # of the slice that shows nothing


class Classifier:
    """A model ready to answer for chest-CT slices."""

    def __init__(
        self,
        bundle: Bundle,
        session: Session,
        *,
        precision: Precision,
        operating_point: OperatingPoint,
        prevalence: float | None = None,
    ):
        self.bundle = bundle
        self.operating_point = operating_point
        self.prevalence = prevalence
        self.model = ModelUsed(bundle.config.model, precision)
        self._session = session
        self._answerer = Answerer(bundle.config, session, self.model, operating_point, prevalence)

    @classmethod
    def load(
        cls,
        bundle: str | Path | None = None,
        *,
        precision: Precision = "float",
        operating_point: str | None = None,
        prevalence: float | None = None,
        threads: int | None = None,
    ) -> Classifier:
        """Load a bundle (the shipped one by default) and its graph; see `ModelChoice` for the values.

        `precision` "int8" takes the smaller file, and less time; its logits differ from those of "float",
        mostly by less than 0.3. Decisions stay those of the operating point, whatever the prevalence. Raises
        BundleError, and ValueError for a prevalence outside (0, 1).
        """
        return cls.choose(ModelChoice(bundle, precision, operating_point, prevalence, threads))

    @classmethod
    def choose(cls, choice: ModelChoice) -> Classifier:
        """What was chosen, loaded. Raises as `load` does."""
        return cls.begin(choice)()

    @classmethod
    def begin(cls, choice: ModelChoice) -> Callable[[], Classifier]:
        """`choose` in two steps: all but the graph is loaded and checked here, the graph by what this gives.

        The second takes most of the time, and may be called in another thread.
        """
        if choice.prevalence is not None:
            check_prevalence(choice.prevalence)
        bundle = load_bundle(choice.bundle)
        point = _find_point(bundle, choice.operating_point)
        return lambda: cls(
            bundle,
            Session(bundle.graph(choice.precision), threads=choice.threads),
            precision=choice.precision,
            operating_point=point,
            prevalence=choice.prevalence,
        )

    @property
    def threads(self) -> int:
        """How many slices are read and answered at a time."""
        return self._session.threads

    def at(self, operating_point: str | None = None, *, prevalence: float | None = None) -> Classifier:
        """The same model, loaded once, at another of its operating points or prevalences; see `load`."""
        if prevalence is not None:
            check_prevalence(prevalence)
        point = _find_point(self.bundle, operating_point) if operating_point else self.operating_point
        return Classifier(
            self.bundle,
            self._session,
            precision=self.model.precision,
            operating_point=point,
            prevalence=prevalence,
        )

    def run(self, item: Slice) -> Outputs:
        """The graph's raw outputs for one slice, whatever it shows."""
        return self._session.run(item.pixels[None])

    def find_min_probability(self) -> float | None:
        """The least probability that the graph can give, in [0, 1]; None where nothing bounds it."""
        return find_min_probability(self.bundle.config, self._session)

    def predict(self, given: SliceInput) -> Result:
        """The result for one slice: a path, (H, W) uint8 display, (H, W) int16 HU, or a Slice.

        What cannot be read gives a result with status `error`, not an exception.
        """
        return self._answerer.answer(given, is_placed=False).result

    def predict_many(
        self, given: Iterable[SliceInput], *, heatmaps: Path | Overlays | None = None
    ) -> Iterator[Result]:
        """Results in the order given; the next few slices are read and answered meanwhile.

        With `heatmaps` the overlay of each answered slice is written into that folder.
        """
        if isinstance(given, str | Path | np.ndarray):
            raise TypeError("predict_many takes a list of slices; for one slice use predict")
        yield from self._predict_all(given, heatmaps, is_placed=False)

    def _predict_all(
        self, given: Iterable[SliceInput], heatmaps: Path | Overlays | None, *, is_placed: bool
    ) -> Iterator[Result]:
        """`predict_many`; `is_placed` where it is known how the slices lie, and they are turned by it."""
        overlays = _open_overlays(heatmaps)
        answer = partial(self._answerer.answer, is_placed=is_placed)
        for answered in map_ahead(answer, given, threads=self._session.threads):
            yield _add_overlay(answered, overlays)

    def predict_study(
        self, study: Study, *, heatmaps: Path | Overlays | None = None
    ) -> Iterator[StudyAnswer]:
        """Answers for loose slices as given, each series after its slices, and series that are refused.

        Where a series that was chosen of a study gets no answer, the next of that study is read, and says so.
        There are `count_answers` of them, and `more` where others are read; each comes once it is known.
        """
        overlays = _open_overlays(heatmaps)
        yield from map(StudyAnswer, self.predict_many(study.loose, heatmaps=overlays), study.loose)
        left = list(study.refused)
        for series in study.series:
            yield from self._answer_series(series, left, overlays)
        for refused in left:
            answer = to_refused_answer(refused, model=self.model)
            yield StudyAnswer(answer.result, series=answer)

    def _answer_series(
        self, series: Series, left: list[RefusedSeries], overlays: Overlays | None
    ) -> Iterator[StudyAnswer]:
        """Answers for the slices of a series, then for itself; where it gets none, the next out of `left`."""
        slices: list[Result] = []
        for result in self.predict_slices(series, heatmaps=overlays):
            yield StudyAnswer(result, series.instances[len(slices)])
            slices.append(result)
        answer = self.conclude(series, slices)
        other = find_next(series, left) if answer.result.status is Status.REFUSED else None
        more = len(other.series.instances) if other else 0
        yield StudyAnswer(answer.result, series=answer, more=more)
        if other:
            left.remove(other)
            yield from self._answer_series(note_refused(other.series, answer), left, overlays)

    def predict_series(self, series: Series, *, heatmaps: Path | Overlays | None = None) -> SeriesAnswer:
        """The answer for a series of `study.read_study`: its slices, and what they say together."""
        return self.conclude(series, self.predict_slices(series, heatmaps=heatmaps))

    def predict_slices(self, series: Series, *, heatmaps: Path | Overlays | None = None) -> Iterator[Result]:
        """Results for the slices of a series from feet to head, as `predict_many` gives them."""
        results = self._predict_all(series.instances, heatmaps, is_placed=True)
        for at, (instance, result) in enumerate(zip(series.instances, results, strict=True)):
            source = replace(
                result.source,
                series_uid=series.acquisition.series_uid,
                instance_uid=instance.sop_instance_uid,
            )
            yield replace(result, source=source, slice_index=at)

    def conclude(self, series: Series, slices: Iterable[Result]) -> SeriesAnswer:
        """What the results of `predict_slices` say together; see `series_result`."""
        return conclude(
            series,
            tuple(slices),
            config=self.bundle.config,
            point=self.operating_point,
            model=self.model,
        )


def _open_overlays(place: Path | Overlays | None) -> Overlays | None:
    """The overlays of a folder, which is made; those that are open already, or None, as they are."""
    if not isinstance(place, Path):
        return place
    # Here, not above: who wants no pictures shall not pay for importing Pillow.
    from covidct.inference.overlay import Overlays

    return Overlays(place)


def _add_overlay(answered: Answered, overlays: Overlays | None) -> Result:
    """The result, with its overlay written where overlays are wanted and there is evidence to show."""
    result, item = answered.result, answered.item
    if overlays is None or item is None or result.prediction is None or result.prediction.evidence is None:
        return result
    heatmap = overlays.write(item, result.prediction.evidence, box=result.prediction.box)
    return replace(result, heatmap=str(heatmap))


def _find_point(bundle: Bundle, name: str | None) -> OperatingPoint:
    """A bundle's operating point by name, its first without one. Raises BundleError."""
    points = {point.name: point for point in bundle.config.operating_points}
    if name is None:
        return bundle.config.operating_points[0]
    if name not in points:
        raise BundleError(f"{bundle.path}: has no operating point {name!r}; it has {', '.join(points)}")
    return points[name]


def find_min_probability(config: Config, session: Session) -> float | None:
    """The probability in [0, 1] at no evidence at all; None where evidence may speak against, too."""
    if not config.speaks_for_disease_only:
        return None
    outputs = session.run(np.zeros((1, SIDE, SIDE), np.uint8))
    bias = float(outputs.logit[0]) - float(outputs.evidence[0].mean())
    return to_probability(bias, temperature=config.temperature, shift=config.shift)
