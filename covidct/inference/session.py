"""ONNX Runtime: slices in, raw outputs out. The only home of onnxruntime in the core.

Knows the graph's inputs and outputs. Knows nothing of files or of what a logit means.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from covidct.errors import BundleError
from covidct.images.cores import count_cores
from covidct.types import WHOLE, Evidence, Pixels

OPTIONAL = ("box", "gate", "lung", "opacity", "typical", "extent")
AXES = {"logit": 1, "map": 3, "box": 2, "gate": 2}
PIXELS = 2**25  # in one run: large slices go through one by one, or their float copies fill the memory


@dataclass(frozen=True)
class Outputs:
    """What a graph says of N slices: `logit` (N,), `evidence` (N, h, w) and `box` (N, 4), all float32.

    `box` is the part of each slice that its evidence covers: left, top, right, bottom in [0, 1] of its sides.
    `gate` (N, K) are logits of what the picture is, `lung` (N,) the share of it that is lung, in [0, 1]; None
    where the graph has no gate. `opacity` and `typical` (N,) are the logits of two answers, that there is an
    opacity and that it is typical of COVID-19, `extent` (N,) the share of the lungs that is opaque; None
    where the graph asks one question alone.
    """

    logit: NDArray[np.float32]
    evidence: Evidence
    box: NDArray[np.float32]
    gate: NDArray[np.float32] | None = None
    lung: NDArray[np.float32] | None = None
    opacity: NDArray[np.float32] | None = None
    typical: NDArray[np.float32] | None = None
    extent: NDArray[np.float32] | None = None


class Session:
    """A graph ready to run."""

    def __init__(self, graph: bytes, *, threads: int | None = None):
        """`threads` is how many cores one run may use; by default those this process may run on."""
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads or count_cores()
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        try:
            self._session = ort.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
        # ONNX Runtime raises its own types, derived from Exception and not exported under stable names.
        except Exception as error:
            raise BundleError(f"the graph cannot be loaded by ONNX Runtime: {error}") from error
        outputs = {value.name for value in self._session.get_outputs()}
        names = outputs | {value.name for value in self._session.get_inputs()}
        if missing := sorted({"slices", "logit", "map"} - names):
            raise BundleError(f"the graph lacks {', '.join(missing)}; it was not made by covidct")
        optional = [name for name in OPTIONAL if name in outputs]
        self._wanted = ["logit", "map", *optional]

    def run(self, slices: Pixels) -> Outputs:
        """Run (N, H, W) uint8 slices, N >= 1, display grey levels of the lung window, through the graph.

        Raises ValueError for another shape or type, BundleError for a graph that fails, or whose outputs have
        other shapes or are not finite.
        """
        if slices.ndim != 3 or slices.dtype != np.uint8 or not slices.size:
            raise ValueError(f"slices must be (N, H, W) uint8, not {slices.shape} {slices.dtype}")
        count, height, width = slices.shape
        step = max(1, PIXELS // (height * width))
        try:
            parts = [
                self._session.run(self._wanted, {"slices": slices[at : at + step]})
                for at in range(0, count, step)
            ]
            joined = [np.concatenate(part) for part in zip(*parts, strict=True)]
        except Exception as error:  # as above; numpy's where an output has no axis for slices
            raise BundleError(
                f"the graph fails on slices of {height} x {width}, as the bundle is damaged or memory is "
                f"short: {str(error).strip()}"
            ) from error
        given = dict(zip(self._wanted, joined, strict=True))
        _check_outputs(given, count)
        # A graph that does not crop has no box: its map covers the whole slice.
        whole = np.tile(np.array(WHOLE, np.float32), (count, 1))
        return Outputs(
            given["logit"],
            given["map"],
            given.get("box", whole),
            *(given.get(name) for name in OPTIONAL[1:]),
        )


def _check_outputs(given: Mapping[str, NDArray[np.float32]], count: int) -> None:
    """Raise BundleError for outputs of `count` slices that have other shapes, or that are no numbers."""
    axes = {name: values.ndim for name, values in given.items() if name in AXES}
    if axes != {name: AXES[name] for name in axes} or any(len(values) != count for values in given.values()):
        shapes = ", ".join(f"{name} {values.shape}" for name, values in given.items())
        raise BundleError(f"the graph gives outputs of other shapes ({shapes}); it is no graph of covidct's")
    numbers = (values for name, values in given.items() if name not in ("map", "box"))
    if not all(np.isfinite(values).all() for values in numbers):
        raise BundleError("the graph gives no finite logit; the bundle is damaged, do not use it")
