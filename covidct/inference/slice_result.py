"""One slice -> its result: with a prediction, refused by the gate, or not read.

Knows how results are worded. Knows nothing of graphs, nor of the order of the steps.
"""

from __future__ import annotations

from dataclasses import replace

from covidct.errors import ForeignDicom, ReadError, log_traceback
from covidct.images.orientation import turn_back, turn_box_back
from covidct.types import (
    Decision,
    GateResult,
    ModelUsed,
    Prediction,
    Reason,
    Refusal,
    Result,
    Slice,
    Source,
    Status,
)

EVERYTHING = (0.0, 1.0)  # the band of an operating point that no slices could be found to narrow
_INSTEAD = "turn it so that the front is above, and read it again"
TURNED = f"looks turned by 90 degrees; {_INSTEAD}"
UPSIDE_DOWN = f"looks upside down; {_INSTEAD}"


def to_answered_result(
    item: Slice, prediction: Prediction, model: ModelUsed, *, turned: str | None
) -> Result:
    """The result with a prediction; map and box are turned back to the slice as stored."""
    assert prediction.evidence is not None
    prediction = replace(
        prediction,
        evidence=turn_back(prediction.evidence, item.turn),
        box=turn_box_back(prediction.box, item.turn),
        message=_say(item, prediction, turned=turned),
    )
    shape = (item.pixels.shape[0], item.pixels.shape[1])
    return Result(item.source, Status.OK, prediction, model, shape=shape, seems_turned=turned is not None)


def to_refused_result(item: Slice, verdict: GateResult, model: ModelUsed) -> Result:
    """The result for a slice that must not be answered for."""
    assert verdict.reason is not None
    refusal = Refusal(verdict.reason, f"{item.source.path}: {verdict.detail}")
    shape = (item.pixels.shape[0], item.pixels.shape[1])
    return Result(item.source, Status.REFUSED, refusal, model, shape=shape)


def to_unread_result(path: str, error: Exception, model: ModelUsed) -> Result:
    """The result for what could not be read; refused if its header says that it is no axial CT slice."""
    status, reason, message = Status.ERROR, Reason.UNREADABLE, str(error)
    if isinstance(error, ForeignDicom):
        status, reason = Status.REFUSED, Reason(error.reason)
    elif not isinstance(error, ReadError):
        log_traceback(error)
        message = (
            f"{path}: cannot be read ({type(error).__name__}); it may be damaged: export it again, or report "
            "it with what --debug logs"
        )
    return Result(Source(path), status, Refusal(reason, message), model)


def find_plain_call(prediction: Prediction) -> str | None:
    """The label on the threshold's side, where the model can rule nothing out; None where it can."""
    point = prediction.operating_point
    if point.band != EVERYTHING:
        return None
    return prediction.prediction_set[prediction.probability < point.threshold]


def say_undecided(prediction: Prediction) -> str | None:
    """Why an answer is indeterminate; None where it is not."""
    if prediction.decision is not Decision.INDETERMINATE:
        return None
    point = prediction.operating_point
    low, high = point.band
    if call := find_plain_call(prediction):
        return (
            f"the model was calibrated on too few slices to rule anything out; its plain call, at a "
            f"threshold of {point.threshold:.3f}, is {call}"
        )
    return (
        f"both {' and '.join(prediction.prediction_set)} remain plausible: from {low:.3f} to "
        f"{high:.3f} no answer is reliable enough ({point.name})"
    )


def _say(item: Slice, prediction: Prediction, *, turned: str | None) -> str | None:
    """Why a slice is indeterminate, and how it looks turned; any other answer needs no sentence."""
    parts = []
    if undecided := say_undecided(prediction):
        parts.append(undecided)
    if turned:
        parts.append(turned)
    return f"{item.source.path}: {'; '.join(parts)}" if parts else None
