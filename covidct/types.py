"""The values that pass between modules: frozen and plain, with no logic beyond derived properties.

Knows the words of the project. Knows nothing of files, models or surfaces.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
Evidence = NDArray[np.float32]
# Which of a bundle's two graphs: as trained, or the smaller one that counts in integers.
Precision = Literal["float", "int8"]
# Part of a slice: left, top, right, bottom in [0, 1] of its width and height.
Box = tuple[float, float, float, float]
WHOLE: Box = (0.0, 0.0, 1.0, 1.0)


class Kind(StrEnum):
    """What a result is about."""

    SLICE = "slice"
    SERIES = "series"


class Status(StrEnum):
    """Whether there is an answer: `refused` was read but must not be answered, `error` was not read."""

    OK = "ok"
    REFUSED = "refused"
    ERROR = "error"


class Decision(StrEnum):
    """The answer. Positive means COVID-19."""

    POSITIVE = "positive"
    NEGATIVE = "negative"
    INDETERMINATE = "indeterminate"


class Finding(StrEnum):
    """What the lungs show: the four words of the RSNA consensus on COVID-19 (Simpson et al. 2020).

    NEGATIVE: no opacity. The others, where there is one: how typical of COVID-19 it looks.
    """

    NEGATIVE = "negative"
    ATYPICAL = "atypical"
    INDETERMINATE = "indeterminate"
    TYPICAL = "typical"


class Reason(StrEnum):
    """Why a slice or a series is refused, or why an answer is indeterminate.

    From LOCALISER on for series alone. NOT_CHOSEN: another series of the study is read instead. DERIVED: a
    projection or a rendering (MIP, MPR, 3D ...), not what was measured.
    """

    TOO_SMALL = "too_small"
    BLANK = "blank"
    NOT_CT = "not_ct"
    RADIOGRAPH = "radiograph"
    NOT_CHEST = "not_chest"
    NOT_AXIAL = "not_axial"
    NO_LUNG = "no_lung"
    WRONG_WINDOW = "wrong_window"
    NEAR_THRESHOLD = "near_threshold"
    UNREADABLE = "unreadable"
    LOCALISER = "localiser"
    TOO_FEW_SLICES = "too_few_slices"
    MIXED_GEOMETRY = "mixed_geometry"
    DERIVED = "derived"
    NOT_CHOSEN = "not_chosen"


@dataclass(frozen=True)
class ModelUsed:
    """What answers: a bundle, by its name with the version, and which of its graphs (`precision`)."""

    name: str
    precision: Precision


@dataclass(frozen=True)
class ModelChoice:
    """Which model answers, and how, as the options say.

    `bundle` is a directory, None for the one that ships; `operating_point` one of the bundle's by name, its
    first by default. With `prevalence`, in (0, 1), results also say what they are worth at that prevalence
    (share of slices with COVID-19). `threads` is the number of cores, one slice on each; by default all that
    the process may use.
    """

    bundle: str | Path | None = None
    precision: Precision = "float"
    operating_point: str | None = None
    prevalence: float | None = None
    threads: int | None = None


@dataclass(frozen=True)
class Source:
    """Where a slice came from.

    `path` is as it was given (a name of the caller's for arrays); `series_uid` is the DICOM
    SeriesInstanceUID, `instance_uid` the SOPInstanceUID, both None for other files.
    """

    path: str
    series_uid: str | None = None
    instance_uid: str | None = None


@dataclass(frozen=True)
class Turn:
    """How a stored slice becomes one shown as usual: transposed first, then mirrored."""

    transpose: bool = False
    flip_rows: bool = False
    flip_columns: bool = False


DISCLAIMER = "Research use only; not a medical device."
UPRIGHT = Turn()


@dataclass(frozen=True)
class Slice:
    """One axial slice as display grey levels.

    `pixels` is (H, W) uint8, as stored: the lung window (centre -600, width 1500 HU) if Hounsfield units are
    known, else the stored grey levels. `spacing_mm` is (row, column) where known. The model sees it turned by
    `turn`; the places it returns are turned back. `camera` is the make and model of the camera that took the
    picture, by its EXIF; empty if there is none. `has_hu` is whether Hounsfield units are known, so that it
    must be CT.
    """

    pixels: Pixels
    source: Source
    spacing_mm: tuple[float, float] | None = None
    turn: Turn = UPRIGHT
    camera: str = ""
    has_hu: bool = False


@dataclass(frozen=True)
class GateResult:
    """Whether a slice may be answered for; `detail` is one sentence for the reader."""

    accepted: bool
    reason: Reason | None = None
    detail: str | None = None


@dataclass(frozen=True)
class GateLimits:
    """Which slices pass the graph's gate.

    `classes` names the columns of its logits: the first may be answered for, each other one is the `Reason`
    why not. `min_chest` is the least log-odds of the first class against all others, `min_lung` the least
    share of the slice, in [0, 1], that is lung.
    """

    classes: tuple[str, ...]
    min_chest: float
    min_lung: float


@dataclass(frozen=True)
class Estimate:
    """A metric with its 95 % interval, all in [0, 1] (the size of a prediction set in [1, 2]).

    `value` is None where the metric is undefined, `low` and `high` where there is no honest interval;
    `reason` then says why. `n` is the number of slices it is measured on (its denominator).
    """

    value: float | None
    low: float | None
    high: float | None
    n: int
    reason: str | None = None

    def to_text(self, digits: int = 2) -> str:
        """As people read it: `0.93 (0.90–0.95)`, `0.93` without an interval, `–` where undefined."""
        if self.value is None:
            return "–"
        if self.low is None or self.high is None:
            return f"{self.value:.{digits}f}"
        return f"{self.value:.{digits}f} ({self.low:.{digits}f}–{self.high:.{digits}f})"


@dataclass(frozen=True)
class OperatingPoint:
    """A threshold on the calibrated probability, with the band around it that is indeterminate.

    All in [0, 1], pairs are (low, high) or (positive, negative). COVID-19 is plausible from the lower end of
    `band` up, everything else up to its upper end; the threshold is inside. `alpha` is how often the sets of
    each class may miss the truth. `coverage` is how often they held it, and `sensitivity` and `specificity`
    are those of the threshold alone, all measured on the `tune` split, or in the folds of a bundle that is
    calibrated for a site.
    """

    name: str
    threshold: float
    band: tuple[float, float]
    sensitivity: float
    specificity: float
    alpha: tuple[float, float]
    coverage: tuple[float, float]


@dataclass(frozen=True)
class AtPrevalence:
    """What an answer is worth where a share `prevalence` of the slices, in (0, 1), shows COVID-19.

    `probability` is that of COVID-19 there; `ppv` and `npv` are those of the operating point's threshold,
    None where it calls no slice so. All in [0, 1].
    """

    prevalence: float
    probability: float
    ppv: float | None
    npv: float | None


@dataclass(frozen=True)
class Opacity:
    """The answer of a graph of two questions for one slice, or for a series by its slices.

    `logit` and `typical` are the logits of the two answers: that there is an opacity, and that it is typical
    of COVID-19. `extent` is the share of the lungs that is opaque, `lung` the share of the slice that is
    lung, both in [0, 1]. `probability` is the calibrated probability of an opacity, in [0, 1]; it and
    `finding` are None if the bundle has no cut-offs.
    """

    logit: float
    typical: float
    extent: float
    lung: float = 1.0
    probability: float | None = None
    finding: Finding | None = None


@dataclass(frozen=True)
class Prediction:
    """The model's answer for one slice, or for a series by its slices.

    `probability` is the calibrated one in [0, 1], `prediction_set` the labels that remain plausible at
    `operating_point`; `at_prevalence` is None if no prevalence was given, `message` if there is nothing to
    say, `opacity` if the graph asks only one question. For slices only: `logit`, the graph's output;
    `evidence`, the map (h, w) float32 whose mean, with the bias, is the logit (of `opacity`, where there are
    two questions); `box`, the part of the slice that the map covers.
    """

    decision: Decision
    probability: float
    prediction_set: tuple[str, ...]
    operating_point: OperatingPoint
    at_prevalence: AtPrevalence | None = None
    message: str | None = None
    opacity: Opacity | None = None
    logit: float | None = None
    evidence: Evidence | None = field(default=None, compare=False, repr=False)
    box: Box = WHOLE

    @property
    def reason(self) -> Reason | None:
        """Why it is indeterminate, if it is."""
        return Reason.NEAR_THRESHOLD if self.decision is Decision.INDETERMINATE else None


@dataclass(frozen=True)
class Refusal:
    """Why there is no prediction: a word, and a sentence for people that names the file or series."""

    reason: Reason
    message: str


@dataclass(frozen=True)
class Note:
    """One thing to know of a series: gaps, duplicates, slices that were not read.

    `text` is the sentence, in English; `code` and `values` say the same to what words it in other languages.
    """

    code: str
    text: str
    values: Mapping[str, str | int | float] = field(default_factory=dict)


@dataclass(frozen=True)
class SeriesSummary:
    """What the slices of a series say together.

    `slices` counts those in the series, `answered` those with lung in view that the model answered for.
    `evidence_share` is the share of the answered slices, in [0, 1], that were decided positive, None if there
    are none. `telling` lists the slices with the highest probability, by `slice_index`, the highest first.
    `is_calibrated` is whether probability and operating point are those of series, not of slices.
    """

    slices: int
    answered: int
    evidence_share: float | None = None
    telling: tuple[int, ...] = ()
    notes: tuple[Note, ...] = ()
    is_calibrated: bool = False


@dataclass(frozen=True)
class Result:
    """The answer for one slice or one series: the schema of `result.schema.json` as a value.

    `model` is the one that answered, or would have. `slice_index` is a slice's position in its series,
    counted from the feet. Only results for series have `series`. `shape` is (rows, columns) of a slice that
    was read; if it `seems_turned`, `message` says so.
    """

    source: Source
    status: Status
    answer: Prediction | Refusal
    model: ModelUsed
    slice_index: int | None = None
    series: SeriesSummary | None = None
    heatmap: str | None = None
    shape: tuple[int, int] | None = field(default=None, compare=False)
    seems_turned: bool = False

    @property
    def kind(self) -> Kind:
        """What it is about."""
        return Kind.SLICE if self.series is None else Kind.SERIES

    @property
    def path(self) -> str:
        """Where the slice or series came from, as it was given."""
        return self.source.path

    @property
    def prediction(self) -> Prediction | None:
        """The prediction, or None."""
        return self.answer if isinstance(self.answer, Prediction) else None

    @property
    def decision(self) -> Decision | None:
        """Positive, negative or indeterminate; None without a prediction."""
        return self.prediction.decision if self.prediction else None

    @property
    def probability(self) -> float | None:
        """The calibrated probability of COVID-19 in [0, 1]; None without a prediction."""
        return self.prediction.probability if self.prediction else None

    @property
    def opacity(self) -> Opacity | None:
        """What is said of opacities; None without a prediction, or where the model does not ask for them."""
        return self.prediction.opacity if self.prediction else None

    @property
    def finding(self) -> Finding | None:
        """What the lungs show; None where the model does not say."""
        return self.opacity.finding if self.opacity else None

    @property
    def reason(self) -> Reason | None:
        """Why there is no prediction, or why it is indeterminate."""
        return self.answer.reason

    @property
    def message(self) -> str | None:
        """The sentence for people, if one is needed."""
        return self.answer.message
