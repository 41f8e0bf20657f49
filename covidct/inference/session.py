"""ONNX Runtime: slices in, raw outputs out. The only home of onnxruntime in the core.

Knows the graph's inputs and outputs. Knows nothing of files or of what a logit means.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from covidct.errors import BundleError
from covidct.images.cores import count_cores
from covidct.types import WHOLE, Evidence, Pixels

OPTIONAL = ("box", "gate", "lung", "opacity", "typical", "extent")
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
            raise BundleError(f"the graph lacks {', '.join(missing)}; it is no graph of covidct's")
        optional = [name for name in OPTIONAL if name in outputs]
        self._wanted = ["logit", "map", *optional]

    def run(self, slices: Pixels) -> Outputs:
        """Run (N, H, W) uint8 slices, N >= 1, display grey levels of the lung window, through the graph.

        Raises ValueError for another shape or type, BundleError for a number that is not finite.
        """
        if slices.ndim != 3 or slices.dtype != np.uint8 or not slices.size:
            raise ValueError(f"slices must be (N, H, W) uint8, not {slices.shape} {slices.dtype}")
        count, height, width = slices.shape
        step = max(1, PIXELS // (height * width))
        parts = [
            self._session.run(self._wanted, {"slices": slices[at : at + step]})
            for at in range(0, count, step)
        ]
        joined = (np.concatenate(part) for part in zip(*parts, strict=True))
        given = dict(zip(self._wanted, joined, strict=True))
        numbers = (given[name] for name in given if name not in ("map", "box"))
        if not all(np.isfinite(values).all() for values in numbers):
            raise BundleError("the graph gives no finite logit; the bundle is damaged, do not use it")
        # A graph that does not crop has no box: its map covers the whole slice.
        whole = np.tile(np.array(WHOLE, np.float32), (count, 1))
        return Outputs(
            given["logit"],
            given["map"],
            given.get("box", whole),
            *(given.get(name) for name in OPTIONAL[1:]),
        )
