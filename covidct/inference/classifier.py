"""The straight line: path -> read -> gate -> session -> decide -> explain -> Result.

Knows the order of the steps; each of them is a module of its own.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np

from covidct.errors import BundleError, ReadError
from covidct.images.cores import count_cores
from covidct.images.orientation import turn
from covidct.inference.bundle import Bundle, load_bundle
from covidct.inference.config import Config
from covidct.inference.decision import decide, to_probability
from covidct.inference.finding import to_opacity
from covidct.inference.gate import check_outputs, check_slice
from covidct.inference.overlay import Overlays
from covidct.inference.picture_window import check_window
from covidct.inference.prevalence import check_prevalence, to_prevalence
from covidct.inference.rotation import is_turned
from covidct.inference.series_result import conclude, note_refused, to_refused_answer
from covidct.inference.session import Outputs, Session
from covidct.inference.slice_result import (
    TURNED,
    UPSIDE_DOWN,
    to_answered_result,
    to_refused_result,
    to_unread_result,
)
from covidct.inference.study_answers import StudyAnswer
from covidct.inference.upside_down import is_upside_down
from covidct.series.selection import find_next
from covidct.series.slices import SliceInput, name_given, read_given
from covidct.series.types import Instance, RefusedSeries, Series, SeriesAnswer, Study
from covidct.types import (
    AtPrevalence,
    GateResult,
    ModelChoice,
    ModelUsed,
    OperatingPoint,
    Precision,
    Prediction,
    Result,
    Slice,
    Status,
)

BATCH = 32
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
        if choice.prevalence is not None:
            check_prevalence(choice.prevalence)
        bundle = load_bundle(choice.bundle)
        return cls(
            bundle,
            Session(bundle.graph(choice.precision), threads=choice.threads),
            precision=choice.precision,
            operating_point=_find_point(bundle, choice.operating_point),
            prevalence=choice.prevalence,
        )

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
        return next(self.predict_many([given]))

    def predict_many(
        self, given: Iterable[SliceInput], *, heatmaps: Path | Overlays | None = None
    ) -> Iterator[Result]:
        """Results in the order given, batch by batch; the next batch is read while one is answered.

        With `heatmaps` the overlay of each answered slice is written into that folder.
        """
        if isinstance(given, str | Path | np.ndarray):
            raise TypeError("predict_many takes a list of slices; for one slice there is predict")
        yield from self._predict_all(given, heatmaps, is_placed=False)

    def _predict_all(
        self, given: Iterable[SliceInput], heatmaps: Path | Overlays | None, *, is_placed: bool
    ) -> Iterator[Result]:
        """`predict_many`; `is_placed` where it is known how the slices lie, and they are turned by it."""
        overlays = Overlays(heatmaps) if isinstance(heatmaps, Path) else heatmaps
        with ThreadPoolExecutor(count_cores()) as readers:
            for batch in self._read_ahead(readers, iter(given)):
                predictions = self._predict_batch(batch)
                for at, item in enumerate(batch):
                    if isinstance(item, Result):
                        yield item
                    elif isinstance(verdict := predictions[at], GateResult):
                        yield to_refused_result(item, verdict, self.model)
                    else:
                        turned = None if is_placed else self._find_fault(item, verdict)
                        yield self._to_result(item, verdict, overlays, turned=turned)

    def predict_study(
        self, study: Study, *, heatmaps: Path | Overlays | None = None
    ) -> Iterator[StudyAnswer]:
        """Answers for loose slices as given, each series after its slices, and series that are refused.

        Where a series that was chosen of a study gets no answer, the next of that study is read, and says so.
        There are `count_answers` of them, and `more` where others are read; each comes once it is known.
        """
        overlays = Overlays(heatmaps) if isinstance(heatmaps, Path) else heatmaps
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
        """Results for the slices of a series from feet to head, read and answered batch by batch."""
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

    def _read_ahead(self, readers: Executor, given: Iterator[SliceInput]) -> Iterator[list[Slice | Result]]:
        """Batches of slices, each read while the one before it is answered."""
        coming = [readers.submit(self._read, item) for item in islice(given, BATCH)]
        while coming:
            batch = [future.result() for future in coming]
            coming = [readers.submit(self._read, item) for item in islice(given, BATCH)]
            yield batch

    def _read(self, given: SliceInput) -> Slice | Result:
        """The slice that was given, or the result that says why there is no answer for it."""
        try:
            item = read_given(given)
        except Exception as error:  # broad: no reader foresees all damage, and one file must not end a run
            if not isinstance(given, str | Path | Instance) and not isinstance(error, ReadError):
                raise  # no file: a mistake of the caller's
            return to_unread_result(name_given(given), error, self.model)
        verdict = check_slice(item.pixels)
        return item if verdict.accepted else to_refused_result(item, verdict, self.model)

    def _predict_batch(self, batch: Sequence[Slice | Result]) -> dict[int, Prediction | GateResult]:
        """Predictions, or refusals, by place in the batch; slices of one shape share a run of the graph."""
        alike: dict[tuple[int, ...], list[tuple[int, Slice]]] = defaultdict(list)
        for at, item in enumerate(batch):
            if isinstance(item, Slice):
                alike[turn(item.pixels, item.turn).shape].append((at, item))
        predictions: dict[int, Prediction | GateResult] = {}
        for places in alike.values():
            outputs = self._session.run(np.stack([turn(item.pixels, item.turn) for _, item in places]))
            for number, (at, _) in enumerate(places):
                verdict = self._check(outputs, number, places[number][1])
                predictions[at] = self._decide(outputs, number) if verdict.accepted else verdict
        return predictions

    def _check(self, outputs: Outputs, number: int, item: Slice) -> GateResult:
        """Whether a slice may be answered for: as the graph's gate says, then by its window."""
        limits = self.bundle.config.gate
        verdict = check_outputs(outputs, number, limits)
        return check_window(item.pixels) if limits and verdict.accepted else verdict

    def _decide(self, outputs: Outputs, number: int) -> Prediction:
        config = self.bundle.config
        made = decide(
            float(outputs.logit[number]),
            outputs.evidence[number],
            config,
            point=self.operating_point,
            box=tuple(outputs.box[number].tolist()),
        )
        return replace(made, opacity=to_opacity(outputs, number, config.findings))

    def _to_result(
        self, item: Slice, prediction: Prediction, overlays: Overlays | None, *, turned: str | None
    ) -> Result:
        shifted = replace(prediction, at_prevalence=self._shift(prediction.probability))
        result = to_answered_result(item, shifted, self.model, turned=turned)
        if overlays is None or result.prediction is None or result.prediction.evidence is None:
            return result
        heatmap = overlays.write(item, result.prediction.evidence, box=result.prediction.box)
        return replace(result, heatmap=str(heatmap))

    def _find_fault(self, item: Slice, prediction: Prediction) -> str | None:
        """How a slice seems to lie wrongly, None where it does not."""
        if not self.bundle.config.keeps_to_lungs or prediction.evidence is None:
            return None
        pixels = turn(item.pixels, item.turn)
        height, width = pixels.shape
        if is_turned(prediction.evidence, prediction.box, shape=(height, width)):
            return TURNED
        return UPSIDE_DOWN if is_upside_down(pixels, prediction.box) else None

    def _shift(self, probability: float) -> AtPrevalence | None:
        if self.prevalence is None:
            return None
        return to_prevalence(
            probability,
            self.operating_point,
            prevalence=self.prevalence,
            calibrated_at=self.bundle.config.prevalence,
        )


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
