"""Whether the model may answer for a slice: by its pixels first, then by the graph's gate.

Before the graph runs, only pictures that are too small or blank are refused; after it, everything that is not
an axial chest CT slice, or hardly shows any lung. Knows limits; knows nothing of networks.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from covidct.types import GateLimits, GateResult, Pixels, Reason

if TYPE_CHECKING:
    from covidct.inference.session import Outputs

# Pixels of the shorter side. A secondary lobule, the size of the patterns that are looked for, is 10 to
# 25 mm: two to four pixels where 64 hold a chest of 350 mm. The smallest slice of the public sets has 79.
SMALLEST = 64
FLATTEST = 4  # grey levels between the 1st and the 99th percentile
SENTENCES: Mapping[Reason, str] = {
    Reason.NOT_CT: "does not look like CT (photograph, drawing, document ...); give an axial chest-CT slice",
    Reason.RADIOGRAPH: "looks like a radiograph; give axial slices of a chest CT",
    Reason.NOT_CHEST: "looks like another part of the body, or not like CT; give a slice through the lungs",
    Reason.NOT_AXIAL: "looks like a coronal or sagittal view; give axial slices",
}
# What is CT for sure is no picture and no radiograph, whatever it looks like: heads and necks do.
CT_SENTENCE = (
    "CT, but not of a whole chest from side to side: another part of the body, a scout, or a small field of "
    "view; give a slice through the lungs"
)


def check_slice(pixels: Pixels, *, camera: str = "") -> GateResult:
    """Verdict on (H, W) uint8, display, before any model has seen it; `camera` as `Slice` has it."""
    if camera:
        return GateResult(
            False,
            Reason.NOT_CT,
            f"a photograph ({camera}), and a photograph of a screen or film is not a slice; export the slice "
            "from the viewer as DICOM or PNG",
        )
    height, width = pixels.shape
    if min(height, width) < SMALLEST:
        return GateResult(
            False,
            Reason.TOO_SMALL,
            f"{width} x {height} pixels, but at least {SMALLEST} x {SMALLEST} are needed; give the original "
            "slice",
        )
    # A coarse grid is enough to see that nothing is there, and costs nothing beside the network.
    coarse = pixels[:: max(1, height // 96), :: max(1, width // 96)]
    if find_quantile(coarse, 0.99) - find_quantile(coarse, 0.01) < FLATTEST:
        return GateResult(False, Reason.BLANK, "only one grey level; check the window or the export")
    return GateResult(True)


def find_quantile(values: NDArray[Any], share: float) -> float:
    """The value that a `share` in [0, 1] of `values` (any shape, one or more, finite) does not exceed.

    As `numpy.quantile`, which imports masked arrays: a twentieth of what one slice takes from the shell.
    """
    ordered = np.sort(values, axis=None, kind="stable")  # (of bytes by counting, eight times as fast)
    whole, part = divmod(share * (len(ordered) - 1), 1)
    low, high = (float(ordered[min(int(whole) + step, len(ordered) - 1)]) for step in (0, 1))
    return low + part * (high - low)


def check_outputs(
    outputs: Outputs, number: int, limits: GateLimits | None, *, has_hu: bool = False
) -> GateResult:
    """Verdict on one slice of those that a graph answered for; all pass where there is no gate."""
    if limits is None or outputs.gate is None or outputs.lung is None:
        return GateResult(True)
    return check_view(outputs.gate[number], float(outputs.lung[number]), limits, has_hu=has_hu)


def check_view(
    logits: NDArray[np.float32], lung: float, limits: GateLimits, *, has_hu: bool = False
) -> GateResult:
    """Verdict on a graph's gate: logits (K,) of what the picture is, and the share of it that is lung.

    `has_hu` as `Slice` has it.
    """
    if to_odds(logits) < limits.min_chest:
        reason = Reason(limits.classes[1 + int(np.argmax(logits[1:]))])
        if has_hu and reason is not Reason.NOT_AXIAL:
            return GateResult(False, Reason.NOT_CHEST, CT_SENTENCE)
        return GateResult(False, reason, SENTENCES[reason])
    if lung < limits.min_lung:
        share = f"{100 * lung:.1f} % of the picture, at least {100 * limits.min_lung:.1f} % are needed"
        return GateResult(False, Reason.NO_LUNG, f"hardly any lung in view ({share}); give another slice")
    return GateResult(True)


def to_config(limits: GateLimits) -> dict[str, object]:
    """Limits as `config.json` has them, whose keys are those of format 2."""
    return {
        "classes": list(limits.classes),
        "least_chest": limits.min_chest,
        "least_lung": limits.min_lung,
    }


def to_odds(logits: NDArray[np.float32]) -> float:
    """Log-odds of the first class against all others together, of logits (K,)."""
    others = np.asarray(logits[1:], np.float64)
    highest = others.max()
    return float(logits[0] - highest - np.log(np.exp(others - highest).sum()))
