"""One slice as given -> its result: read -> gate -> session -> decide.

Knows the order of the steps; each of them is a module of its own. Knows nothing of other slices.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from covidct.errors import ReadError
from covidct.images.orientation import turn
from covidct.inference.config import Config
from covidct.inference.decision import decide
from covidct.inference.finding import to_opacity
from covidct.inference.gate import check_outputs, check_slice
from covidct.inference.picture_window import check_window
from covidct.inference.prevalence import to_prevalence
from covidct.inference.rotation import is_turned
from covidct.inference.session import Outputs, Session
from covidct.inference.slice_result import (
    TURNED,
    UPSIDE_DOWN,
    to_answered_result,
    to_refused_result,
    to_unread_result,
)
from covidct.inference.upside_down import is_upside_down
from covidct.series.slices import SliceInput, name_given, read_given
from covidct.series.types import Instance
from covidct.types import (
    AtPrevalence,
    GateResult,
    ModelUsed,
    OperatingPoint,
    Pixels,
    Prediction,
    Result,
    Slice,
)


@dataclass(frozen=True)
class Answered:
    """A result and its slice, None if no slice could be read."""

    result: Result
    item: Slice | None = None


@dataclass(frozen=True)
class Answerer:
    """What one slice is answered with; safe to use from several threads."""

    config: Config
    session: Session
    model: ModelUsed
    point: OperatingPoint
    prevalence: float | None = None

    def answer(self, given: SliceInput, *, is_placed: bool) -> Answered:
        """The result for a slice; `is_placed` if its orientation is known, and it is turned by that.

        A slice that cannot be read gets a result, too. Raises TypeError for a value that is not a slice,
        BundleError for a graph that fails.
        """
        try:
            item = read_given(given)
        except Exception as error:  # broad: no reader foresees all damage, and one file must not end a run
            if not isinstance(given, str | Path | Instance) and not isinstance(error, ReadError):
                raise  # no file: a mistake of the caller's
            return Answered(to_unread_result(name_given(given), error, self.model))
        return Answered(self._answer_read(item, is_placed=is_placed), item)

    def _answer_read(self, item: Slice, *, is_placed: bool) -> Result:
        verdict = check_slice(item.pixels, camera=item.camera)
        if not verdict.accepted:
            return to_refused_result(item, verdict, self.model)
        upright = turn(item.pixels, item.turn)
        outputs = self.session.run(upright[None])
        verdict = self._check(outputs, item)
        if not verdict.accepted:
            return to_refused_result(item, verdict, self.model)
        prediction = self._decide(outputs)
        turned = None if is_placed else self._find_fault(upright, prediction)
        return to_answered_result(item, prediction, self.model, turned=turned)

    def _check(self, outputs: Outputs, item: Slice) -> GateResult:
        """Whether a slice may be answered for: as the graph's gate says, then by its window."""
        limits = self.config.gate
        verdict = check_outputs(outputs, 0, limits, has_hu=item.has_hu)
        return check_window(item.pixels) if limits and verdict.accepted else verdict

    def _decide(self, outputs: Outputs) -> Prediction:
        made = decide(
            float(outputs.logit[0]),
            outputs.evidence[0],
            self.config,
            point=self.point,
            box=tuple(outputs.box[0].tolist()),
        )
        return replace(
            made,
            opacity=to_opacity(outputs, 0, self.config.findings),
            at_prevalence=self._shift(made.probability),
        )

    def _find_fault(self, upright: Pixels, prediction: Prediction) -> str | None:
        """How an upright slice seems to lie wrongly all the same, None where it does not."""
        if not self.config.keeps_to_lungs or prediction.evidence is None:
            return None
        height, width = upright.shape
        if is_turned(prediction.evidence, prediction.box, shape=(height, width)):
            return TURNED
        return UPSIDE_DOWN if is_upside_down(upright, prediction.box) else None

    def _shift(self, probability: float) -> AtPrevalence | None:
        if self.prevalence is None:
            return None
        return to_prevalence(
            probability, self.point, prevalence=self.prevalence, calibrated_at=self.config.prevalence
        )
